"""emwheels.audit: for each rule, a wheel that breaks just that."""

from __future__ import annotations

import base64
import hashlib
import json
import stat
import zipfile

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sample_target import TARGET
from wasm_encoding import code, section

from emwheels.audit import Runtime, audit_wheel, contents
from emwheels.audit.wasm import Signature
from emwheels.errors import AuditError, UsageError

TAG = "cp314-cp314-pyemscripten_2026_0_wasm32"
EXTENSION = "pkg/_core.cpython-314-wasm32-emscripten.so"
NOTHING = Signature(parameters=(), results=())
RUNTIME = Runtime(exports={"PyLong_FromLong": NOTHING, "environ": None}, javascript_names=frozenset({"emscripten_log"}))


def sized(content):
    assert len(content) < 1 << 14
    size = len(content)
    return (bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])) + content


def name(text):
    return sized(text.encode())


def vector(items):
    return bytes([len(items)]) + b"".join(items)


def side_module(*, imports=(), exports=(), needed=(), weak=(), dylink=True):
    """Encode a module; type 0 is () -> (), type 1 is (i32) -> (). Imports are (module, name, kind and type)."""
    import_info = vector([name("env") + name(symbol) + b"\x01" for symbol in weak])
    dylink_section = b"\x02" + sized(vector([name(library) for library in needed])) + b"\x04" + sized(import_info)
    functions = [symbol for symbol in imports if symbol[2][0] == 0]
    return b"".join(
        [
            b"\0asm\x01\0\0\0",
            b"\0" + sized(name("dylink.0") + dylink_section) if dylink else b"",
            b"\x01" + sized(vector([b"\x60\0\0", b"\x60\x01\x7f\0"])),
            b"\x02" + sized(vector([name(module) + name(symbol) + kind for module, symbol, kind in imports])),
            b"\x03" + sized(vector([b"\0"])),
            b"\x07" + sized(vector([name(symbol) + bytes([0, len(functions)]) for symbol in exports])),
        ]
    )


def function(symbol, module="env", type_index=0):
    return module, symbol, bytes([0, type_index])


def data(symbol, module="GOT.mem"):
    return module, symbol, b"\x03\x7f\x01"


GOOD = side_module(
    imports=[
        ("env", "__memory_base", b"\x03\x7f\0"),
        function("PyLong_FromLong"),
        function("emscripten_log", type_index=1),
        data("environ"),
        data("PyInit__core", "GOT.func"),
    ],
    exports=["PyInit__core"],
)


def record_line(path, content):
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(content)}\n"


