from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wasm_encoding import thin_archive

from emwheels.build.inside import link_cache as links
from emwheels.build.inside.link_cache import HIT, MISS, NotKept, Result, keep, read_link

if TYPE_CHECKING:
    from pathlib import Path

# Stands for emcc: notes that it ran, and "links" to the texts of its inputs.
COMPILER = """\
#!/usr/bin/env python3
import sys
from pathlib import Path

words = sys.argv[1:]
with Path("ran").open("a") as file:
    file.write("once\\n")
inputs = [Path(word) for word in words if word.endswith((".o", ".c"))]
text = "".join(path.read_text() for path in inputs)
if "absent" in text:
    sys.exit("wasm-ld: error: a.o: undefined symbol: absent\\nemcc: error: 'wasm-ld a.o' failed (returned 1)")
if "broken" in text:
    sys.exit("a.c:1:1: error: this is no C")
out = Path(words[words.index("-o") + 1])
out.write_text(f"fetch('{out.stem}.wasm') {text}")
out.with_suffix(".wasm").write_bytes(b"\\0asm" + text.encode())
if "-MF" in words:
    Path(words[words.index("-MF") + 1]).write_text(f"x.o: {inputs[0]} \\\\\\n  /usr/include/stdio.h own.h\\n")
print("said", text)
print("warned", out, file=sys.stderr)
"""


@dataclass
class Tree:
    """A folder with a compiler and some inputs."""

    root: Path

    def link(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", "-S", links.__file__, str(self.root / "emcc"), *words]
        environment = {"PATH": os.environ["PATH"], "CCACHE_DIR": str(self.root / "cache")}
        environment |= {"CCACHE_STATSLOG": str(self.root / "log")} | env
        return subprocess.run(command, cwd=self.root, env=environment, check=False, capture_output=True, text=True)

    @property
    def ran(self) -> int:
        return len((self.root / "ran").read_text().splitlines())

    @property
    def noted(self) -> list[str]:
        return (self.root / "log").read_text().split()


@pytest.fixture
def tree(tmp_path, monkeypatch):
    (tmp_path / "emcc").write_text(COMPILER)
    (tmp_path / "emcc").chmod(0o755)
    (tmp_path / "a.o").write_text("a")
    (tmp_path / "b.o").write_text("b")
    (tmp_path / "t.c").write_text("t")
    (tmp_path / "own.h").write_text("h")
    monkeypatch.chdir(tmp_path)
    return Tree(tmp_path)


def test_a_link_is_made_once(tree):
    first = tree.link("a.o", "b.o", "-O2", "-o", "x.js")
    made = {name: (tree.root / name).read_bytes() for name in ("x.js", "x.wasm")}
    for name in made:
        (tree.root / name).unlink()
    again = tree.link("a.o", "b.o", "-O2", "-o", "x.js")
    assert made == {name: (tree.root / name).read_bytes() for name in made}
    assert made["x.wasm"] == b"\0asmab"
    assert (first.returncode, first.stdout, first.stderr) == (0, "said ab\n", "warned x.js\n")
    assert (again.returncode, again.stdout, again.stderr) == (0, "said ab\n", "warned x.js\n")
    assert tree.ran == 1
    assert tree.noted == [MISS, HIT]
    assert not list(tree.root.glob(".link-*"))


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: (tree.root / "a.o").write_text("other"),
        lambda tree: (tree.root / "libm.a").write_text("before the image's"),
        lambda tree: (tree.root / "names").write_text("_b"),
    ],
)
def test_what_a_link_reads_is_looked_at(tree, change):
    (tree.root / "names").write_text("_a")
    words = ("a.o", "-L.", "-lm", "-sEXPORTED_FUNCTIONS=@names", "-o", "x.js")
    tree.link(*words)
    change(tree)
    tree.link(*words)
    assert tree.ran == 2


@pytest.mark.parametrize(
    ("words", "env"),
    [
        (("a.o", "-O3", "-o", "x.js"), {}),
        (("a.o", "-O2", "-o", "y.js"), {}),
        (("a.o", "-O2", "-o", "x.js"), {"EMCC_CFLAGS": "-g"}),
        (("a.o", "-O2", "-o", "x.js"), {"CCACHE_COMPILERCHECK": "string:another image"}),
    ],
)
def test_another_command_is_another_link(tree, words, env):
    tree.link("a.o", "-O2", "-o", "x.js")
    tree.link(*words, **env)
    assert tree.noted == [MISS, MISS]


def test_the_random_names_of_cmake_and_of_files_with_symbols_are_no_difference(tree):
    for name, symbols in (("cmTC_0a1b2", "one"), ("cmTC_fffff", "two")):
        (tree.root / symbols).write_text("_main")
        (tree.root / f"{name}.o").write_text("c")
        done = tree.link(f"{name}.o", f"-sEXPORTED_FUNCTIONS=@{symbols}", "-o", f"{name}.js", EMCC_CORES=symbols)
        assert done.returncode == 0
        assert (tree.root / f"{name}.js").read_text() == f"fetch('{name}.wasm') c"
        assert (tree.root / f"{name}.wasm").exists()
    assert tree.noted == [MISS, HIT]


