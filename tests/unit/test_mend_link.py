"""What a link is given and spared before it is done, with a program in emcc's place."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wasm_encoding import HEADER, name, number, vector
from wasm_encoding import section as wasm_section

from emwheels.build.inside import mend_link
from emwheels.build.inside.mend_link import absent_names, archive_names, exports, is_module, is_program, section

ORIGIN = "$ORIGIN/../demo.libs"


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("-Wl,-rpath,/mnt/work/lib", ""),
        ("-Wl,-rpath=/usr/lib -lz", "-lz"),
        ("-Wl,-R/usr/lib", ""),
        ("-Wl,-R,/usr/lib,--gc-sections", "-Wl,--gc-sections"),
        ("-Wl,--enable-new-dtags,-rpath,/usr/lib", ""),
        ("-Wl,-rpath -Wl,/usr/lib a.o", "a.o"),
        ("-rpath /usr/lib a.o", "a.o"),
        ("-R /usr/lib a.o", "a.o"),
        ("-R/usr/lib a.o", "a.o"),
        ("-Xlinker -rpath -Xlinker /usr/lib a.o", "a.o"),
        ("-Wl,-rpath,lib", ""),
        (f"-Wl,-rpath,{ORIGIN}", f"-Wl,-rpath,{ORIGIN}"),
        (f"-Wl,-rpath,/usr/lib:{ORIGIN}:.", f"-Wl,-rpath,{ORIGIN}"),
        (f"-rpath {ORIGIN}", f"-Wl,-rpath,{ORIGIN}"),
        ("-Wl,-rpath,${ORIGIN}", "-Wl,-rpath,${ORIGIN}"),
        ("-Wl,-rpath-link,/usr/lib -Wl,--whole-archive", "-Wl,-rpath-link,/usr/lib -Wl,--whole-archive"),
        ("-Wl,-Bsymbolic -Xlinker --gc-sections", "-Wl,-Bsymbolic -Xlinker --gc-sections"),
    ],
)
def test_a_runtime_path_stays_if_it_begins_at_the_module(words, left):
    assert mend_link.without_runtime_paths(words.split()) == left.split()


@pytest.mark.parametrize(
    ("command", "program"),
    [
        ("conftest.c -o conftest -lm", True),
        ("-O2 CMakeFiles/cmTC_1.dir/x.c.o -o cmTC_1.js", True),
        ("-Wl,-x testfile.c -o output.exe", True),
        ("a.o b.o -o tool", False),
        ("a.o -shared -o a.so", False),
        ("a.o -sSIDE_MODULE=1 -o a.so", False),
        ("a.o -s SIDE_MODULE=1 -o a.so", False),
        ("-c conftest.c -o conftest.o", False),
        ("-o conftest.c", False),
        ("@objects -o tool", False),
    ],
)
def test_a_check_is_a_program_of_one_file(command, program):
    assert is_program(command.split()) is program


@pytest.mark.parametrize(
    ("command", "module"),
    [("a.o -sSIDE_MODULE=2", True), ("a.o -s SIDE_MODULE", True), ("a.c -c -sSIDE_MODULE=1", False), ("a.o", False)],
)
def test_a_module_is_told_by_its_options(command, module):
    assert is_module(command.split()) is module


def archive_of(*names):
    table = len(names).to_bytes(4) + bytes(4 * len(names)) + b"".join(name.encode() + b"\0" for name in names)
    return b"!<arch>\n" + b"/".ljust(48) + str(len(table)).ljust(10).encode() + b"`\n" + table


def test_the_table_of_an_archive():
    assert archive_names(archive_of("fork", "epoll_create")) == {"fork", "epoll_create"}
    for data in (b"", b"!<arch>\n", b"\0asm"):
        with pytest.raises(ValueError, match="no table"):
            archive_names(data)


def test_what_is_absent_is_of_libc_or_javascript_and_not_of_the_runtime(tmp_path):
    libc = tmp_path / "sysroot" / "lib" / "wasm32-emscripten" / "libc.a"
    libc.parent.mkdir(parents=True)
    libc.write_bytes(archive_of("fork", "epoll_create", "__internal"))
    (tmp_path / "symbol_lists").mkdir()
    (tmp_path / "symbol_lists" / "1.json").write_text('{"deps": {"uuid_copy": [], "$own": [], "emscripten_x": []}}')
    (tmp_path / "symbol_lists" / "2.json").write_text("[")
    assert absent_names({"fork", "emscripten_x"}, tmp_path) == ["epoll_create", "uuid_copy"]
    assert absent_names({"fork"}, tmp_path / "nowhere") == []


def module_with(*names):
    """Return a module that imports functions of the first type from ``env``."""
    entries = b"".join(b"\3env" + bytes([len(name)]) + name.encode() + b"\0\0" for name in names)
    body = bytes([len(names)]) + entries
    return b"\0asm\1\0\0\0" + b"\0\3\2xy" + b"\2" + bytes([len(body)]) + body


def test_the_imports_of_a_module():
    assert b"\x0cpthread_kill" in section(module_with("pthread_kill"), 2)
    assert section(b"\0asm\1\0\0\0", 2) == b""
    for data in (b"", b"\x7fELF"):
        with pytest.raises(ValueError, match="WebAssembly"):
            section(data, 2)
    with pytest.raises(IndexError):
        section(b"\0asm\1\0\0\0\2\x80", 2)


def module_that_exports(**kinds):
    entries = [name(title) + bytes([kind]) + number(300) for title, kind in kinds.items()]
    return HEADER + wasm_section(7, vector(*entries))


@given(st.dictionaries(st.text("abc_", min_size=1, max_size=300), st.integers(0, 4)))
def test_the_exports_of_a_module(kinds):
    assert dict(exports(module_that_exports(**kinds))) == kinds


def test_a_module_without_exports_has_none():
    assert list(exports(HEADER)) == []


@pytest.fixture
def linking(tmp_path, monkeypatch):
    """Run the program where it lies in a build, with a linker that writes a module with these imports."""
    here = tmp_path / "launchers"
    here.mkdir()
    for file in ("mend_link.py", "threads.c"):
        (here / file).write_bytes((Path(mend_link.__file__).parent / file).read_bytes())
    (here / "vague_linkage.py").write_text(
        "import sys, pathlib\n"
        "words = sys.argv[1:]\n"
        f"log = pathlib.Path({str(tmp_path / 'log')!r})\n"
        "log.write_text((log.read_text() if log.exists() else '') + ' '.join(words) + '\\n')\n"
        f"data = pathlib.Path({str(tmp_path / 'module')!r})\n"
        "if data.exists():\n"
        "    pathlib.Path(words[words.index('-o') + 1]).write_bytes(data.read_bytes())\n"
        f"said = pathlib.Path({str(tmp_path / 'said')!r})\n"
        "print(said.read_text() if said.exists() else 'linked')\n"
    )
    (tmp_path / "python3").write_text(f'#!/bin/sh\necho "compiled $*" >> {tmp_path}/log\n')
    (tmp_path / "python3").chmod(0o755)
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "EM_CACHE": str(tmp_path / "cache"), "TMPDIR": str(tmp_path)}

    def run(*words):
        command = [sys.executable, "-I", "-S", str(here / "mend_link.py"), "/em/emcc.py", *words]
        done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    run.here, run.root = here, tmp_path
    run.log = lambda: (tmp_path / "log").read_text().splitlines()
    return run


def test_without_the_runtime_s_names_only_runtime_paths_go(linking):
    assert linking("conftest.c", "-Wl,-rpath,/x", "-o", "conftest") == (0, "linked\n", "")
    assert linking.log() == ["/em/emcc.py conftest.c -o conftest"]


def test_a_check_for_what_the_runtime_lacks_fails(linking):
    (linking.here / "runtime.names").write_text("fork\n")
    libc = linking.root / "cache" / "sysroot" / "lib" / "wasm32-emscripten" / "libc.a"
    libc.parent.mkdir(parents=True)
    libc.write_bytes(archive_of("fork", "epoll_create"))
    (linking.root / "said").write_text("libc.a(x.o): definition of epoll_create\na note")
    (linking.root / "module").write_bytes(b"made")
    status, said, error = linking("conftest.c", "-o", "conftest")
    assert (status, said.strip(), error) == (0, "a note", "")
    assert linking.log() == ["/em/emcc.py conftest.c -o conftest -Wl,--trace-symbol=epoll_create"]
    (linking.root / "said").write_text(
        "/tmp/c.o: reference to epoll_create\nlibc.a(y.o): reference to epoll_create\n"
        "libc.a(x.o): definition of epoll_create"
    )
    status, _, error = linking("conftest.c", "-o", "conftest")
    assert (status, (linking.root / "conftest").exists()) == (1, False)
    assert error.splitlines() == [
        "wasm-ld: error: /tmp/c.o: undefined symbol: epoll_create",
        "emcc: error: 'wasm-ld' failed (returned 1)",
    ]


def test_a_module_gets_the_stand_ins_that_it_wants_and_the_runtime_lacks(linking):
    (linking.here / "runtime.names").write_text("pthread_create\nsem_open\n")
    (linking.root / "module").write_bytes(module_with("pthread_create", "sem_open", "something_else"))
    assert linking("a.o", "-sSIDE_MODULE=2", "-o", "a.so")[0] == 0
    assert len(linking.log()) == 1
    (linking.root / "module").write_bytes(module_with("pthread_kill", "sem_open", "pthread_setname_np"))
    assert linking("a.o", "-sSIDE_MODULE=2", "-o", "a.so")[0] == 0
    _, first, compiled, second = linking.log()
    assert first == "/em/emcc.py a.o -sSIDE_MODULE=2 -o a.so"
    assert " -DWANTED_pthread_kill -DWANTED_pthread_setname_np " in compiled
    assert "sem_open" not in compiled
    assert second.startswith(first)
    assert second.endswith("/threads.o")


SIDE = {"side_open": 0, "side_table": 3, "side_memory": 2, "main": 0, 'odd"name': 0}


@pytest.mark.parametrize("words", [["-Wl,libside.so"], ["libside.so"], ["-L.", "-lside"], ["@words.rsp"]])
def test_an_object_stands_for_the_side_module_of_a_check(linking, words):
    (linking.root / "libside.so").write_bytes(module_that_exports(**SIDE))
    (linking.root / "words.rsp").write_text("libside.so")
    compiler = linking.root / "python3"
    compiler.write_text(
        '#!/bin/sh\nfor word; do case $word in *.c) cp "$word" "$TMPDIR/source.c";; *.o) : > "$word";; esac; done\n'
    )
    assert linking("conftest.o", *words, "-o", "conftest")[0] == 0
    (stub,) = linking.root.glob("emwheels-stub-*.o")
    assert linking.log() == [f"/em/emcc.py conftest.o {' '.join([*words[:-1], str(stub)])} -o conftest"]
    assert (linking.root / "source.c").read_text().splitlines() == [
        '__attribute__((weak)) void s0(void) __asm__("side_open");',
        "void s0(void) {}",
        '__attribute__((weak)) char s1[16] __asm__("side_table");',
    ]
    compiler.unlink()
    assert linking("conftest.o", *words, "-o", "conftest")[0] == 0, "made once a build"


@pytest.mark.parametrize("content", [b"\x7fELF", b"\0asm\1\0\0\0\7\x80", b""])
def test_what_is_no_side_module_is_left_to_the_linker(linking, content):
    (linking.root / "libside.so").write_bytes(content)
    assert linking("conftest.o", "libside.so", "missing.so", "-o", "conftest")[0] == 0
    assert linking.log() == ["/em/emcc.py conftest.o libside.so missing.so -o conftest"]


@pytest.mark.parametrize("definition", ["own/libuuid.a(x.o): definition", "own/libuuid.a(x.o): lazy definition"])
def test_a_check_that_links_what_the_runtime_lacks_succeeds(linking, definition):
    (linking.here / "runtime.names").write_text("fork\n")
    lists = linking.root / "cache" / "symbol_lists"
    lists.mkdir(parents=True)
    (lists / "1.json").write_text('{"deps": {"uuid_copy": []}}')
    (linking.root / "said").write_text(f"conftest.o: reference to uuid_copy\n{definition} of uuid_copy")
    assert linking("conftest.o", "-L", "own", "-luuid", "-o", "conftest")[0] == 0
    assert linking("conftest.o", "-o", "conftest")[0] == 1
