"""The program that links CMake's checks, on objects encoded here, and with a program in the compiler's place."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wasm_encoding import HEADER, name, number, section, vector

from emwheels.build.inside.cmake import check_link
from emwheels.build.inside.cmake.check_link import main

COMPILER = """\
#!{python}
import pathlib, sys
log = pathlib.Path({log!r})
log.write_text(log.read_text() + " ".join(sys.argv[1:]) + "\\n")
if "-c" in sys.argv:
    source = pathlib.Path(sys.argv[sys.argv.index("-c") + 1])
    pathlib.Path(sys.argv[sys.argv.index("-o") + 1]).write_text(source.read_text())
sys.exit({status})
"""


def imports(*entries):
    return HEADER + section(2, vector(*entries))


def function(title, module="env"):
    return name(module) + name(title) + b"\0" + number(3)


OTHERS = (
    name("env") + name("__linear_memory") + b"\2\0" + number(1),
    name("env") + name("__indirect_function_table") + b"\1\x70\1" + number(1) + number(9),
    name("env") + name("__stack_pointer") + b"\3\x7f\1",
    name("env") + name("__cpp_exception") + b"\4\0" + number(200),
)


def exports(**entries):
    return HEADER + section(7, vector(*(name(title) + bytes([kind]) + number(300) for title, kind in entries.items())))


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    (tmp_path / "names").write_text("malloc\nprintf\n")
    monkeypatch.setattr(check_link, "_NAMES", tmp_path / "names")
    monkeypatch.setattr(check_link.tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def make(status=0):
        path, log = tmp_path / "cc", tmp_path / "log"
        log.write_text("")
        path.write_text(COMPILER.format(python=sys.executable, log=str(log), status=status))
        path.chmod(0o755)
        return str(path), lambda: log.read_text().splitlines()

    return make


def test_the_command_runs_as_it_is(compiler, tmp_path):
    cc, ran = compiler()
    (tmp_path / "check.o").write_bytes(imports(*OTHERS, function("malloc"), function("f", module="wasi")))
    (tmp_path / "words.rsp").write_text("check.o 'a b'")
    assert main([cc, "-O2", "@words.rsp", "-o", "check.js"]) == 0
    assert ran() == ["-O2 @words.rsp -o check.js"]


def test_its_status_is_the_status(compiler, tmp_path):
    cc, _ = compiler(status=7)
    (tmp_path / "check.o").write_bytes(imports(function("mremap")))
    assert main([cc, "check.o"]) == 7


@pytest.mark.parametrize("wanted", ["mremap", "fork"])
def test_what_the_runtime_lacks_is_said(compiler, tmp_path, capfd, wanted):
    cc, _ = compiler()
    (tmp_path / "check.o").write_bytes(imports(*OTHERS, function(wanted), function("printf")))
    assert main([cc, "check.o", "-o", "check.js"]) == 1
    assert capfd.readouterr().err == f"emwheels: Pyodide does not have {wanted}\n"


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("libown.a", ["libown.a"]),
        ("libown.a", ["-L.", "-lown"]),
        ("other.o", ["other.o"]),
    ],
)
def test_what_a_library_of_its_own_has_is_not_missing(compiler, tmp_path, file, words):
    cc, _ = compiler()
    (tmp_path / "check.o").write_bytes(imports(function("own_function")))
    content = b"!<arch>\n...own_function..." if file.endswith(".a") else HEADER + b"\0\x10own_function...."
    (tmp_path / file).write_bytes(content)
    assert main([cc, "check.o", *words]) == 0
    (tmp_path / file).write_bytes(content.replace(b"own", b"its"))
    assert main([cc, "check.o", *words]) == 1


@pytest.mark.parametrize("wanted", ["_ZNSt3__24coutE", "invoke_viii"])
def test_what_the_loader_makes_and_cplusplus_is_not_asked_for(compiler, tmp_path, wanted):
    cc, _ = compiler()
    (tmp_path / "check.o").write_bytes(imports(function(wanted)))
    assert main([cc, "check.o"]) == 0


@pytest.mark.parametrize("words", [["libside.so"], ["-L", "-L.", "-lside"], ["@words.rsp"]])
def test_an_object_stands_for_a_side_module(compiler, tmp_path, words):
    cc, ran = compiler()
    (tmp_path / "words.rsp").write_text("libside.so")
    (tmp_path / "libside.so").write_bytes(exports(side_open=0, side_table=3, main=0, **{'odd"name': 0}))
    (tmp_path / "check.o").write_bytes(imports(function("side_open")))
    assert main([cc, "check.o", *words, "-o", "check.js"]) == 0
    made, link = ran()
    (stub,) = tmp_path.glob("emwheels-stub-*.o")
    assert made.startswith("-w -c ")
    assert link.split() == ["check.o", *words[:-1], str(stub), "-o", "check.js"]
    assert stub.read_text().splitlines() == [
        '__attribute__((weak)) void s0(void) __asm__("side_open");',
        "void s0(void) {}",
        '__attribute__((weak)) char s1[16] __asm__("side_table");',
    ]
    assert main([cc, "check.o", *words]) == 0
    assert len(ran()) == 3, "made once a build"
    (tmp_path / "check.o").write_bytes(imports(function("side_close")))
    assert main([cc, "check.o", *words]) == 1


def test_a_library_of_the_machine_is_left_to_the_linker(compiler, tmp_path):
    cc, ran = compiler()
    (tmp_path / "libnative.so").write_bytes(b"\x7fELF")
    assert main([cc, "libnative.so", "nosuch.so"]) == 0
    assert ran() == ["libnative.so nosuch.so"]


def test_without_a_list_nothing_is_held_against_it(compiler, tmp_path):
    cc, _ = compiler()
    (tmp_path / "names").unlink()
    (tmp_path / "check.o").write_bytes(imports(function("mremap")))
    assert main([cc, "check.o"]) == 0


@given(st.lists(st.text("abc_", min_size=1, max_size=300)))
def test_names_are_read_as_they_were_written(names):
    assert list(check_link._functions_wanted(imports(*map(function, names)))) == names
