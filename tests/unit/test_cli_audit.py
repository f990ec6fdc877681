"""``emwheels audit``: what is printed of wheels, and the exit status."""

from __future__ import annotations

import json

import pytest
from sample_run import make_environment
from small_project import make_command_in
from synthetic_wheels import OLD_WASM, make_wheel


@pytest.fixture
def environment(tmp_path):
    return make_environment(tmp_path)


@pytest.fixture
def command(environment, monkeypatch, capsys):
    return make_command_in(environment, "audit", monkeypatch, capsys)


@pytest.fixture
def good(tmp_path):
    return make_wheel(tmp_path / "made", "good")


@pytest.fixture
def bad(tmp_path):
    return make_wheel(tmp_path / "made", "bad", tag=OLD_WASM)


def test_a_wheel_without_findings(command, good):
    assert command("audit", good).out.splitlines()[0].startswith(f"{good.name}: 0 errors, ")


def test_a_wheel_of_another_abi_is_an_error(command, bad):
    lines = command("audit", bad, status=7).out.splitlines()
    assert not lines[0].startswith(f"{bad.name}: 0 errors")
    assert any(line.startswith("  error: ") for line in lines[1:])


def test_one_bad_wheel_among_several_decides_the_status(command, good, bad):
    for wheels in ((good, bad), (bad, good)):
        said = command("audit", *wheels, status=7)
        assert [line.split(":")[0] for line in said.out.splitlines() if not line.startswith(" ")] == [
            wheel.name for wheel in wheels
        ]


def test_an_audit_in_json_is_a_document_for_each_wheel(command, good, bad):
    decoder, text, found = json.JSONDecoder(), command("audit", good, bad, "--json", status=7).out, []
    while text.strip():
        document, end = decoder.raw_decode(text.lstrip())
        found.append(document["wheel"])
        text = text.lstrip()[end:]
    assert found == [good.name, bad.name]


@pytest.mark.parametrize("content", [None, b"", b"PK no zip"])
def test_what_is_no_wheel_is_a_message(command, tmp_path, content):
    path = tmp_path / "no-1.0-py3-none-any.whl"
    if content is not None:
        path.write_bytes(content)
    said = command("audit", path, status=7)
    assert path.name in said.err + said.out
