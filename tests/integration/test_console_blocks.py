"""The commands that the pages show are run, in a copy of the checkout, and print what the pages say.

``tests/support/console_blocks.py`` says what a console block is, and how a page says that one is not run. Where output
is shown, ``…`` or ``...`` stands for anything, and times, sizes and counts may be others. Where none is shown, the
command has to end with status 0. The root folder of the pages is a temporary one: ``/srv/emwheels`` is the checkout.
"""

from __future__ import annotations

import difflib
import doctest
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from console_blocks import console_blocks
from fake_builds import make_build
from sample_run import RELEASE
from synthetic_wheels import WASM, make_wheel

from emwheels import index
from emwheels.errors import StoppedError
from emwheels.outputs.builds import KIND
from emwheels.store import Store

CHECKOUT = Path(__file__).parents[2]
OUTPUT = ("dist", "site")
"""Folders of the checkout that hold only what can be made again."""
CACHE = Path("home/.cache/emwheels")
ROOT_FOLDERS = ("srv/www", "etc/nginx/conf.d")
SECONDS = 60
NOWHERE = "http://127.0.0.1:9"
STOPPED_BY_HAND = "stop with Ctrl-C"
"""Ends the output of a server: it is stopped then, and what it says later is not looked at."""


def pages():
    """Return the pages of the checkout."""
    folders = [path for path in CHECKOUT.iterdir() if path.is_dir() and path.name not in OUTPUT]
    below = [page for folder in folders if not folder.name.startswith(".") for page in folder.rglob("*.md")]
    return sorted([*CHECKOUT.glob("*.md"), *(CHECKOUT / "dist").glob("*.md"), *below])