@pytest.fixture
def make_wheel(tmp_path):
    """Write a wheel; what is not said is right."""

    def make(files=None, *, tag=TAG, project="pkg", version="1.0", replace=None, record=str, edit=None):
        info = f"{project}-{version}.dist-info"
        members = {"pkg/__init__.py": b"", **({EXTENSION: GOOD} if files is None else files)}
        members[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n".encode()
        members[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nTag: {tag}\n".encode()
        members.update({path.format(info=info): content for path, content in (replace or {}).items()})
        lines = "".join(record_line(path, content) for path, content in members.items())
        members.setdefault(f"{info}/RECORD", record(lines + f"{info}/RECORD,,\n").encode())
        path = tmp_path / f"{project}-{version}-{tag}.whl"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in members.items():
                archive.writestr(member, content)
            if edit:
                edit(archive)
        return path

    return make


def check(wheel, **options):
    return audit_wheel(wheel, target=TARGET, runtime=RUNTIME, **options)


def findings(wheel, **options):
    return [(finding.severity, finding.rule, finding.member) for finding in check(wheel, **options).findings]


def only_finding(wheel, **options):
    (finding,) = check(wheel, **options).findings
    return finding


def test_a_good_wheel_has_no_finding(make_wheel):
    wheel = make_wheel()
    report = check(wheel, build_paths=["/srv/build/"])
    assert report.findings == report.errors == ()
    assert (report.wheel, report.size) == (wheel.name, wheel.stat().st_size)
    assert report.sha256 == hashlib.sha256(wheel.read_bytes()).hexdigest()
    (module,) = report.modules
    assert (module.member, module.size, module.imports, module.exports) == (EXTENSION, len(GOOD), 5, 1)
    assert not module.simd


@pytest.mark.parametrize(
    ("imports", "looked_at"),
    [
        ([function("PyLong_FromLong")], True),
        ([function("_Py_Dealloc")], True),
        ([data("PyExc_ValueError")], True),
        ([function("malloc"), data("environ")], False),
        ([], False),
    ],
)
def test_only_what_calls_python_has_types_of_python(make_wheel, monkeypatch, imports, looked_at):
    """HDF5's data has what looks like the definition of a module."""
    seen = []
    monkeypatch.setattr("emwheels.audit.check_slots", lambda member, memory, contents: seen.append(member))
    check(make_wheel({"pkg.libs/libx.so": side_module(imports=imports)}))
    assert bool(seen) == looked_at


def test_a_report_is_json(make_wheel):
    report = check(make_wheel({EXTENSION: side_module(needed=["libx.so"])}))
    read = json.loads(report.to_json())
    assert read["modules"][0]["needed"] == ["libx.so"]
    assert read["findings"][0]["rule"] == "unresolved-import"


@pytest.mark.parametrize("tag", [TAG, "cp312-abi3-pyemscripten_2026_0_wasm32", "cp314-abi3-pyemscripten_2026_0_wasm32"])
@pytest.mark.parametrize("member", [EXTENSION, "pkg/_core.abi3.so", "pkg/_core.so", "pkg.libs/libx.so.3"])
def test_tags_and_names_that_the_target_takes(make_wheel, tag, member):
    assert findings(make_wheel({member: GOOD}, tag=tag)) == []


OPENED = side_module(imports=[data("environ")], exports=["crc"])
PLATFORM = "pyemscripten_2026_0_wasm32"


@pytest.mark.parametrize("tag", [f"py3-none-{PLATFORM}", f"py2.py3-none-{PLATFORM}", f"cp314-none-{PLATFORM}", TAG])
def test_a_library_that_is_opened_by_name_is_for_every_python(make_wheel, tag):
    lines = "".join(f"Tag: {python}-{tag.partition('-')[2]}\n" for python in tag.split("-")[0].split("."))
    wheel = make_wheel({"pkg/_crc.so": OPENED}, tag=tag, replace={"{info}/WHEEL": lines.encode()})
    assert [finding for finding in check(wheel).findings if finding.rule == "tag"] == []


@pytest.mark.parametrize("tag", [f"py3-none-{PLATFORM}", f"cp314-none-{PLATFORM}"])
@pytest.mark.parametrize("member", [EXTENSION, "pkg/_core.so", "pkg/_core.abi3.so"])
def test_an_extension_module_is_for_one_python(make_wheel, tag, member):
    finding = only_finding(make_wheel({"pkg/_crc.so": OPENED, member: GOOD}, tag=tag))
    assert (finding.severity, finding.rule) == ("error", "tag")
    assert f"{member} is an extension module of one Python: tag it cp314-cp314" in finding.message


@pytest.mark.parametrize("tag", [f"py2-none-{PLATFORM}", f"cp313-none-{PLATFORM}", f"py4-none-{PLATFORM}"])
def test_a_library_that_is_opened_by_name_of_another_python(make_wheel, tag):
    finding = only_finding(make_wheel({"pkg/_crc.so": OPENED}, tag=tag))
    assert "another interpreter" in finding.message


@pytest.mark.parametrize("tag", ["py3-none-any", "py2.py3-none-any"])
def test_a_pure_wheel(make_wheel, tag):
    parts = [f"Tag: {python}-none-any\n" for python in tag.split("-")[0].split(".")]
    assert findings(make_wheel({}, tag=tag, replace={"{info}/WHEEL": "".join(parts).encode()})) == []


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        ("cp313-cp313-pyemscripten_2026_0_wasm32", "another interpreter"),
        ("cp315-abi3-pyemscripten_2026_0_wasm32", "another interpreter"),
        ("cp314-cp314-pyemscripten_2026_5_wasm32", "another platform"),
        ("cp314-cp314-linux_x86_64", "another platform"),
        ("py3-none-any", "another platform"),
    ],
)
def test_tags_of_another_target(make_wheel, tag, message):
    finding = only_finding(make_wheel(tag=tag))
    assert (finding.severity, finding.rule) == ("error", "tag")
    assert message in finding.message


