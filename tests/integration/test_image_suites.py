"""Images of small synthetic suites: from a mirror alone, and where the suite has moved on from what is pinned."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import partial

import pytest
from own_images import own_images
from small_debs import make_base, make_deb, write_suite

from emwheels.checkout import Checkout
from emwheels.errors import ImageError
from emwheels.image import debian
from emwheels.image.debs import DebSet, pinned, write_pins
from emwheels.image.making import make_image
from emwheels.image.mirror import write_mirror
from emwheels.image.moved import Candidate, in_force
from emwheels.image.offer import choose, offered
from emwheels.image.rootfs import RootFs
from emwheels.image.supply import Place, Supply
from emwheels.pipeline.environment import Environment
from emwheels.pipeline.run import prove_compiler
from emwheels.progress import Board
from emwheels.target import ImagePins, load_targets

pytestmark = [pytest.mark.image, pytest.mark.timeout(600)]

TINY = ImagePins(part="test", suite="tiny", packages={"tool": "says that it works"})
SAYS = b"#!/bin/sh\necho it works\n"


def of_suite(mirror, *debs, pins=TINY):
    """Write a suite of ``debs`` and return what it offers for ``pins``."""
    address = write_suite(mirror, pins.suite, debs, architecture=_architecture())
    return offered(pins, address, say=lambda text: None, trusted=True)


def _architecture():
    shown = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True)
    return shown.stdout.strip()


def asked(image, *argv, tmp_path):
    with (tmp_path / "said").open("w+b") as output:
        done = image.run(list(argv), output=output)
        output.seek(0)
        return done.status, output.read().decode()


# A mirror, and nothing else.


@pytest.fixture(scope="module")
def tiny_suite(tmp_path_factory):
    mirror = tmp_path_factory.mktemp("suite")
    library = make_deb(mirror, "libtool2", "1:2.0", {"usr/share/libtool2": b"its data"})
    tool = make_deb(mirror, "tool", "2.0-1", {"usr/bin/tool": SAYS}, depends=["libtool2 (>= 1:2)"])
    unasked = make_deb(mirror, "unasked", "1.0")
    return mirror, of_suite(mirror, *make_base(mirror), tool, library, unasked)


def test_a_suite_is_asked_for_what_would_be_installed(tiny_suite):
    _, debs = tiny_suite
    assert debs.versions == {"apt": "1.0", "base": "1.0", "libtool2": "1:2.0", "tool": "2.0-1"}
    assert pinned(TINY, platform.machine(), write_pins([(TINY, debs)], platform.machine())) == debs


def test_an_image_is_made_of_a_mirror_alone_where_there_is_no_network(tiny_suite, tmp_path):
    suite, debs = tiny_suite
    mirror = tmp_path / "mirror"
    supply = Supply([Place(address=str(suite), kind="the suite")])
    size = write_mirror(mirror, [TINY], supply, None, say=lambda text: None, sets=[debs])
    assert size == sum(path.stat().st_size for path in mirror.rglob("*") if path.is_file())
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from emwheels.image.debs import pinned\nfrom emwheels.image.making import make_image\n"
        "from emwheels.image.supply import places, Supply\nfrom emwheels.target import ImagePins\n"
        "mirror, cache, machine = sys.argv[1:]\n"
        f"pins = ImagePins(part='test', suite='tiny', packages={dict(TINY.packages)!r})\n"
        "debs = pinned(pins, machine, (Path(mirror) / 'debian-packages.toml').read_text())\n"
        "assert len(Path('/proc/net/dev').read_text().splitlines()) == 3, 'an interface beside loopback'\n"
        "supply = Supply(places('', offline=True))\n"
        "make_image(Path(cache), pins, debs, supply, None, say=print, log=Path(cache, 'log'))\n"
    )
    cache = tmp_path / "cache"
    alone = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-root-user", "--user"])]
    done = subprocess.run(
        [*alone, sys.executable, "-c", script, str(mirror), str(cache), platform.machine()],
        env={**os.environ, "EMWHEELS_IMAGE_MIRROR": str(mirror)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    image, record = debian.load_image(cache, TINY)
    assert record.packages == debs.versions
    assert asked(image, "tool", tmp_path=tmp_path) == (0, "it works\n")


def test_a_package_of_another_content_is_refused_and_leaves_no_image(tiny_suite, tmp_path):
    suite, debs = tiny_suite
    mirror = tmp_path / "mirror"
    shutil.copytree(suite / "pool", mirror / "pool")
    (victim,) = (deb for deb in debs if deb.name == "tool")
    path = mirror / victim.path
    path.write_bytes(path.read_bytes().replace(b"it works", b"it lurks"))
    with pytest.raises(ImageError, match=r"tool 2\.0-1: the mirror: it has another file under this name"):
        make_image(
            tmp_path,
            TINY,
            debs,
            Supply([Place(address=str(mirror), kind="the mirror")]),
            None,
            say=lambda text: None,
            log=tmp_path / "log",
        )
    assert debian.load_image(tmp_path, TINY) is None


# A suite that has moved on. The compiler is the real one, under another version or broken.


@pytest.fixture
def project(make_tiny_project, tmp_path, extension, module, environment):
    """A project that has no image yet; a recipe of it proves compilers."""
    if not isinstance(environment.image, RootFs):
        pytest.skip("the image is a published one")
    project = make_tiny_project(tmp_path / "project")
    code = "static PyObject *same(PyObject *self, PyObject *value) { return Py_NewRef(value); }"
    project.recipe("tiny", extension("tiny", module("tiny", code, "same")))
    (project.root / "recipes/tiny/test_tiny.py").write_text(
        "import tiny\n\ndef test_it_is_the_same():\n    assert tiny.same(5) == 5\n"
    )
    targets = project.root / "targets.toml"
    targets.write_text(targets.read_text().replace('"msgpack", "contourpy", "numpy"', '"tiny"'))
    with own_images(environment.project.cache, project, with_real=False) as images:
        tests = debian.image_folder(environment.project.cache, environment.targets.test_image)
        (images / tests.name).symlink_to(tests)
        yield project


class Suite:
    """One that offers an Emscripten; what is pinned is Emscripten 6.0.5, and nobody has it any more."""

    def __init__(self, folder, environment, project, real):
        self.folder, self.environment, self.real = folder, environment, real
        self.pins = environment.asked.image
        shutil.rmtree(folder, ignore_errors=True)
        self.before = self._with(make_deb(folder, "emscripten", "6.0.5+dfsg-1"))
        (folder / self.before.installed[-1].path).unlink()

    def _with(self, *emscripten):
        names = ["apt", f"clang-{self.pins.llvm}", *(f"python{python}" for python in self.pins.pythons)]
        others = [make_deb(self.folder, name, "1.0") for name in names]
        taken = [
            make_deb(self.folder, name, "1.0") for name in ("npm", *(f"libpython{p}-dev" for p in self.pins.pythons))
        ]
        return DebSet(installed=(*others, *emscripten), taken=tuple(taken))

    def offer(self, version, files=None):
        """Return the choice where the suite has this Emscripten; None: none at all."""
        debs = [make_deb(self.folder, "emscripten", version, files)] if version else []
        asked_for = replace(self.pins, packages=dict.fromkeys(["emscripten", *_names(self._with())], ""))
        every = [*self._with(*debs)]
        return choose(
            self.pins,
            self.before,
            Supply([Place(address=str(self.folder), kind="Debian's mirror")]),
            lambda: of_suite(self.folder, *every, pins=replace(asked_for, packages=_known(asked_for, every))),
        )

    def make(self, choice):
        """Make the image that was chosen: the real one's files with the package's own over them."""
        supply = Supply([Place(address=str(self.folder), kind="Debian's mirror")])
        return self.environment.make_choice(self.pins, choice, supply)

    def assemble(self, root, debs, _):
        shutil.copytree(self.real, root, symlinks=True, copy_function=os.link)
        for deb in debs.installed:
            if deb.name == "emscripten":
                subprocess.run(["dpkg-deb", "-x", str(root.with_name("debs") / deb.path), str(root)], check=True)
        path = root / debian.PACKAGES
        path.unlink()
        path.write_text("".join(f"{name}\t{version}\n" for name, version in debs.versions.items()))
        (root / debian.MARK).unlink()


def _names(debs):
    return [deb.name for deb in debs.installed]


def _known(pins, debs):
    return {name: "" for name in pins.packages if name in {deb.name for deb in debs}}


@pytest.fixture
def suite(project, tmp_path, environment, monkeypatch):
    checkout = Checkout(root=project.root, cache=project.cache)
    targets = load_targets(project.root / "targets.toml")
    own = Environment(checkout, targets, targets.get(None), board=Board())
    suite = Suite(tmp_path / "suite", own, project, environment.image.root)
    monkeypatch.setattr("emwheels.pipeline.environment.make_image", partial(make_image, assemble=suite.assemble))
    return suite


def version_file(version):
    return {"usr/share/emscripten/emscripten-version.txt": f"{version}\n".encode()}


def test_a_patch_release_of_the_compiler_works_after_a_few_programs(suite):
    choice = suite.offer("6.0.6+dfsg-1", version_file("6.0.6"))
    assert choice.news.startswith("Debian has moved on: Emscripten 6.0.6 with LLVM 21 instead of 6.0.5 with 21")
    record = suite.make(choice)
    assert record.packages["emscripten"] == "6.0.6+dfsg-1"
    image, candidate = in_force(suite.environment.project.cache, suite.pins)
    assert (image.emscripten, candidate.to_prove) == ("6.0.6", False)
    assert suite.environment.targets.image == image
    assert suite.environment.image_digest == record.digest
    assert prove_compiler(suite.environment) == []


def test_a_minor_release_works_after_packages_that_prove_it(suite):
    suite.make(suite.offer("6.1.0+dfsg-1", version_file("6.1.0")))
    candidate = suite.environment.candidate
    assert candidate == Candidate(emscripten="6.1.0", llvm=suite.pins.llvm, needs="packages", proven="programs")
    assert prove_compiler(suite.environment) == ["tiny"]
    assert not suite.environment.candidate.to_prove
    checkout = suite.environment.project
    again = Environment(checkout, suite.environment.asked, suite.environment.target, board=Board())
    assert again.image_digest == suite.environment.image_digest
    assert prove_compiler(again) == [], "it is proven once"
    assert not (checkout.dist / "wheels").exists(), "what proves a compiler is not published"


def test_a_compiler_that_is_broken_is_refused_with_the_reason(suite):
    broken = version_file("6.0.6") | {
        "usr/share/emscripten/em++": b"#!/bin/sh\necho 'em++: internal error' >&2\nexit 1\n"
    }
    choice = suite.offer("6.0.6+dfsg-1", broken)
    with pytest.raises(ImageError, match=r"Emscripten 6\.0\.6 is not used: an exception of C\+\+") as caught:
        suite.make(choice)
    assert "em++: internal error" in caught.value.message
    assert in_force(suite.environment.project.cache, suite.pins) == (suite.pins, None)


def test_one_that_is_out_of_what_is_accepted_is_refused(suite):
    with pytest.raises(
        ImageError, match=r"has Emscripten 7\.0\.0, and image\.build\.accepted of targets.toml is >=6\.0\.5,<7"
    ):
        suite.offer("7.0.0+dfsg-1")


def test_where_the_compiler_is_gone_the_next_place_is_taken(suite, tmp_path):
    with pytest.raises(ImageError, match=r"1 of the pinned packages are nowhere .* has no Emscripten") as caught:
        suite.offer(None)
    assert "EMWHEELS_DEBIAN_SNAPSHOT" in caught.value.hint
    snapshot = tmp_path / "snapshot"
    make_deb(snapshot, "emscripten", "6.0.5+dfsg-1")
    places = [Place(address=str(place), kind=place.name) for place in (suite.folder, snapshot)]
    choice = choose(suite.pins, suite.before, Supply(places), lambda: pytest.fail("the suite was asked"))
    assert (choice.debs, choice.news) == (suite.before, "")