READ = {str(page.relative_to(CHECKOUT)): console_blocks(page.read_text(), CHECKOUT) for page in pages()}
RUN = [
    pytest.param(block, id=f"{name}:{block.line}", marks=[getattr(pytest.mark, block.needs)] if block.needs else [])
    for name, (blocks, _) in READ.items()
    for block in blocks
    if not block.reason
]


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """A root folder with the checkout, a few wheels in its index, and a cache with a few builds."""
    root = tmp_path_factory.mktemp("machine")
    project = root / "srv" / "emwheels"
    project.mkdir(parents=True)
    for path in CHECKOUT.iterdir():
        if path.is_file():
            shutil.copyfile(path, project / path.name)
        elif path.name not in OUTPUT and not path.name.startswith("."):
            shutil.copytree(path, project / path.name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ROOT_FOLDERS:
        (root / name).mkdir(parents=True)
    for name, version in (("numpy", "2.5.5"), ("oldname", "1.0")):
        wheel = make_wheel(root / "made", name, version, tag=WASM)
        index.publish(project / "dist", wheel, wheel.name, release=RELEASE)
    store = Store(root / CACHE / "store")
    for name in ("one", "other"):
        key, record = make_build(store, name)
        store.add_record(KIND, key, record)
    return root


@pytest.fixture
def root(machine, tmp_path):
    return shutil.copytree(machine, tmp_path / "machine", symlinks=True)


def environment_of(block, root):
    """Return the environment of a user without settings and without a network; with one, pip's own settings count."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EMWHEELS_")}
    kept |= {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
    kept |= {"EMWHEELS_CACHE": str(root / CACHE), "COLUMNS": "200", "NO_COLOR": "1"}
    if block.needs == "network":
        return kept
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTPS_PROXY", "EMWHEELS_DEBIAN_MIRROR"), NOWHERE)
    return {**kept, **nowhere, "HOME": str(root / "home")}


def script_of(block, root):
    """Return a program of bash that runs the commands in one shell, each with its output and status in files."""
    lines = ["set -m"]  # what is started in the background gets Ctrl-C as well
    for number, step in enumerate(block.steps):
        command = re.sub(r"(?<!\S)/(?=(?:srv|etc)/)", f"{root}/", step.command)
        said = f"{root}/said-{number}"
        if step.shown and step.shown[-1].endswith(STOPPED_BY_HAND):
            lines += [
                f"{command} > {said} 2>&1 &",
                f"until grep -q '{STOPPED_BY_HAND}' {said} || ! kill -0 $!; do sleep 0.05; done",
                f"kill -INT $!; wait $!; test $? = {StoppedError.exit_code}",
                f"echo $? > {said}.status; sed -i '/{STOPPED_BY_HAND}/q' {said}",
            ]
        else:
            lines += [f"{{ {command}\n}} > {said} 2>&1", f"echo $? > {said}.status"]
    return "\n".join(lines)


def run(script, **options):
    """Run a program of bash, `SECONDS` at most; nothing that it started stays."""
    with subprocess.Popen(["bash", "-c", script], stdin=subprocess.DEVNULL, **options) as bash:
        try:
            bash.wait(SECONDS)
        except subprocess.TimeoutExpired:
            for each in [*psutil.Process(bash.pid).children(recursive=True), bash]:
                each.kill()


def alike(shown, said):
    """Tell whether the output is what is shown."""
    checker = doctest.OutputChecker()
    return checker.check_output(plain(shown).replace("…", "..."), plain(said), doctest.ELLIPSIS)


def plain(text):
    """Return the text without what differs from run to run."""
    text = re.sub(r"\b\d\d:\d\d:\d\d\b", "HH:MM:SS", text)
    text = re.sub(r"\b\d[\d,.]*(?= (?:bytes|builds|ms|s|MB|GB)\b)", "N", text)
    return "\n".join(line.rstrip() for line in text.rstrip().splitlines()) + "\n"


@pytest.mark.parametrize("page", READ)
def test_every_command_is_run_or_has_a_reason(page):
    assert READ[page][1] == []


@pytest.mark.parametrize("block", RUN)
@pytest.mark.timeout(2 * SECONDS)
def test_commands_do_what_the_page_says(block, root, request):
    if block.needs == "image":
        image_of(request, root)
    if any(step.shown and step.shown[-1].endswith(STOPPED_BY_HAND) for step in block.steps):
        skip_if_in_use(8000)
    run(script_of(block, root), cwd=root / "srv" / "emwheels", env=environment_of(block, root))
    for number, step in enumerate(block.steps):
        said = (root / f"said-{number}").read_text().replace(str(root), "")
        ended = root / f"said-{number}.status"
        assert ended.is_file(), f"{step.command}\n{said}\nhas not ended after {SECONDS} s"
        assert ended.read_text() == "0\n", f"{step.command}\n{said}"
        shown = "\n".join(step.shown)
        assert not step.shown or alike(shown, said), "\n".join(
            [step.command, *difflib.unified_diff(shown.splitlines(), said.splitlines(), "page", "command", lineterm="")]
        )


def image_of(request, root):
    """Put the images where the pages say that they are, and what belongs to the build image beside them."""
    environment = request.getfixturevalue("environment")
    if getattr(environment.image, "method", "") != "bwrap":
        pytest.skip("the build image is entered without bwrap on this machine")
    _ = environment.toolchain
    for name in ("images", "npm", "xbuildenvs"):
        (root / CACHE / name).symlink_to(environment.project.cache / name)


def skip_if_in_use(port):
    with socket.socket() as asked:
        if asked.connect_ex(("127.0.0.1", port)) == 0:
            pytest.skip(f"port {port} of this machine is in use")


@pytest.mark.parametrize(
    ("shown", "said", "same"),
    [
        ("a  b", "a  b  \n\n", True),
        ("a  b", "a b", False),
        ("a", "a\nb", False),
        ("a\nb", "a", False),
        ("31 builds, 48,112,310 bytes, in x", "2 builds, 7 bytes, in x", True),
        ("31 builds, in x", "2 builds, in y", False),
        ("09:50:00 numpy: fetch", "23:59:59 numpy: fetch", True),
        ("12 errors", "13 errors", False),
        ("first\n…\nlast", "first\na\nb\nlast", True),
        ("x@sha256:…", "x@sha256:0123", True),
        ("x@sha256:...", "y@sha256:0123", False),
    ],
)
def test_what_counts_as_the_same(shown, said, same):
    assert alike(shown, said) is same