def test_a_wheel_that_lost_its_extensions(make_wheel):
    assert "lose its extensions" in only_finding(make_wheel({})).message


@pytest.mark.parametrize("line", ["cp313-cp313-any", "nonsense", "é", "-".join(["a." * 500] * 3)])
def test_name_and_wheel_file_disagree(make_wheel, line):
    finding = only_finding(make_wheel(replace={"{info}/WHEEL": f"Tag: {line}\n".encode()}))
    assert finding.rule == "tag"
    assert "disagree" in finding.message


def test_a_file_name_that_is_no_wheel_name(make_wheel):
    wheel = make_wheel()
    assert findings(wheel.rename(wheel.with_name("pkg.whl"))) == [("error", "tag", "pkg.whl")]


@pytest.mark.parametrize("suffix", [".cpython-313-wasm32-emscripten.so", ".cpython-314-x86_64-linux-gnu.so"])
def test_extension_of_another_interpreter(make_wheel, suffix):
    assert findings(make_wheel({f"pkg/_core{suffix}": GOOD})) == [("error", "tag", f"pkg/_core{suffix}")]


@pytest.mark.parametrize(
    "content",
    [
        b"\x7fELF\x02\x01",
        b"!<arch>\nx.o/            0           0     0     644     8         `\n\x7fELF\x02\x01",
        b"\xcf\xfa\xed\xfe\x07\0\0\x01",
        b"\xca\xfe\xba\xbe\0\0\0\x02",
        b"MZ" + bytes(58) + b"\x40\0\0\0" + b"PE\0\0",
    ],
)
def test_native_code(make_wheel, content):
    finding = only_finding(make_wheel({EXTENSION: GOOD, "pkg/helper": content}))
    assert (finding.rule, finding.member) == ("tag", "pkg/helper")
    assert "of the build machine" in finding.message


@pytest.mark.parametrize("content", [b"\xca\xfe\xba\xbe\0\0\0\x34", b"MZ is how this text starts", b"!<arch>\n\0asm"])
def test_what_only_looks_like_native_code(make_wheel, content):
    assert findings(make_wheel({EXTENSION: GOOD, "pkg/helper": content})) == []


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh", GOOD[:40], side_module(dylink=False)])
def test_a_library_that_is_no_side_module(make_wheel, content):
    assert findings(make_wheel({EXTENSION: content})) == [("error", "tag", EXTENSION)]


@pytest.mark.parametrize(
    ("imported", "consequence"),
    [
        (function("cblas_dgemm"), "a call raises an error"),
        (data("cblas_dgemm", "GOT.func"), "importing the module fails"),
        (data("_PyByteArray_empty_string"), "importing the module fails"),
        (function("invoke_vii"), "-fwasm-exceptions"),
        (function("environ", module="elsewhere"), "no import module 'elsewhere'"),
    ],
)
def test_unresolved_import(make_wheel, imported, consequence):
    finding = only_finding(make_wheel({EXTENSION: side_module(imports=[imported])}))
    assert (finding.severity, finding.rule, finding.member) == ("error", "unresolved-import", EXTENSION)
    assert imported[1] in finding.message
    assert consequence in finding.message


def test_weak_imports_may_stay_unresolved(make_wheel):
    module = side_module(imports=[function("maybe"), data("maybe", "GOT.func")], weak=["maybe"])
    assert findings(make_wheel({EXTENSION: module})) == []


def test_many_unresolved_imports_are_one_finding(make_wheel):
    module = side_module(imports=[function(f"f{index}") for index in range(50)])
    assert "(50 in all)" in only_finding(make_wheel({EXTENSION: module})).message


def test_em_js_functions_come_with_the_module(make_wheel):
    module = side_module(imports=[function("ask", type_index=1)], exports=["__em_js__ask"])
    assert findings(make_wheel({EXTENSION: module})) == []


def test_needed_libraries_resolve_through_one_another(make_wheel):
    files = {
        EXTENSION: side_module(imports=[function("geos"), function("deep")], needed=["libgeos_c.so"]),
        "pkg.libs/libgeos_c.so": side_module(exports=["geos"], needed=["libgeos.so"]),
        "pkg.libs/libgeos.so": side_module(exports=["deep"], needed=["libgeos_c.so"]),
    }
    assert findings(make_wheel(files)) == []


