from __future__ import annotations

import os

import pytest

from emwheels.image import sharing
from emwheels.image.sharing import share_files

CONTENT = b"library" * 1000


@pytest.fixture
def roots(tmp_path):
    """Two roots, the second with a file of the same content and time as the first has."""
    for name in ("one", "two"):
        path = tmp_path / name / "usr" / "lib" / "libx.so"
        path.parent.mkdir(parents=True)
        path.write_bytes(CONTENT)
        path.chmod(0o644)
        os.utime(path, ns=(0, 10**18))
    return tmp_path / "one", tmp_path / "two"


def linked(root):
    return (root / "usr" / "lib" / "libx.so").stat().st_nlink == 2


def test_the_same_file_is_kept_once(roots):
    one, two = roots
    assert share_files(two, [one]) == len(CONTENT)
    assert linked(two)
    assert (two / "usr/lib/libx.so").read_bytes() == CONTENT
    assert sorted(path.name for path in (two / "usr/lib").iterdir()) == ["libx.so"]
    assert share_files(two, [one]) == 0, "once is enough"


@pytest.mark.parametrize("change", ["content", "mode", "time", "size", "place", "kind"])
def test_what_differs_stays(roots, change):
    one, two = roots
    path = two / "usr" / "lib" / "libx.so"
    match change:
        case "content":
            path.write_bytes(CONTENT[:-1] + b"Y")
            os.utime(path, ns=(0, 10**18))
        case "mode":
            path.chmod(0o755)
        case "time":
            os.utime(path, ns=(0, 10**18 + 1))
        case "size":
            path.write_bytes(CONTENT + b"Y")
            os.utime(path, ns=(0, 10**18))
        case "place":
            path.rename(path.with_name("liby.so"))
        case "kind":
            other = one / "usr" / "lib" / "libx.so"
            other.rename(other.with_name("real"))
            other.symlink_to("real")
    assert share_files(two, [one]) == 0
    assert not (two / "usr" / "lib").joinpath(".emwheels-link").exists()


def test_small_files_and_links_stay(roots):
    one, two = roots
    for root in roots:
        (root / "small").write_bytes(b"x")
        os.utime(root / "small", ns=(0, 10**18))
        (root / "link").symlink_to("usr/lib/libx.so")
    share_files(two, [one])
    assert (two / "small").stat().st_nlink == 1
    assert (two / "link").is_symlink()


def test_where_no_link_can_be_made_nothing_changes(roots, monkeypatch):
    one, two = roots

    def refuse(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    assert share_files(two, [one]) == 0
    assert not linked(two)
    assert share_files(two, [two.with_name("not there")]) == 0


def names(root):
    return sorted(path.name for path in (root / "usr" / "lib").iterdir())


@pytest.mark.parametrize("moment", ["lstat", "cmp", "link"])
def test_another_image_may_vanish_meanwhile(roots, tmp_path, monkeypatch, moment):
    one, two = roots
    third = tmp_path / "three" / "usr" / "lib"
    third.mkdir(parents=True)
    os.link(one / "usr/lib/libx.so", third / "libx.so")
    module = {"lstat": os, "link": os, "cmp": sharing.filecmp}[moment]
    plain = getattr(module, moment)

    def vanishing(path, *others, **options):
        if str(path).startswith(str(one)) or (others and str(others[0]).startswith(str(one))):
            (one / "usr/lib/libx.so").unlink(missing_ok=True)
        return plain(path, *others, **options)

    monkeypatch.setattr(module, moment, vanishing)
    assert share_files(two, [one, tmp_path / "three"]) == len(CONTENT), "the other one has it as well"
    assert names(two) == ["libx.so"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_link_that_takes_no_file_s_place_is_not_left(roots, monkeypatch, error):
    one, two = roots

    def refuse(*_):
        raise error

    monkeypatch.setattr(os, "replace", refuse)
    if isinstance(error, OSError):
        assert share_files(two, [one]) == 0
    else:
        with pytest.raises(KeyboardInterrupt):
            share_files(two, [one])
    assert names(two) == ["libx.so"]
    assert not linked(two)


def test_a_name_may_be_as_long_as_the_file_system_allows(roots):
    for root in roots:
        (root / "usr/lib/libx.so").rename(root / "usr/lib" / ("x" * 255))
    assert share_files(roots[1], [roots[0]]) == len(CONTENT)
