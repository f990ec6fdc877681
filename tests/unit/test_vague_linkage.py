"""The program that links, on object files encoded here as clang 21 writes them, and with a program in emcc's place."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wasm_encoding import (
    DATA,
    EXPLICIT_NAME,
    EXPORTED,
    FUNCTION,
    GLOBAL,
    HEADER,
    HIDDEN,
    LOCAL,
    NO_STRIP,
    SECTION,
    TABLE,
    TAG,
    UNDEFINED,
    WEAK,
    archive,
    custom,
    member,
    number,
    object_file,
    sized,
    symbol,
    thin_archive,
    vector,
)

from emwheels.build.inside import vague_linkage
from emwheels.build.inside.vague_linkage import (
    OPTION,
    NotChanged,
    Symbol,
    bind,
    expand,
    exporting,
    exports_all,
    read_input,
    read_inputs,
    read_symbols,
)

ENTRIES = [
    (FUNCTION, 0, "main"),
    (FUNCTION, UNDEFINED, ""),
    (FUNCTION, UNDEFINED | EXPLICIT_NAME, "asked_for"),
    (DATA, WEAK | NO_STRIP, "_ZTS1A"),
    (DATA, UNDEFINED, "environ"),
    (DATA, WEAK | HIDDEN | NO_STRIP, "own"),
    (SECTION, LOCAL, ""),
    (TAG, WEAK, "__cpp_exception"),
    (TAG, UNDEFINED | EXPLICIT_NAME, "__c_longjmp"),
    (GLOBAL, UNDEFINED, ""),
    (TABLE, UNDEFINED | NO_STRIP, ""),
    (DATA, LOCAL, ".L.str"),
]
SHARED = symbol(DATA, WEAK, "_ZTS1A")
PLAIN = object_file(symbol(FUNCTION, 0, "f"), symbol(FUNCTION, UNDEFINED, ""), symbol(DATA, 0, "d"), SHARED)


def flags_in(data: bytes) -> dict[str, int]:
    return {each.name: each.flags for each in read_symbols(data) if each.name}


# -- symbol tables ----------------------------------------------------------------------------------------------------


def test_symbols_of_every_kind():
    data = object_file(*(symbol(*entry) for entry in ENTRIES))
    found = read_symbols(data)
    assert [(each.kind, each.flags, each.name) for each in found] == ENTRIES
    assert [data[each.at] & 0x7F for each in found] == [flags & 0x7F for _, flags, _ in ENTRIES]
    assert all(first.at < second.at for first, second in pairwise(found))


def test_an_object_that_is_somewhere_in_a_file():
    inside = read_symbols(b"before" + PLAIN, 6)
    assert inside == [Symbol(each.kind, each.flags, each.at + 6, each.name) for each in read_symbols(PLAIN)]
    assert inside == read_symbols(memoryview(b"before" + PLAIN), 6)


def test_an_object_without_symbols():
    assert read_symbols(HEADER) == []
    assert read_symbols(HEADER + custom("linking", number(2) + b"\x05" + sized(vector()))) == []
    assert read_symbols(object_file()) == []


@pytest.mark.parametrize("data", [b"", b"\0asm", b"BC\xc0\xde\x35\x14\0\0", b"\0asm\x02\0\0\0", b"!<arch>\n"])
def test_what_is_no_object(data):
    with pytest.raises(NotChanged):
        read_symbols(data)


@pytest.mark.parametrize("data", [PLAIN[: PLAIN.index(b"_ZTS1A") + 6], HEADER + b"\0", HEADER + b"\0\x80"])
def test_an_object_that_ends_early(data):
    with pytest.raises(IndexError):
        read_symbols(data)


names = st.text(max_size=200)
flags = st.integers(0, 0x3FF)
entries = st.one_of(
    st.tuples(st.just(SECTION), flags, st.just("")),
    st.tuples(st.just(DATA), flags, names),
    st.tuples(st.sampled_from([FUNCTION, GLOBAL, TAG, TABLE]), flags.map(lambda value: value | EXPLICIT_NAME), names),
    st.tuples(st.sampled_from([FUNCTION, TAG]), st.just(UNDEFINED), st.just("")),
)


@given(st.lists(entries, max_size=20))
def test_whatever_symbols_there_are(wanted):
    data = object_file(*(symbol(*entry) for entry in wanted))
    found = read_symbols(data)
    assert [(each.kind, each.flags, each.name) for each in found] == wanted
    assert all(data[each.at] & 0x7F == each.flags & 0x7F for each in found)


def read_or_refuse(data):
    """Read; anything but the two errors that `bind` knows is one here."""
    for given_as in (data, memoryview(data)):
        try:
            found = read_symbols(given_as)
        except (NotChanged, IndexError):
            continue
        assert all(each.at < len(data) for each in found)


OBJECT = object_file(*(symbol(*entry) for entry in ENTRIES))


@given(st.lists(st.tuples(st.integers(8, len(OBJECT) - 1), st.integers(0, 255)), max_size=4), st.integers(0))
def test_mutations_are_read_or_refused(changes, length):
    data = bytearray(OBJECT)
    for position, value in changes:
        data[position] = value
    read_or_refuse(bytes(data[: length % (2 * len(data))]))


@given(st.binary(max_size=200))
def test_arbitrary_content_is_read_or_refused(data):
    read_or_refuse(data)
    read_or_refuse(HEADER + data)
    read_or_refuse(HEADER + custom("linking", data))
    read_or_refuse(HEADER + custom("linking", number(2) + b"\x08" + data))


# -- what is bound, and what is shared --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "flags", "name", "shared"),
    [
        (DATA, WEAK, "_ZTS6Circle", True),
        (DATA, 0, "_ZTS5Shape", True),  # of a class with a key function
        (DATA, WEAK, "_ZN8RegistryI6CircleE5countE", True),
        (DATA, WEAK, "_ZGVZ7countervE5count", True),
        (DATA, WEAK | NO_STRIP, "total", True),
        (DATA, 0, "own", False),
        (DATA, WEAK, "_ZTV6Circle", False),
        (DATA, WEAK, "_ZTI6Circle", False),
        (DATA, WEAK, "_ZTT6Circle", False),
        (DATA, WEAK, "_ZTC6Circle0_5Shape", False),
        (DATA, WEAK | UNDEFINED, "_ZTS6Circle", False),
        (DATA, WEAK | HIDDEN, "_ZTS6Circle", False),
        (DATA, LOCAL, "_ZTSN12_GLOBAL__N_11AE", False),
        (FUNCTION, WEAK, "_ZTS6Circle", False),
        (FUNCTION, WEAK, "_ZN6CircleD0Ev", False),
    ],
)
def test_what_is_shared(kind, flags, name, shared):
    assert Symbol(kind, flags, 0, name).is_shared is shared


@pytest.mark.parametrize(("exported", "added"), [(False, HIDDEN), (True, HIDDEN | EXPORTED)])
def test_only_the_flags_of_what_is_bound_are_changed(tmp_path, exported, added):
    kept = {
        "_ZTS1A": (DATA, WEAK),
        "counter": (DATA, WEAK | NO_STRIP),
        "environ": (DATA, UNDEFINED),
        "asked_for": (FUNCTION, UNDEFINED | EXPLICIT_NAME),
        "hidden": (FUNCTION, HIDDEN),
        ".L.str": (DATA, LOCAL),
        "helper": (FUNCTION, LOCAL),
        "__cpp_exception": (TAG, WEAK),
        "__em_js__ask": (FUNCTION, 0),
    }
    bound = {"main": (FUNCTION, 0), "_ZTV1A": (DATA, WEAK), "long": (DATA, NO_STRIP), "inline": (FUNCTION, WEAK | 0x80)}
    table = [symbol(kind, flags, name) for name, (kind, flags) in (kept | bound).items()]
    path = tmp_path / "a.o"
    path.write_bytes(object_file(*table, symbol(SECTION, LOCAL), symbol(FUNCTION, UNDEFINED)))
    before = path.read_bytes()
    after = read_input(path).bound(frozenset({"_ZTS1A", "counter"}), exported=exported)
    expected = {name: flags for name, (_, flags) in kept.items()}
    expected |= {name: flags | added for name, (_, flags) in bound.items()}
    assert flags_in(after) == expected
    assert len(after) == len(before)
    places = {each.at for each in read_symbols(before) if each.name in bound}
    assert {at for at, (one, other) in enumerate(zip(before, after, strict=True)) if one != other} == places


# -- files ------------------------------------------------------------------------------------------------------------


def test_objects_of_an_archive(tmp_path):
    odd = PLAIN + bytes(1 - len(PLAIN) % 2)
    path = tmp_path / "libx.a"
    path.write_bytes(archive(one=PLAIN, two=odd, three=object_file(symbol(FUNCTION, 0, "g"))))
    file = read_input(path)
    assert [each.name for each in file.symbols] == ["f", "", "d", "_ZTS1A", "f", "", "d", "_ZTS1A", "g"]
    assert [file.data[each.at] for each in file.symbols] == [each.flags for each in file.symbols]
    after = file.bound(frozenset({"_ZTS1A"}), exported=False)
    path.write_bytes(after)
    assert [each.flags for each in read_input(path).symbols if each.name != "_ZTS1A"] == [4, 16, 4, 4, 16, 4, 4]
    assert sum(one != other for one, other in zip(file.data, after, strict=True)) == 5


def test_an_empty_archive(tmp_path):
    (tmp_path / "libx.a").write_bytes(b"!<arch>\n")
    assert read_input(tmp_path / "libx.a").symbols == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"#!/bin/sh",
        b"BC\xc0\xde" + bytes(20),
        archive(one=PLAIN, two=b"BC\xc0\xde"),
        b"!<arch>\n" + member("#1/20", b"a_very_long_name.o\0\0" + PLAIN),  # as BSD and macOS write it
        None,
    ],
)
def test_files_that_are_not_read(tmp_path, data):
    if data is not None:
        (tmp_path / "a.o").write_bytes(data)
    with pytest.raises(NotChanged):
        read_input(tmp_path / "a.o")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Return the working folder, with two objects, an archive of each kind, and what is no object."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lib" / "sub").mkdir(parents=True)
    (tmp_path / "a.o").write_bytes(PLAIN)
    (tmp_path / "b.o").write_bytes(object_file(symbol(FUNCTION, 0, "b")))
    (tmp_path / "lib" / "libx.a").write_bytes(archive(one=PLAIN))
    (tmp_path / "lib" / "sub" / "thin.o").write_bytes(PLAIN)
    (tmp_path / "lib" / "t.o").write_bytes(object_file(symbol(FUNCTION, 0, "t")))
    (tmp_path / "lib" / "thin.a").write_bytes(thin_archive("sub/thin.o", "t.o"))
    (tmp_path / "x.c").write_text("")
    return tmp_path


def test_response_files(here):
    (here / "one").write_text("-O2 'a b.o' @two\n-o x.so")
    (here / "two").write_text('"-DX=\\"1\\""\n-lm')
    assert expand(["first", "@one", "last"]) == ["first", "-O2", "a b.o", '-DX="1"', "-lm", "-o", "x.so", "last"]


@pytest.mark.parametrize("text", ["'open", "@gone", b"\xff\xfe"])
def test_response_files_that_cannot_be_read(here, text):
    (here / "one").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(NotChanged):
        expand(["@one"])


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("-sSIDE_MODULE=1", True),
        ("-s SIDE_MODULE=1", True),
        ("'-s SIDE_MODULE=1'", True),
        ("-sSIDE_MODULE", True),
        ("-sSIDE_MODULE=2", False),
        ("-s SIDE_MODULE=1 -O2 -sSIDE_MODULE=2", False),
        ("-sSIDE_MODULE=2 -s SIDE_MODULE=1", True),
        ("-shared -sMAIN_MODULE=1 -sSIDE_MODULES=1", False),
        ("", False),
    ],
)
def test_whether_everything_is_exported(words, answer):
    assert exports_all(shlex.split(words)) is answer


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("a.o -o b.o lib/libx.a -O3", {0: ["a.o"], 3: ["lib/libx.a"]}),
        ("-Llib -lx", {1: ["lib/libx.a"]}),
        ("-lx -L lib -lm", {0: ["lib/libx.a"]}),  # wherever -L is; what is in no folder is a library of Emscripten
        ("-L. -Lgone -Llib -lx -lx", {3: ["lib/libx.a"], 4: ["lib/libx.a"]}),
        ("-lx", {}),
        ("lib/libshared.so -Llib -lshared a.o", {3: ["a.o"]}),
        ("lib/thin.a", {0: ["lib/sub/thin.o", "lib/t.o"]}),
        ("-s b.o -include a.o -I a.o -isystem a.o", {}),
        ("-DX=a.o", {}),
    ],
)
def test_the_files_of_a_command(here, words, found):
    (here / "lib" / "libshared.so").write_bytes(b"")
    (here / "lib" / "libshared.a").write_bytes(b"")
    inputs = read_inputs(words.split())
    assert {at: [str(file.path) for file in files] for at, files in inputs.items()} == found


# -- commands ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def linked(here):
    """Return the words of the command after `bind`, with ``=NAME`` for a copy of NAME, and what is in the copies."""

    def linked(command):
        folder = here / ".bind-x"
        folder.mkdir()
        words, copies = bind(shlex.split(command), folder)
        assert {str(path) for path in folder.rglob("*") if path.is_file()} == copies.keys()
        assert all(Path(copy).name == Path(original).name for copy, original in copies.items())
        said = [f"={copies[word]}" if word in copies else word for word in words]
        return said, {original: Path(copy).read_bytes() for copy, original in copies.items()}

    return linked


def test_files_are_replaced_and_the_option_is_left_out(linked):
    words, copies = linked(f"-shared {OPTION} a.o b.o -O2 -Llib -lx -lm -lc {OPTION} -o x.so")
    assert words == ["-shared", "=a.o", "=b.o", "-O2", "-Llib", "=lib/libx.a", "-lm", "-lc", "-o", "x.so"]
    assert flags_in(copies["a.o"]) == {"f": HIDDEN, "d": HIDDEN, "_ZTS1A": WEAK}
    assert flags_in(copies["b.o"]) == {"b": HIDDEN}


@pytest.mark.parametrize(("mode", "flag"), [("1", HIDDEN | EXPORTED), ("2", HIDDEN)])
def test_what_a_library_exports(linked, mode, flag):
    _, copies = linked(f"a.o -sSIDE_MODULE={mode} -o x.so")
    assert flags_in(copies["a.o"]) == {"f": flag, "d": flag, "_ZTS1A": WEAK}


def test_hidden_in_one_object_is_hidden_in_all(here, linked):
    hidden = [symbol(DATA, WEAK | HIDDEN, "_ZTS1A"), symbol(DATA, UNDEFINED | HIDDEN, "count")]
    shown = [SHARED, symbol(DATA, WEAK, "count"), symbol(DATA, WEAK, "_ZTS1B")]
    (here / "a.o").write_bytes(object_file(*shown))
    (here / "b.o").write_bytes(object_file(*hidden))
    _, copies = linked("a.o b.o -o x.so")
    assert flags_in(copies["a.o"]) == {"_ZTS1A": WEAK | HIDDEN, "count": WEAK | HIDDEN, "_ZTS1B": WEAK}
    assert copies["b.o"] == object_file(*hidden)


def test_names_of_types_are_shared_whatever_their_binding(here, linked):
    tables = [symbol(DATA, WEAK, f"{kind}1A") for kind in ("_ZTV", "_ZTI", "_ZTT", "_ZTC")]
    (here / "a.o").write_bytes(object_file(symbol(DATA, 0, "_ZTS1A"), *tables))
    _, copies = linked("a.o -o x.so")
    assert flags_in(copies["a.o"]) == {"_ZTS1A": 0} | {f"_ZT{kind}1A": WEAK | HIDDEN for kind in "VITC"}


def test_a_shared_symbol_of_one_object_is_shared_in_all(here, linked):
    """The linker may take the definition of any of them."""
    (here / "b.o").write_bytes(object_file(symbol(DATA, 0, "total")))
    (here / "a.o").write_bytes(object_file(symbol(DATA, WEAK, "total")))
    _, copies = linked("a.o b.o")
    assert flags_in(copies["b.o"]) == {"total": 0}


@pytest.mark.parametrize("archive", ["lib/thin.a", "./lib/thin.a", "-lthin"])
def test_a_thin_archive(here, linked, archive):
    (here / "lib" / "libthin.a").symlink_to("thin.a")
    start, end = "-Wl,--start-lib", "-Wl,--end-lib"
    words, _ = linked(f"b.o {archive} lib/../lib/libx.a -o x.so -Llib")
    members = ["=lib/sub/thin.o", "=lib/t.o"]
    assert words == ["=b.o", start, *members, end, "=lib/../lib/libx.a", "-o", "x.so", "-Llib"]


@pytest.mark.parametrize("dashes", ["-", "--"])
def test_a_thin_archive_that_is_linked_as_a_whole(linked, dashes):
    whole, no_whole = f"-Wl,{dashes}whole-archive", f"-Wl,{dashes}no-whole-archive"
    members = ["=lib/sub/thin.o", "=lib/t.o"]
    words, _ = linked(f"{whole} lib/thin.a {no_whole} lib/thin.a lib/libx.a")
    lazy = ["-Wl,--start-lib", *members, "-Wl,--end-lib"]
    assert words == [whole, *members, no_whole, *lazy, "=lib/libx.a"]


@pytest.mark.parametrize(
    "command",
    [
        "b.o -o x.so",  # nothing to share
        "-Llib -lm -o x.so",
        "a.o x.c -o x.so",
        "a.o dir/x.cpp -o x.so",
        "a.o bitcode.o -o x.so",
        "a.o bitcode.bc -o x.so",
        "a.o gone.o -o x.so",
        "a.o cut.o -o x.so",
        "a.o bad.a -o x.so",
        "a.o back.a -o x.so",
        "a.o thin-back.a -o x.so",
        "a.o lib/gone.a -o x.so",
        "gone.a",
        "a.o",
    ],
)
def test_commands_that_are_run_as_they_are(here, linked, command):
    (here / "bitcode.o").write_bytes(b"BC\xc0\xde\x35\x14\0\0")
    (here / "bitcode.bc").write_bytes(b"BC\xc0\xde\x35\x14\0\0")
    (here / "cut.o").write_bytes(OBJECT[: OBJECT.index(b"environ") + 7])
    (here / "bad.a").write_bytes(b"!<arch>\n" + b"a.o/".ljust(60))
    back = b"/".ljust(48) + b"-60".ljust(12)
    (here / "back.a").write_bytes(b"!<arch>\n" + back)
    (here / "thin-back.a").write_bytes(b"!<thin>\n" + back)
    (here / "lib" / "gone.a").write_bytes(thin_archive("gone.o"))
    if command == "a.o":
        (here / "a.o").write_bytes(b"!<thin>\nno archive")
    with pytest.raises(NotChanged):
        linked(command)


LIBRARY = [
    symbol(FUNCTION, 0, "f"),
    symbol(DATA, 0, "total"),
    symbol(FUNCTION, WEAK, "inline_one"),
    symbol(FUNCTION, HIDDEN, "secret"),
    symbol(FUNCTION, LOCAL, "own"),
    symbol(FUNCTION, UNDEFINED | EXPLICIT_NAME, "wanted"),
    symbol(DATA, 0, "__em_js__x"),
]


@pytest.fixture
def exported(here):
    """Return the names that a command with this list of exports has for the linker; None for its own list."""
    (here / "library.o").write_bytes(object_file(*LIBRARY))
    (here / "lib" / "liball.a").write_bytes(archive(one=object_file(*LIBRARY)))

    def exported(command, listed="[]"):
        (here / "listed").write_text(listed)
        words = [*shlex.split(command), "-sEXPORTED_FUNCTIONS=@listed"]
        made = exporting(words, here)
        if made is words:
            return None
        assert made[:-1] == words[:-1]
        return json.loads(Path(made[-1].partition("@")[2]).read_text())

    return exported


def test_a_module_without_an_init_function_exports_what_is_visible(exported):
    assert exported("library.o -sSIDE_MODULE=2") == ["_f", "_inline_one", "_total"]
    assert exported("library.o b.o lib/liball.a -lx -Llib -sSIDE_MODULE=2") == ["_b", "_f", "_inline_one", "_total"]
    assert exported("b.o lib/liball.a -sSIDE_MODULE=2") == ["_b"], "of an archive, what is needed is linked"
    assert exported("lib/liball.a -sSIDE_MODULE=2") == ["_f", "_inline_one", "_total"]


def test_any_other_module_exports_what_it_is_told(here, exported):
    assert exported("library.o -sSIDE_MODULE=2", '["_PyInit_x"]') is None
    assert exported("library.o -sSIDE_MODULE=1") is None
    assert exported("library.o x.c -sSIDE_MODULE=2") is None
    assert exported("-lm -sSIDE_MODULE=2") is None
    assert exported("library.o -sSIDE_MODULE=2", "no list") is None
    assert exporting(["library.o", "-sSIDE_MODULE=2"], here) == ["library.o", "-sSIDE_MODULE=2"]


# -- the program ------------------------------------------------------------------------------------------------------

EMCC = '''\
"""Stands for emcc: notes its arguments and the folders that are there, says something, and ends with a status."""
import json, pathlib, shlex, sys

given = sys.argv[1:]
words = []
for word in given:
    words += shlex.split(pathlib.Path(word[1:]).read_text()) if word[0] == "@" else [word]
objects = {word: pathlib.Path(word).read_bytes().hex() for word in words if word.endswith((".o", ".a"))}
folders = sorted(str(path.parent) for path in pathlib.Path().rglob(".bind-*"))
note = {"given": given, "words": words, "objects": objects, "folders": folders}
pathlib.Path(__file__).with_name("note.json").write_text(json.dumps(note))
print("linking", *objects)
print("error in", *objects, file=sys.stderr)
sys.exit(7)
'''


@pytest.fixture
def run(here):
    """Start the program as the launcher does; return what it said, and what the compiler was given."""
    compiler = here / "em" / "emcc.py"
    compiler.parent.mkdir()
    compiler.write_text(EMCC)
    note = compiler.with_name("note.json")

    def run(*words):
        command = [sys.executable, "-I", "-S", vague_linkage.__file__, str(compiler), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 7, done.stderr
        assert not list(here.rglob(".bind-*")), "a folder was left"
        return done, json.loads(note.read_text())

    return run


def test_a_link(here, run):
    (here / "out").mkdir()
    (here / "with space.o").write_bytes(PLAIN)
    done, note = run("-shared", OPTION, "a.o", "with space.o", "-DX='\"1\"'", "", "-o", "out/x.so")
    (given,) = note["given"]
    assert given.startswith("@")
    assert note["folders"] == ["out"]
    one, two = note["objects"]
    assert note["words"] == ["-shared", one, two, "-DX='\"1\"'", "", "-o", "out/x.so"]
    assert flags_in(bytes.fromhex(note["objects"][one])) == {"f": HIDDEN, "d": HIDDEN, "_ZTS1A": WEAK}
    assert Path(two).name == "with space.o"
    assert done.stdout == "linking a.o with space.o\n"
    assert done.stderr == "error in a.o with space.o\n"
    assert (here / "a.o").read_bytes() == PLAIN


def test_a_link_of_a_library_without_shared_data(here, run):
    (here / "listed").write_text("[]")
    _, note = run(OPTION, "b.o", "-sSIDE_MODULE=2", "-sEXPORTED_FUNCTIONS=@listed", "-o", "x.so")
    *words, exports = note["words"][:-2]
    assert words == [OPTION, "b.o", "-sSIDE_MODULE=2"]
    assert exports.startswith("-sEXPORTED_FUNCTIONS=@")
    assert exports != "-sEXPORTED_FUNCTIONS=@listed"


def test_a_link_with_a_response_file(here, run):
    (here / "words").write_text(f"{OPTION} a.o -sSIDE_MODULE=1 -o x.so")
    _, note = run("-O2", "@words")
    (copy,) = note["objects"]
    assert note["words"] == ["-O2", copy, "-sSIDE_MODULE=1", "-o", "x.so"]
    assert flags_in(bytes.fromhex(note["objects"][copy]))["f"] == HIDDEN | EXPORTED


@pytest.mark.parametrize(
    "words",
    [
        ["a.o", "-o", "x.so"],  # without the option
        [OPTION, "b.o", "-o", "x.so"],  # with nothing to share
        [OPTION, "a.o", "x.c", "-o", "x.so"],
        [OPTION, "a.o", "-o", "gone/x.so"],
        ["@words"],
        ["--version"],
    ],
)
def test_a_command_that_is_run_as_it_is(here, run, words):
    (here / "words").write_text("a.o -o x.so")
    done, note = run(*words)
    assert note["given"] == words
    assert note["folders"] == []
    assert done.stdout.startswith("linking")


@pytest.mark.parametrize("word", ["-l:libshapes.a", "-Wl,--whole-archive,libshapes.a,--no-whole-archive,x.o"])
def test_a_file_that_is_named_in_another_way_is_left_to_the_linker(tmp_path, word):
    with pytest.raises(vague_linkage.NotChanged):
        vague_linkage.read_inputs([vague_linkage.OPTION, word])


def test_folders_of_libraries_are_searched_in_their_order(tmp_path):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "libx.a").write_bytes(b"!<arch>\n")
    command = ["-L", str(tmp_path / "first"), f"-L{tmp_path / 'second'}", "-lx"]
    assert [file.path.parent.name for files in vague_linkage.read_inputs(command).values() for file in files] == [
        "first"
    ]