def test_a_needed_library_of_a_dependency(make_wheel):
    dependency = make_wheel({"blas.libs/libblas.so": side_module(exports=["dgemm"])}, project="blas")
    wheel = make_wheel({EXTENSION: side_module(imports=[function("dgemm")], needed=["libblas.so"])})
    assert findings(wheel, dependencies=[dependency]) == []
    assert {finding.rule for finding in check(wheel).errors} == {"unresolved-import"}


def test_a_module_that_is_not_linked_to_is_a_doubtful_provider(make_wheel):
    files = {EXTENSION: side_module(imports=[function("f")]), "pkg/_other.so": side_module(exports=["f"])}
    finding = only_finding(make_wheel(files))
    assert (finding.severity, finding.rule, finding.member) == ("warning", "unresolved-import", EXTENSION)
    assert "pkg/_other.so" in finding.message


def test_a_broken_dependency(make_wheel, tmp_path):
    (tmp_path / "dep.whl").write_bytes(b"no zip")
    assert findings(make_wheel(), dependencies=[tmp_path / "dep.whl"]) == [("error", "archive", "dep.whl")]


def test_signature(make_wheel):
    module = side_module(imports=[function("PyLong_FromLong", type_index=1)])
    finding = only_finding(make_wheel({EXTENSION: module}))
    assert (finding.severity, finding.rule, finding.member) == ("error", "signature", EXTENSION)
    assert "PyLong_FromLong as (i32) -> (), pyodide.asm.wasm has it as () -> ()" in finding.message


def test_javascript_comes_before_the_main_module(make_wheel):
    runtime = Runtime(exports={"f": NOTHING}, javascript_names=frozenset({"f"}))
    wheel = make_wheel({EXTENSION: side_module(imports=[function("f", type_index=1)])})
    assert audit_wheel(wheel, target=TARGET, runtime=runtime).findings == ()


def test_the_build_report_may_speak_of_the_build_folder(make_wheel):
    text = b'{"script": "sed -i s#/srv/build/## config.py"}'
    for name, expected in (("build-report.json", []), ("other.json", ["build-path"])):
        wheel = make_wheel(replace={f"{{info}}/{name}": text})
        assert [rule for _, rule, _ in findings(wheel, build_paths=["/srv/build"])] == expected


TYPEINFO = "_ZTVN10__cxxabiv117__class_type_infoE"
STORED = b"\x23\0\x23\x01\x36\x02\0" + b"\x23\0\x23\0\x41\x08\x6a\x36\x02\x04"
TYPED = (
    side_module(imports=[("env", "__memory_base", b"\x03\x7f\0"), data(TYPEINFO)], exports=["__wasm_apply_data_relocs"])
    + code(b"\0" + STORED + b"\x0b")
    + section(11, vector([b"\0\x23\0\x0b" + sized(bytes(8) + b"N4geos5PointE\0")]))
)
"""A module with the typeinfo of one class, whose name follows it."""


def test_types_that_are_kept_apart(make_wheel):
    runtime = Runtime(exports={TYPEINFO: None}, javascript_names=frozenset())
    wheel = make_wheel({EXTENSION: TYPED, "pkg/other.so": TYPED})
    (finding,) = audit_wheel(wheel, target=TARGET, runtime=runtime).findings
    assert (finding.severity, finding.rule, finding.member) == ("error", "split-type", EXTENSION)
    assert "(geos::Point)" in finding.message
    accepted = audit_wheel(wheel, target=TARGET, runtime=runtime, accepted_types=["geos::*"])
    assert accepted.findings == ()
    assert audit_wheel(make_wheel({EXTENSION: TYPED}), target=TARGET, runtime=runtime).findings == ()


def test_data_that_cannot_be_read_is_a_warning(make_wheel):
    finding = only_finding(make_wheel({EXTENSION: GOOD + section(11, b"\x01\x03")}))
    assert (finding.rule, finding.severity, finding.member) == ("slot", "warning", EXTENSION)
    assert "types in it are not checked" in finding.message


