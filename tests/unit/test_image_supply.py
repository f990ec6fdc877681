"""Where files of Debian's packages come from: folders and servers on loopback."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import http.server
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from loopback import serving, serving_folder
from small_debs import make_deb

from emwheels.errors import ImageError
from emwheels.fetch.download import Downloader
from emwheels.image.supply import Place, Supply, places, write_repository


@pytest.fixture
def debs(tmp_path):
    return [make_deb(tmp_path / "mirror", name, version) for name, version in (("a", "1:1.0"), ("b+c", "2.0~rc1-1"))]


@pytest.fixture(params=["folder", "file", "http"])
def mirror(request, tmp_path, debs):
    folder = tmp_path / "mirror"
    if request.param == "http":
        with serving_folder(folder) as address:
            yield address
    else:
        yield f"file://{folder}" if request.param == "file" else str(folder)


def supply(*addresses):
    given = [Place(address=address, kind=f"place {number}") for number, address in enumerate(addresses)]
    return Supply(given, Downloader(attempts=1))


def test_files_are_had_from_the_first_place_that_has_them(mirror, debs, tmp_path):
    (tmp_path / "empty").mkdir()
    asked = supply(str(tmp_path / "empty"), mirror)
    assert asked.lacking(debs) == []
    asked.gather(debs, tmp_path / "got", print)
    for deb in debs:
        content = (tmp_path / "got" / deb.path).read_bytes()
        assert hashlib.sha256(content).hexdigest() == deb.sha256


def test_what_nobody_has_is_told_without_a_download(mirror, debs, tmp_path):
    gone = dataclasses.replace(debs[0], path="pool/main/a/a/a_0.9_all.deb")
    assert supply(mirror).lacking([gone, *debs]) == [gone]
    with pytest.raises(ImageError, match=r"a 1:1\.0: place 0: ") as caught:
        supply(mirror).gather([gone], tmp_path / "got", print)
    assert "EMWHEELS_DEBIAN_SNAPSHOT" in caught.value.hint


def test_another_content_is_refused_and_the_next_place_asked(mirror, debs, tmp_path):
    other = tmp_path / "other" / debs[0].path
    other.parent.mkdir(parents=True)
    other.write_bytes(b"x" * debs[0].size)
    supply(str(tmp_path / "other"), mirror).gather(debs, tmp_path / "got", print)
    with pytest.raises(ImageError, match="place 0: it has another file under this name"):
        supply(str(tmp_path / "other")).gather(debs[:1], tmp_path / "new", print)
    assert not (tmp_path / "new" / debs[0].path).exists()


def test_what_is_there_and_right_is_not_had_again(debs, tmp_path):
    supply(str(tmp_path / "mirror")).gather(debs, tmp_path / "got", print)
    supply().gather(debs, tmp_path / "got", print)
    (tmp_path / "got" / debs[1].path).write_bytes(b"damaged")
    with pytest.raises(ImageError, match="no place is configured"):
        supply().gather(debs, tmp_path / "got", print)


def test_a_server_that_does_not_answer_is_not_asked_again(debs):
    asked = supply("http://127.0.0.1:9")
    assert asked.lacking(debs) == debs
    assert list(asked.faults) == ["place 0"]


class WithoutHead(http.server.SimpleHTTPRequestHandler):
    """A server that has files and answers no HEAD."""

    def do_HEAD(self):
        self.send_error(405)

    def log_message(self, *_):
        """Say nothing."""


def test_a_server_that_answers_no_head_is_asked_for_the_files(debs, tmp_path):
    with serving(partial(WithoutHead, directory=tmp_path / "mirror")) as address:
        asked = supply(address)
        assert asked.lacking(debs) == []
        assert asked.faults == {}
        asked.gather(debs, tmp_path / "got", print)


def test_places_are_tried_in_this_order(monkeypatch, tmp_path):
    monkeypatch.setenv("EMWHEELS_IMAGE_MIRROR", str(tmp_path))
    monkeypatch.setenv("EMWHEELS_DEBIAN_SNAPSHOT", "https://snapshot.example.org/debian/20261128T000000Z")
    given = places("https://debian.example.org/debian")
    assert [place.kind for place in given] == ["EMWHEELS_IMAGE_MIRROR", "Debian's mirror", "EMWHEELS_DEBIAN_SNAPSHOT"]
    assert [place.address for place in places("https://debian.example.org/debian", offline=True)] == [str(tmp_path)]
    monkeypatch.delenv("EMWHEELS_IMAGE_MIRROR")
    monkeypatch.delenv("EMWHEELS_DEBIAN_SNAPSHOT")
    assert places("") == []


def test_a_repository_has_the_files_own_records(debs, tmp_path):
    write_repository(tmp_path / "mirror", debs)
    text = (tmp_path / "mirror" / "Packages").read_text()
    assert text.count("Package: ") == 2
    assert f"Filename: ./{debs[1].path}\nSize: {debs[1].size}\nSHA256: {debs[1].sha256}\n" in text


def test_a_file_of_another_package_is_not_listed_under_its_name(debs, tmp_path):
    with pytest.raises(ImageError, match=r"is not other 1:1\.0: another package"):
        write_repository(tmp_path / "mirror", [dataclasses.replace(debs[0], name="other")])


def listed(folder, name, content, digest=None):
    (folder / "wheels").mkdir(exist_ok=True)
    (folder / "wheels" / name).write_bytes(content)
    with (folder / "wheels" / "SHA256SUMS").open("a") as file:
        file.write(f"{digest or hashlib.sha256(content).hexdigest()}  {name}\n")


def test_listed_wheels_are_taken_by_their_hash(tmp_path):
    for name, content in (("one.whl", b"1"), ("two.whl", b"2")):
        listed(tmp_path, name, content)
    (tmp_path / "got").mkdir()
    assert supply(str(tmp_path)).take_listed("wheels", {hashlib.sha256(b"2").hexdigest()}, tmp_path / "got")
    assert [path.name for path in (tmp_path / "got").iterdir()] == ["two.whl"]
    assert not supply(str(tmp_path / "got")).take_listed("wheels", set(), tmp_path / "got")
    assert not supply(str(tmp_path)).take_listed("wheels", {"3" * 64}, tmp_path / "got"), "it has none of them"


def test_a_listed_wheel_of_another_content_is_refused(tmp_path):
    listed(tmp_path, "one.whl", b"1", digest="1" * 64)
    with pytest.raises(ImageError, match=r"wheels/one\.whl does not have the sha256 1{64}"):
        supply(str(tmp_path)).take_listed("wheels", {"1" * 64}, tmp_path)


def test_a_listed_wheel_that_is_missing_is_told_with_its_place(tmp_path):
    listed(tmp_path, "one.whl", b"1")
    (tmp_path / "wheels" / "one.whl").unlink()
    with pytest.raises(ImageError, match=r"place 0 lists wheels/one\.whl, which cannot be read"):
        supply(str(tmp_path)).take_listed("wheels", {hashlib.sha256(b"1").hexdigest()}, tmp_path)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://[::1", "is no address of a mirror"),
        ("https:///x", "is no address of a mirror"),
        ("ftp://me:secret-word@h.example.org/x", "is no address of a mirror"),
        ("me:secret-word@h.example.org/x", "EMWHEELS_IMAGE_MIRROR"),
        ("/no/such/folder", "names a folder that is not there"),
        ("file:///no/such/folder", "names a folder that is not there"),
    ],
)
def test_a_place_that_is_none_is_told_without_its_address(monkeypatch, address, words):
    monkeypatch.setenv("EMWHEELS_IMAGE_MIRROR", address)
    with pytest.raises(ImageError, match=words) as caught:
        places("")
    assert "secret-word" not in caught.value.message


def test_nothing_is_written_through_a_link(debs, tmp_path):
    victim = tmp_path / "victim"
    victim.mkdir()
    (tmp_path / "got").mkdir()
    (tmp_path / "got" / "pool").symlink_to(victim)
    with pytest.raises(ImageError, match="is a link, and nothing is written through it"):
        supply(str(tmp_path / "mirror")).gather(debs, tmp_path / "got", print)
    assert list(victim.iterdir()) == []
    (tmp_path / "got" / "pool").unlink()
    path = tmp_path / "got" / debs[0].path
    path.parent.mkdir(parents=True)
    (victim / "file").write_text("precious")
    path.symlink_to(victim / "file")
    supply(str(tmp_path / "mirror")).gather(debs, tmp_path / "got", print)
    assert (victim / "file").read_text() == "precious"
    assert not path.is_symlink()


def test_a_damaged_file_of_a_mirror_stays_when_it_is_gathered_into_itself(debs, tmp_path):
    path = tmp_path / "mirror" / debs[0].path
    path.write_bytes(b"x" * debs[0].size)
    with pytest.raises(ImageError, match="another file under this name"):
        supply(str(tmp_path / "mirror")).gather(debs, tmp_path / "mirror", print)
    assert path.stat().st_size == debs[0].size


def test_two_gather_into_one_folder(mirror, debs, tmp_path):
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(supply(mirror).gather, debs, tmp_path / "got", print) for _ in range(4)]:
            done.result()
    assert {path.name for path in (tmp_path / "got").rglob("*.*")} == {deb.filename for deb in debs}


def test_a_file_that_is_larger_than_pinned_is_not_downloaded_whole(debs, tmp_path):
    path = tmp_path / "mirror" / debs[0].path
    path.write_bytes(bytes(50 << 20))
    with (
        serving_folder(tmp_path / "mirror") as address,
        pytest.raises(ImageError, match=r"is larger than the [0-9,]+ bytes that are pinned"),
    ):
        supply(address).gather(debs[:1], tmp_path / "got", print)
    assert [path for path in (tmp_path / "got").rglob("*") if path.is_file()] == []


class Stalled(http.server.BaseHTTPRequestHandler):
    """Says a byte at a time, for ever."""

    began, over = threading.Event(), threading.Event()

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "20000")
        self.end_headers()
        self.began.set()
        with contextlib.suppress(OSError):
            while not self.over.wait(0.05):
                self.wfile.write(b"x")

    def log_message(self, *_):
        """Say nothing."""


def test_what_is_under_way_ends_with_the_first_fault(debs, tmp_path):
    """A fault of one file ends the download of another, as Ctrl-C does."""
    gone = dataclasses.replace(debs[1], path="pool/gone.deb")
    with serving(Stalled) as address:
        asked = supply(address)

        def fails(deb):
            if deb is gone:
                Stalled.began.wait()
                raise ImageError("the other one")
            return asked._obtain(deb, tmp_path / "got")

        with pytest.raises(ImageError, match="the other one"):
            list(asked._each(fails, [gone, dataclasses.replace(debs[0], size=20000)]))
        Stalled.over.set()
