from __future__ import annotations

import os

import pytest

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
    assert not (two / "usr" / "lib").joinpath("libx.so.emwheels-link").exists()


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