def test_build_path(make_wheel):
    wheel = make_wheel({EXTENSION: GOOD, "pkg/config.py": b"PREFIX = '/srv/build/x'"})
    assert findings(wheel, build_paths=["/srv/build"]) == [("error", "build-path", "pkg/config.py")]
    assert findings(wheel) == []


ROOT, HOMES, TEMPORARY = "/root", "/home", "/tmp"


@pytest.mark.parametrize(
    "path", [f"{ROOT}/src", f"{HOMES}/runner/work", f"{TEMPORARY}/pip-build-env-x/bin", f"{TEMPORARY}/build-env-1/x"]
)
def test_folders_that_look_like_a_build_machine(make_wheel, path):
    wheel = make_wheel({EXTENSION: GOOD, "pkg/config.py": f"PREFIX = '{path}'".encode()})
    assert findings(wheel) == [("warning", "build-path", "pkg/config.py")]
    assert findings(wheel, build_paths=[path]) == [("error", "build-path", "pkg/config.py")]


@pytest.mark.parametrize(
    "text", ["https://x.org/home/page/x", f"{TEMPORARY}/image.png", f"~{ROOT}/x", f"{ROOT}ed/x", f"{HOMES}/"]
)
def test_paths_of_no_machine(make_wheel, text):
    assert findings(make_wheel({EXTENSION: GOOD, "pkg/doc.py": text.encode()})) == []


def test_a_build_path_that_would_match_everything(make_wheel):
    with pytest.raises(UsageError, match="too short"):
        check(make_wheel(), build_paths=["/"])


@pytest.mark.parametrize(
    ("record", "member", "message"),
    [
        (lambda text: text.replace("pkg/__init__.py,", "pkg/other.py,"), None, ""),
        (lambda text: text.replace("sha256=", "sha256=x", 1), "pkg/__init__.py", "changed after the build"),
        (lambda text: text.replace(",0\n", ",1\n", 1), "pkg/__init__.py", "changed after the build"),
        (lambda text: text + text.splitlines()[0], "pkg/__init__.py", "lists it twice"),
        (lambda text: text + "pkg/gone.py,sha256=x,1\n", "pkg/gone.py", "not there"),
        (lambda text: text.split("\n", 1)[1], "pkg/__init__.py", "not listed"),
    ],
)
def test_record(make_wheel, record, member, message):
    report = check(make_wheel(record=record))
    assert {finding.rule for finding in report.errors} == {"record"}
    if member:
        (finding,) = report.findings
        assert finding.member == member
        assert message in finding.message


def test_a_record_that_is_no_text(make_wheel):
    finding = only_finding(make_wheel(replace={"{info}/RECORD": b"\xff\xfe"}))
    assert (finding.rule, finding.member) == ("record", "pkg-1.0.dist-info/RECORD")


def test_a_member_twice(make_wheel):
    with pytest.warns(UserWarning, match="Duplicate name"):
        wheel = make_wheel(edit=lambda archive: archive.writestr("pkg/__init__.py", b""))
    assert findings(wheel) == [("error", "record", "pkg/__init__.py")]


@pytest.mark.parametrize("metadata", [b"Name: other\nVersion: 1.0\n", b"Name: pkg\nVersion: 1.1\n", b"", b"\xff\n\n"])
def test_metadata_of_another_project(make_wheel, metadata):
    finding = only_finding(make_wheel(replace={"{info}/METADATA": metadata}))
    assert finding.rule == "record"
    assert "METADATA is that of" in finding.message


def test_names_are_compared_as_pep_503_says(make_wheel):
    metadata = b"Name: PKG\nVersion: 1.0.0\n"
    assert findings(make_wheel(replace={"{info}/METADATA": metadata})) == []


def test_a_folder_of_another_project(make_wheel):
    wheel = make_wheel(replace={"other-2.0.dist-info/licenses.txt": b""})
    assert findings(wheel) == [("error", "record", "other-2.0.dist-info")]


def test_a_wheel_without_metadata(tmp_path):
    path = tmp_path / "pkg-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w"):
        pass
    assert [finding.rule for finding in check(path).findings] == ["record"] * 3


@pytest.mark.parametrize("path", ["/etc/passwd", "../x.py", "pkg/../../x", "pkg\\x.py", "C:/x.py", "pkg//x.py"])
def test_a_path_outside(make_wheel, path):
    assert findings(make_wheel({EXTENSION: GOOD, path: b""})) == [("error", "archive", path)]