def test_the_members_of_a_thin_archive_are_looked_at(tree):
    (tree.root / "a folder").mkdir()
    (tree.root / "a folder" / "c.o").write_text("c")
    (tree.root / "thin.a").write_bytes(thin_archive("a.o", "a folder/c.o"))
    words = ("b.o", "thin.a", "-o", "x.js")
    for _ in range(2):
        tree.link(*words)
    (tree.root / "a folder" / "c.o").write_text("other")
    tree.link(*words)
    (tree.root / "a.o").write_text("other")
    tree.link(*words)
    assert tree.noted == [MISS, HIT, MISS, MISS]


def test_the_random_folders_of_meson_are_no_difference(tree):
    for folder in ("tmpabc12_xy", "tmpzzzzzzzz"):
        (tree.root / "made" / folder).mkdir(parents=True)
        (tree.root / "made" / folder / "t.c").write_text("t")
        done = tree.link(f"made/{folder}/t.c", "-o", f"made/{folder}/output.js")
        assert done.returncode == 0
        assert (tree.root / "made" / folder / "output.wasm").exists()
    assert tree.noted == [MISS, HIT]


def test_one_source_is_looked_up_with_its_headers(tree):
    for _ in range(2):
        assert tree.link("t.c", "-o", "x.js").returncode == 0
    assert tree.noted == [MISS, HIT]
    assert not (tree.root / ".headers").exists()
    (tree.root / "own.h").write_text("other")
    tree.link("t.c", "-o", "x.js")
    (tree.root / "t.c").write_text("other")
    tree.link("t.c", "-o", "x.js")
    assert tree.noted == [MISS, HIT, MISS, MISS]


def test_a_failure_is_kept_if_it_is_one_of_symbols(tree):
    (tree.root / "a.o").write_text("absent")
    (tree.root / "t.c").write_text("broken")
    for _ in range(2):
        done = tree.link("a.o", "-o", "x.js")
        assert done.returncode == 1
        assert "undefined symbol: absent" in done.stderr
        assert tree.link("t.c", "-o", "x.js").returncode == 1
    assert tree.noted == [MISS, MISS, HIT, MISS]
    assert not (tree.root / "x.js").exists()


def test_a_damaged_entry_is_made_again(tree):
    tree.link("a.o", "-o", "x.js")
    (entry,) = (tree.root / "cache" / links.FOLDER).iterdir()
    whole = entry.read_bytes()
    for damaged in (b"", whole[:40], whole[:-1], whole[:50] + bytes([whole[50] ^ 1]) + whole[51:]):
        entry.write_bytes(damaged)
        assert tree.link("a.o", "-o", "x.js").returncode == 0
        assert entry.read_bytes() == whole
    assert tree.noted == [MISS] * 5


@pytest.mark.parametrize(
    "words",
    [
        ["-c", "t.c", "-o", "t.o"],
        ["--version"],
        ["a.o"],
        ["a.o", "-o", "x.js", "-o", "y.js"],
        ["a.o", "-o", "/dev/null"],
        ["a.o", "-o", "nowhere/x.js", "missing.o"],
        ["t.c", "t.c", "-o", "x.js"],
        ["t.S", "-o", "x.js"],
        ["-O2", "-o", "x.js"],
        ["a.o", "-Wl,-Map=x.map", "-o", "x.js"],
        ["a.o", "--pre-js", "a.js", "-o", "x.js"],
        ["a.o", "-s", "MAIN_MODULE=1", "-o", "x.js"],
        ["a.o", "-l:libx.a", "-o", "x.js"],
        ["thin.a", "-o", "x.js"],
        ["cut.a", "-o", "x.js"],
        ["@missing", "-o", "x.js"],
    ],
)
def test_what_may_do_more_than_link_is_left_alone(tree, words):
    (tree.root / "thin.a").write_bytes(thin_archive("a.o", "b.o"))
    (tree.root / "cut.a").write_bytes(thin_archive("a.o")[:-1])
    (tree.root / "b.o").unlink()
    with pytest.raises(NotKept):
        read_link(words)


def test_a_command_that_is_left_alone_is_run(tree):
    done = tree.link("a.o", "-g", "-gsource-map", "-o", "x.js")
    assert (done.returncode, done.stdout, tree.ran) == (0, "said a\n", 1)
    assert not (tree.root / "cache").exists()
    done = tree.link("a.o", "-o", "missing-folder/x.js")
    assert done.returncode != 0
    assert not (tree.root / "missing-folder").exists()


def test_response_files_are_read(tree):
    (tree.root / "rsp").write_text("a.o\nb.o")
    for _ in range(2):
        tree.link("@rsp", "-o", "x.js")
    (tree.root / "b.o").write_text("other")
    tree.link("@rsp", "-o", "x.js")
    assert tree.noted == [MISS, HIT, MISS]


def test_what_was_used_longest_ago_goes(tmp_path, monkeypatch):
    result = Result(0, (b"", b""), {"x": (0o644, os.urandom(1000))})
    monkeypatch.setattr(links, "MAX_BYTES", 3500)
    for number in range(5):
        path = tmp_path / str(number)
        keep(result, path)
        os.utime(path, (number, number))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2", "3", "4"]


@given(
    st.integers(0, 255),
    st.tuples(st.binary(), st.binary()),
    st.dictionaries(st.text(max_size=9), st.tuples(st.integers(0, 0o777), st.binary())),
    st.dictionaries(st.text(max_size=9), st.text(max_size=9)),
)
def test_a_result_is_read_as_it_was_written(status, said, files, headers):
    result = Result(status, said, files, headers)
    packed = result.pack()
    assert Result.unpack(packed) == result
    with pytest.raises(ValueError, match="damaged"):
        Result.unpack(packed[:-1])
