"""The lock of the index, held against the library whose format it has, on Pyodide's own lock."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from synthetic_wheels import WASM, make_wheel

from emwheels import index
from emwheels.image.model import Mount

pytestmark = [pytest.mark.image, pytest.mark.timeout(300)]

SUPPORT = Path(__file__).resolve().parents[1] / "support"
WHEELS = {
    "app": ["numpy", "lib[fast]>=1", 'win; sys_platform == "win32"', 'pytest; extra == "test"'],
    "lib": ['attrs; extra == "fast"', 'six; sys_platform == "emscripten"', 'nowhere; python_version < "3.14"'],
    "numpy": [],
    "shapely": ["numpy>=1.21"],
}
"""numpy and shapely are Pyodide's, too: ours go before them."""


@pytest.fixture(scope="module")
def locks(image, runtime, targets, tmp_path_factory):
    """The packages of our lock, and of the library's, for the same wheels."""
    dist = tmp_path_factory.mktemp("dist")
    made = dist / "made"
    for name, requires in WHEELS.items():
        files = {f"{name}/__init__.py": "", f"{name}/deep/data.txt": "x", f"{name}_one.py": "", "space/sub/mod.py": ""}
        wheel = make_wheel(made, name, "2.9.1", tag=WASM, requires=requires, files=files)
        index.publish(dist, wheel, wheel.name, release=index.read_release(targets.get(None), runtime))
    ours = json.loads((dist / "pyodide-lock.json").read_bytes())
    script = ["/opt/emwheels/python3.14/bin/python3", "/mnt/support/lock_by_library.py"]

    def run(lock, folder):
        with tempfile.TemporaryFile() as output:
            done = image.run(
                [*script, "/mnt/lock.json", "/mnt/wheels"],
                mounts=[
                    Mount(host=SUPPORT, inside="/mnt/support"),
                    Mount(host=lock, inside="/mnt/lock.json"),
                    Mount(host=folder, inside="/mnt/wheels"),
                ],
                output=output,
            )
            output.seek(0)
            said = output.read().decode()
        assert done.status == 0, said
        return json.loads(said.splitlines()[-1])

    return (
        ours,
        run(runtime / "pyodide-lock.json", made),
        run(dist / "pyodide-lock.json", tmp_path_factory.mktemp("none")),
    )


@pytest.mark.parametrize("name", WHEELS)
def test_our_entries_are_those_of_the_library(locks, name):
    ours, theirs = (lock["packages"][name] for lock in locks[:2])
    # A namespace that all have is nobody's, and of a module in it, which the library does not name, the first has it.
    below = {"space.sub.mod"} if name == min(WHEELS) else set()
    assert set(ours["imports"]) == set(theirs["imports"]) - {"space"} | below
    for key in ("name", "version", "file_name", "install_dir", "sha256", "package_type", "unvendored_tests"):
        assert ours[key] == theirs[key], key


def brought(lock, name):
    """Return what `loadPackage(name)` loads."""
    found, waiting = set(), [name]
    while waiting:
        if (each := waiting.pop()) not in found:
            found.add(each)
            waiting += lock["packages"][each]["depends"]
    return found


@pytest.mark.parametrize(("name", "more"), [("app", set()), ("lib", {"attrs"}), ("numpy", set()), ("shapely", set())])
def test_as_much_is_loaded_as_with_the_library(locks, name, more):
    """What an extra needs is a need of whoever asks for the extra; the library has the package itself need it."""
    ours, theirs = (brought(lock, name) for lock in locks[:2])
    assert ours | more == theirs
    assert ours >= {"app": {"lib", "numpy", "attrs", "six"}, "lib": {"six"}, "shapely": {"numpy"}}.get(name, set())


def test_the_library_reads_the_whole_lock(locks):
    """It refuses keys that it does not know, and gives the same document back."""
    ours, _, again = locks
    assert {name: entry["sha256"] for name, entry in again["packages"].items()} == {
        name: entry["sha256"] for name, entry in ours["packages"].items()
    }
    assert again["info"]["python"] == ours["info"]["python"]
    assert len(again["packages"]) > 100, "Pyodide's own packages are in it"