def test_a_symlink(make_wheel):
    link = zipfile.ZipInfo("pkg/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    wheel = make_wheel(edit=lambda archive: archive.writestr(link, "/etc/passwd"))
    assert findings(wheel) == [("error", "archive", "pkg/link")]


def test_folders_are_no_members_of_record(make_wheel):
    assert findings(make_wheel(edit=lambda archive: archive.writestr("pkg/data/", b""))) == []


def test_too_much_to_unpack(make_wheel, monkeypatch):
    wheel = make_wheel({EXTENSION: GOOD, "pkg/zeros": bytes(1 << 20)})
    monkeypatch.setattr(contents, "_RATIO_FREE", 1 << 19)
    assert "zip bomb" in only_finding(wheel).message
    monkeypatch.setattr(contents, "_MAX_UNPACKED", 1 << 20)
    assert "leave data out" in only_finding(wheel).message


def test_what_is_no_archive(make_wheel):
    wheel = make_wheel()
    wheel.write_bytes(b"not a zip")
    assert findings(wheel) == [("error", "archive", wheel.name)]


def test_a_damaged_member(make_wheel):
    wheel = make_wheel({EXTENSION: GOOD, "pkg/text": b"0123456789" * 3})
    content = bytearray(wheel.read_bytes())
    start = content.index(b"pkg/text") + len("pkg/text")
    content[start : start + 4] = b"\xff" * 4
    wheel.write_bytes(content)
    assert findings(wheel) == [("error", "archive", "pkg/text")]


def test_a_wheel_that_is_not_there(tmp_path):
    with pytest.raises(AuditError, match="No such file"):
        check(tmp_path / "pkg-1.0-py3-none-any.whl")


def test_a_member_without_a_name(make_wheel):
    def edit(archive):
        archive.writestr(zipfile.ZipInfo("x"), b"")
        archive.filelist[-1].filename = ""

    assert ("error", "archive", "") in findings(make_wheel(edit=edit))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.integers(0), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_mutated_wheel_gives_a_report(make_wheel, changes):
    wheel = make_wheel()
    content = bytearray(wheel.read_bytes())
    for position, value in changes:
        content[position % len(content)] = value
    wheel.write_bytes(content)
    assert check(wheel).wheel == wheel.name


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(["METADATA", "WHEEL", "RECORD"]), st.binary(max_size=80))
@example("WHEEL", b"\x0e; a-b-c")
def test_arbitrary_metadata_gives_a_report(make_wheel, file, content):
    wheel = make_wheel(replace={f"{{info}}/{file}": b"Name: pkg\nTag: " + content})
    assert check(wheel).wheel == wheel.name


def test_size(make_wheel):
    wheel = make_wheel()
    size = wheel.stat().st_size
    assert findings(wheel, accepted_size=size) == []
    finding = only_finding(wheel, accepted_size=size // 2)
    assert (finding.severity, finding.rule) == ("warning", "size")


def write_runtime(folder, script):
    (folder / "pyodide.asm.wasm").write_bytes(side_module(exports=["PyLong_FromLong"]))
    (folder / "pyodide.asm.mjs").write_text(script)
    return folder


def test_runtime(tmp_path):
    script = """var unrelated = {word: 1}; _missing.stub = true;
    var wasmImports = { /** @export */ a: _a, "b": _b, c, missing: _missing, };
    wasmImports["d"] = wasmImports["a"]; if (wasmImports["e"] == 1) {}"""
    runtime = Runtime.read(write_runtime(tmp_path, script))
    assert runtime.exports == {"PyLong_FromLong": NOTHING}
    assert runtime.javascript_names == {"a", "b", "c", "d"}


@pytest.mark.parametrize("script", ["", "var wasmImports={}", "var wasmImports={a:1+1}", "wasmImports={a,...b}"])
def test_a_runtime_whose_table_is_not_understood(tmp_path, script):
    with pytest.raises(AuditError, match="no table `wasmImports`"):
        Runtime.read(write_runtime(tmp_path, script))


def test_a_runtime_that_is_not_there(tmp_path):
    with pytest.raises(AuditError, match="cannot be read"):
        Runtime.read(tmp_path)
