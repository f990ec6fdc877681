from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import emwheels
from emwheels.cli import main as cli
from emwheels.errors import BuildError
from emwheels.outputs.builds import Output
from emwheels.pipeline.model import Outcome
from emwheels.status.ledger import read_ledger, write_ledger
from emwheels.upstream import SuiteResult, write_result

CHECKOUT = Path(__file__).parents[2]
META = """\
package:
  name: {name}
  version: "1.0"
source:
  url: pkg:pypi/{name}@1.0
  sha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
about:
  summary: The {name} package
"""


@pytest.fixture(autouse=True)
def restored_signals():
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def project(tmp_path, monkeypatch):
    for name in ("alpha", "beta"):
        folder = tmp_path / "recipes" / name
        folder.mkdir(parents=True)
        (folder / "meta.yaml").write_text(META.format(name=name))
        (folder / "requirements.build.txt").write_text("")
    shutil.copyfile(CHECKOUT / "targets.toml", tmp_path / "targets.toml")
    monkeypatch.setenv("EMWHEELS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def outcomes(monkeypatch):
    """What a run is to answer; the recipes and options that it was given are appended to ``asked``."""
    given, asked = [], []

    def run_packages(run):
        asked.append((list(run.recipes), run.options))
        return given

    monkeypatch.setattr("emwheels.cli.build.run_packages", run_packages)
    return given, asked


OUTPUT = Output(
    name="alpha", kind="wheels", filename="alpha-1.0.whl", sha256="0" * 64, size=12345, seconds=1.5, key="1" * 64
)


def test_list(project, capsys):
    assert cli.main(["list"]) == 0
    out = capsys.readouterr().out
    assert "alpha  1.0           The alpha package" in out
    assert "To build one and test it: emwheels build NAME" in out
    assert "314.0.7" in out
    assert "speed, size" in out


def test_list_as_json(project, capsys):
    assert cli.main(["list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows[0] == {"name": "alpha", "version": "1.0", "summary": "The alpha package", "tests": "imports only"}
    assert [row["name"] for row in rows] == ["alpha", "beta"]


def test_list_without_recipes(project, capsys):
    shutil.rmtree(project / "recipes" / "alpha")
    shutil.rmtree(project / "recipes" / "beta")
    assert cli.main(["list"]) == 0
    assert "Targets" in capsys.readouterr().out


def test_build_without_a_name_lists_and_builds_nothing(project, capsys, outcomes):
    assert cli.main(["build"]) == 0
    assert "alpha" in capsys.readouterr().out
    assert outcomes[1] == []


def test_less_than_no_cores(project, capsys, outcomes):
    assert cli.main(["build", "--all", "--jobs", "-1"]) == 2
    assert "--jobs -1" in capsys.readouterr().err
    assert outcomes[1] == []


def test_help_has_examples_and_exit_statuses(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert "emwheels build numpy" in out
    assert "exit status: 0 done" in out


@pytest.mark.parametrize(
    "verb",
    [
        *("list", "build", "test", "image", "lock", "audit", "plan", "reproduce", "serve", "index", "publish"),
        *("explain", "tables", "upstream-tests"),
    ],
)
def test_every_verb_has_help(verb, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main([verb, "--help"])
    assert caught.value.code == 0
    assert "usage: emwheels" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [["biuld"], [], ["build", "--engine", "netscape"], ["lock"], ["list", "--nothing"]],
)
def test_wrong_usage(project, arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_version(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.strip() == emwheels.__version__


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["build", "alpah"], 2, "there is no recipe alpah; did you mean alpha?"),
        (["build", "alpha", "--target", "1"], 2, "there is no target '1'"),
        (["build", "alpha", "--all"], 2, "give names or --all, not both"),
        (["list", "--target", "1"], 2, "there is no target '1'"),
        (["image", "save"], 2, "image save needs a file"),
        (["--project", "/", "list"], 2, "not inside a project"),
    ],
)
def test_mistakes_are_answered_in_words(project, arguments, status, words, capsys):
    assert cli.main(arguments) == status
    assert words in capsys.readouterr().err


def test_outcomes_as_json_and_the_status_of_the_first_failure(project, capsys, outcomes):
    outcomes[0].extend(
        [
            Outcome(name="alpha", state="built", output=OUTPUT, phases={"compile": 1.5}, engines={"node": "3 passed"}),
            Outcome(name="beta", state="failed", error=BuildError("beta did not build", hint="do this")),
        ]
    )
    assert cli.main(["build", "--all", "--json"]) == 6
    first, second = json.loads(capsys.readouterr().out)
    assert first["output"]["size"] == 12345
    assert first["engines"] == {"node": "3 passed"}
    assert (second["state"], second["output"], second["error"]) == ("failed", None, "beta did not build")


def test_outcomes_as_a_table(project, capsys, outcomes):
    outcomes[0].append(Outcome(name="alpha", state="built", output=OUTPUT, phases={"fetch": 1, "compile": 1.5}))
    assert cli.main(["build", "alpha"]) == 0
    out = capsys.readouterr().out
    for word in ("alpha", "built", "12,345", "2.5"):
        assert word in out


def test_options(project, outcomes, capsys):
    assert cli.main(["build", "alpha", "--profile", "size", "--engine", "node", "--no-test", "--force"]) == 0
    assert cli.main(["test", "alpha", "--test-seconds", "7"]) == 0
    (names, build), (_, test) = outcomes[1]
    assert names == ["alpha"]
    assert (build.profile, build.engines, build.test, build.rebuild) == ("size", ("node",), False, True)
    assert (test.test, test.rebuild, test.retest, test.test_seconds) == (True, False, True, 7.0)


@pytest.fixture
def documents(project, monkeypatch):
    """The documents of a project whose two wheels are built, written by `emwheels tables`; and a way to do it again."""
    contents = {"alpha": "a" * 64, "beta": "b" * 64}
    engines = {"node": "3 passed"}
    outcomes = [
        Outcome(name=name, state="reused", output=replace(OUTPUT, name=name), engines=engines) for name in contents
    ]
    monkeypatch.setattr("emwheels.cli.tables.survey", lambda _run: outcomes)
    monkeypatch.setattr("emwheels.cli.tables.content", lambda output, _store: contents[output.name])
    docs = project / "docs"
    (docs / "upstream-tests").mkdir(parents=True)
    (docs / "reproduce").mkdir()
    suite = SuiteResult(
        package="alpha",
        version="1.0",
        target="314.0.7",
        engine="node",
        date="2026-01-02",
        seconds=1,
        passed=3,
        failed=0,
        skipped=0,
        wheels=dict(contents),
    )
    write_result(suite, docs / "upstream-tests" / "alpha.json")
    row = {"name": "beta", "version": "1.0", "same": True, "difference": "", "how": "x", "date": "2026-01-03"}
    (docs / "reproduce" / "beta.json").write_text(json.dumps(row | {"wheels": {"beta": contents["beta"]}}))
    (docs / "troubleshooting.md").write_text("# Audit\n\n<!-- audit rules: written -->\n")
    (docs / "performance.md").write_text(f"# Speed\n<!-- wheels: beta={contents['beta'][:12]} 2026-01-04 -->\n")

    def write(*names):
        assert cli.main(["tables", *names]) == 0

    write()
    return docs, contents, write


def checked(capsys, *arguments):
    """Run ``emwheels tables --check``; return its status, and the lines that it says of documents."""
    capsys.readouterr()
    status = cli.main(["tables", "--check", *arguments])
    said = capsys.readouterr()
    assert said.out == ""
    return status, [line.removeprefix("docs: ") for line in said.err.splitlines() if line.startswith("docs: ")]


def test_tables_that_are_right(documents, capsys):
    docs, contents, write = documents
    write()
    assert capsys.readouterr().out.startswith("docs/wheels.json\ndocs/packages.md\n")
    assert "3 of 3 (100.00 %) |" in (docs / "packages.md").read_text()
    assert "| beta | 1.0 | yes |" in (docs / "reproduce.md").read_text()
    assert "*Of the present beta; 2026-01-04;" in (docs / "performance.md").read_text()
    before = {path: path.read_bytes() for path in docs.rglob("*.*")}
    assert checked(capsys) == (0, [])
    assert {path: path.read_bytes() for path in docs.rglob("*.*")} == before
    assert {name: wheel.content for name, wheel in read_ledger(docs / "wheels.json").wheels.items()} == contents


def test_tables_of_another_wheel(documents, capsys):
    docs, contents, write = documents
    contents["beta"] = "c" * 64
    write()
    said = capsys.readouterr().err
    lines = [
        "performance.md#speed: of another beta (2026-01-04)",
        "reproduce/beta: of another beta (2026-01-03)",
        "upstream-tests/alpha: of another beta (2026-01-02)",
    ]
    assert said == "".join(f"docs: {line}\n" for line in lines)
    for name in ("packages.md", "upstream-tests.md", "reproduce.md"):
        assert "**stale**" in (docs / name).read_text().replace("marked as stale", "")
    assert "*Of **an earlier** beta; 2026-01-04;" in (docs / "performance.md").read_text()
    assert checked(capsys) == (1, lines)
    assert cli.main(["tables", "--check"]) == 1
    said = capsys.readouterr().err
    assert "emwheels: 3 entries of docs/ not of the present wheels\n  build and test what is due" in said
    assert "write the pages anew" not in said
    assert cli.main(["tables", "--check", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == lines

    (docs / "due.yaml").write_text(
        "- {results: '*/*', reason: no time}\n- {results: 'performance.md#*', reason: later}\n"
    )
    assert checked(capsys) == (0, [])
    (docs / "due.yaml").write_text("- {results: '*', reason: no time}\n- {results: reproduce/alpha, reason: no time}\n")
    assert checked(capsys) == (1, ["due.yaml: nothing stale is called 'reproduce/alpha': remove the entry"])
    (docs / "due.yaml").write_text("- {results: '*'}\n")
    assert cli.main(["tables", "--check"]) == 1
    assert "due.yaml: each entry has the keys" in capsys.readouterr().err


def test_tables_of_a_recipe_that_changed(documents, project, capsys):
    meta = project / "recipes" / "alpha" / "meta.yaml"
    meta.write_text(meta.read_text() + "  license: MIT\n")
    assert checked(capsys) == (0, []), "what does not reach the compiler changes nothing"
    meta.write_text(meta.read_text() + "build:\n  cflags: -DX\n")
    assert checked(capsys) == (
        1,
        [
            "wheels/alpha: the recipe, its patches, flags or how it is linked have changed since it was built",
            "upstream-tests/alpha: alpha is to be built again",
        ],
    )


def test_tables_of_recipes_that_come_and_go(documents, project, capsys):
    (project / "recipes" / "new").mkdir()
    (project / "recipes" / "new" / "meta.yaml").write_text(META.format(name="new"))
    (project / "recipes" / "new" / "upstream.yaml").write_text("files: [tests]\n")
    shutil.rmtree(project / "recipes" / "beta")
    assert checked(capsys) == (
        1,
        [
            "wheels/new: no build of it is recorded",
            "wheels.json: there is no recipe 'beta': write the tables anew",
            "upstream-tests/new: the recipe has upstream.yaml, and no result is noted",
            "packages.md: is not what `emwheels tables` writes",
        ],
    )


def test_a_page_that_was_edited(documents, capsys):
    docs, _, write = documents
    page = docs / "performance.md"
    page.write_text(page.read_text().replace("*Of the present beta", "*Of the present alpha"))
    (docs / "reproduce.md").unlink()
    lines = [f"{name}: is not what `emwheels tables` writes" for name in ("reproduce.md", "performance.md")]
    assert checked(capsys) == (1, lines)
    assert cli.main(["tables", "--check"]) == 1
    said = capsys.readouterr().err
    assert "emwheels: 2 pages of docs/ not as emwheels writes them\n  write the pages anew" in said
    assert "present wheels" not in said
    write()
    assert checked(capsys) == (0, [])


def test_a_generated_page_of_other_bytes(documents, capsys):
    docs, _, write = documents
    (docs / "packages.md").write_bytes(b"\xff")
    assert checked(capsys) == (1, ["packages.md: is not what `emwheels tables` writes"])
    write()
    assert checked(capsys) == (0, [])


@pytest.mark.parametrize("gone", ["page", "line"])
def test_the_rules_of_the_audit_are_gone(documents, capsys, gone):
    docs, _, write = documents
    page = docs / "troubleshooting.md"
    if gone == "page":
        page.unlink()
    else:
        page.write_text(page.read_text().replace("audit rules", "rules of the audit"))
    what = "the line `<!-- audit rules: … -->` is gone: put it back, or take the page out of wheels.json"
    line = f"troubleshooting.md: {what}"
    assert checked(capsys) == (1, [line])
    write()
    assert f"docs: {line}" in capsys.readouterr().err
    ledger = read_ledger(docs / "wheels.json")
    write_ledger(replace(ledger, rules_in=()), docs / "wheels.json")
    assert checked(capsys) == (0, []), "a project need not have that table"


@pytest.mark.parametrize("arguments", [[], ["--check"]])
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("reproduce/beta.json", b"{"),
        ("reproduce/beta.json", b'{"date": "2026-01-03", "wheels": {}}'),
        ("reproduce/beta.json", b"[]"),
        ("upstream-tests/alpha.json", b"\xff"),
        ("performance.md", b"caf\xe9\n"),
        ("wheels.json", b"{"),
        ("due.yaml", b"\xff"),
    ],
)
def test_a_document_that_cannot_be_read(documents, capsys, arguments, name, data):
    docs, contents, _ = documents
    (docs / name).write_bytes(data)
    contents["alpha"] = "d" * 64
    before = {path: path.read_bytes() for path in docs.rglob("*.*")}
    assert cli.main(["tables", *arguments]) == 1
    assert capsys.readouterr().err.startswith(f"emwheels: {docs / name}: ")
    assert {path: path.read_bytes() for path in docs.rglob("*.*")} == before


@pytest.mark.parametrize("arguments", [["--target", "315.0.0-alpha.2"], ["--toolchain", "emsdk"]])
@pytest.mark.parametrize("check", [[], ["--check"]])
def test_documents_are_of_the_default_target_alone(documents, capsys, arguments, check):
    docs = documents[0]
    before = (docs / "wheels.json").read_bytes()
    assert cli.main(["tables", *check, *arguments]) == 2
    assert "docs/ is about Pyodide 314.0.7" in capsys.readouterr().err
    assert (docs / "wheels.json").read_bytes() == before


def test_tables_of_another_default_target(documents, project, capsys):
    docs, _, write = documents
    targets = project / "targets.toml"
    targets.write_text(targets.read_text().replace('default = "314.0.7"', 'default = "315.0.0-alpha.2"'))
    status, lines = checked(capsys)
    assert status == 1
    assert lines[0].startswith("wheels.json: is of Pyodide 314.0.7, speed, and docs/ is to be of 315.0.0-alpha.2")
    assert all(line.endswith(".md: is not what `emwheels tables` writes") for line in lines[1:])
    assert cli.main(["tables", "alpha"]) == 1
    assert "write all anew: emwheels tables" in capsys.readouterr().err
    write()
    assert read_ledger(docs / "wheels.json").target == "315.0.0-alpha.2"


def test_tables_of_some_packages_leave_the_others(documents, capsys):
    docs, contents, write = documents
    contents |= {"alpha": "c" * 64, "beta": "d" * 64}
    write("Alpha")
    known = {name: wheel.content for name, wheel in read_ledger(docs / "wheels.json").wheels.items()}
    assert known == {"alpha": "c" * 64, "beta": "b" * 64}
    assert "| alpha | 1.0 | 12,345 | `cccccccccccc` |" in (docs / "packages.md").read_text()
    assert "| beta | 1.0 | 12,345 | `bbbbbbbbbbbb` |" in (docs / "packages.md").read_text()
    assert checked(capsys) == (1, ["upstream-tests/alpha: of another alpha (2026-01-02)"])


def test_tables_of_a_package_that_is_not_built(documents, monkeypatch, capsys):
    before = (documents[0] / "wheels.json").read_bytes()
    monkeypatch.setattr("emwheels.cli.tables.survey", lambda _run: [Outcome(name="alpha", state="missing")])
    assert cli.main(["tables", "alpha"]) == 1
    assert "alpha: no build of it is in the cache\n  emwheels build alpha" in capsys.readouterr().err
    assert cli.main(["tables", "alpah"]) == 2
    assert cli.main(["tables", "alpha", "--check"]) == 2
    assert (documents[0] / "wheels.json").read_bytes() == before


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (KeyboardInterrupt(), 130, "stopped; what was finished is kept"),
        (BuildError("it broke", hint="mend it"), 6, "emwheels: it broke\n  mend it"),
        (OSError(28, "No space left on device", "/x"), 1, "No space left on device: /x\n  free some space"),
    ],
)
def test_failures_are_messages(project, monkeypatch, capsys, error, status, words):  # noqa: PLR0917
    def fail(*_arguments):
        raise error

    monkeypatch.setattr("emwheels.cli.build.run_packages", fail)
    assert cli.main(["build", "alpha"]) == status
    assert words in capsys.readouterr().err


def test_a_closed_pipe_is_no_traceback(project):
    command = [sys.executable, "-m", "emwheels", "list"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=project) as process:
        process.stdout.close()
        err = process.stderr.read().decode()
    assert "Traceback" not in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_no_temporary_folder(plain_project, tmp_path, number):
    """The command waits for an answer that never comes, with a folder for what it fetches."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/simple"
        command = plain_project.command("index", "verify", url, "--client", "none", "--seconds", "100")
        env = plain_project.env | {"TMPDIR": str(temporary)}
        with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as process:
            connection, _ = silent.accept()
            with connection:
                assert list(temporary.iterdir())
                process.send_signal(number)
                _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert list(temporary.iterdir()) == []
