"""A package built again, with a function in place of the compiler: what it is given, what comes of it, what is left."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from packed import tar_gz
from sample_run import LIBRARY, Compiler, add_recipe, keep, make_environment, wheel_of

from emwheels.errors import BuildError, RecipeError
from emwheels.image import identity
from emwheels.image.processes import Completed
from emwheels.outputs.builds import Builds
from emwheels.outputs.named import content
from emwheels.pipeline.model import Options
from emwheels.pipeline.reproduce import DAYS_AHEAD, reproduce
from emwheels.pipeline.run import make_run
from emwheels.schedule import available_cores

ALL = ("folder", "jobs", "time zone", "user name", "user", "kernel", "date")


class Sandbox:
    """Stands for the image: tells whether another user or another date can be had in it."""

    def __init__(self, *can):
        self.can, self.asked = can, []
        self.takes_user = "user" in can

    def run(self, argv, *, env=None):
        self.asked.append((list(argv), dict(env or {})))
        what = "kernel" if argv[0] == "setarch" else "date"
        return Completed(argv=tuple(argv), status=0 if what in self.can else 1, seconds=0.0)


class Again:
    """Stands for the compiler: each build comes out as the next of ``texts``, or raises the next error."""

    def __init__(self, *texts):
        self.texts, self.compilers, self.logs, self.there = list(texts), [], [], []

    def __call__(self, inputs, *, work, log, **rest):
        text = self.texts[len(self.compilers)]
        error = text if isinstance(text, Exception) else None
        compiler = Compiler(files={"tiny.py": str(text)}, error=error)
        self.compilers.append(compiler)
        self.logs.append(log)
        self.there.append((work.is_dir(), inputs.jobserver.folder.is_dir()))
        return compiler(inputs, work=work, log=log, **rest)

    @property
    def inputs(self):
        return [compiler.inputs[0] for compiler in self.compilers]

    @property
    def work(self):
        return [compiler.work[0] for compiler in self.compilers]


@pytest.fixture
def environment(tmp_path):
    """A package whose build is in the store, and a sandbox in which everything can be another."""
    environment = make_environment(tmp_path)
    add_recipe(environment, "tiny")
    vars(environment)["image"] = Sandbox("user", "kernel", "date")
    run = make_run(environment, ["tiny"], Options(test=False))
    keep(run, "tiny", file=wheel_of(run, "tiny", "STORED"))
    return environment


@pytest.fixture
def again(environment, monkeypatch):
    """Build ``tiny`` again; it comes out as the given texts. Returns what came of it, and the compiler."""

    def again(*texts, once=False):
        compiler = Again(*texts)
        monkeypatch.setattr("emwheels.pipeline.reproduce.build", compiler)
        return reproduce(environment, Builds(environment.store), "tiny", "speed", once=once), compiler

    return again


def left(environment):
    return sorted(path.name for path in (environment.project.cache / "work").rglob("*"))


def test_two_builds_and_the_store_with_the_same_bytes(again, environment):
    found, compiler = again("STORED", "STORED")
    stored = make_run(environment, ["tiny"]).recipes["tiny"]
    assert (found.name, found.version) == ("tiny", stored.version)
    assert (found.same, found.difference, found.as_stored, found.files) == (True, "", True, ())
    assert found.seconds == (2.346, 2.346)
    assert found.varied == ALL
    assert len(compiler.compilers) == 2
    assert not (environment.logs / "tiny" / "reproduce").exists()


def test_what_is_told_of_the_wheel_is_its_hash_and_its_content(again, environment, tmp_path):
    found, _ = again("STORED", "STORED")
    run = make_run(environment, ["tiny"], Options(test=False))
    wheel = wheel_of(run, "tiny", "STORED")
    assert found.sha256 == hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert found.content == content(keep(run, "tiny", file=wheel), environment.store)


def test_a_second_build_with_other_bytes(again, environment):
    found, _ = again("STORED", "SECOND")
    assert not found.same
    assert found.as_stored, "the first is what is in the store"
    assert found.difference == "tiny.py: line 1: 'STORED' | 'SECOND'"
    folder = environment.logs / "tiny" / "reproduce"
    assert found.files == tuple(str(folder / number / "tiny-1.0-py3-none-any.whl") for number in "12")
    assert hashlib.sha256((folder / "2" / "tiny-1.0-py3-none-any.whl").read_bytes()).hexdigest() == found.sha256


def test_two_builds_that_are_the_same_but_not_what_is_in_the_store(again):
    found, _ = again("NEWER.", "NEWER.")
    assert (found.same, found.as_stored) == (False, False)
    assert found.difference == "stored: tiny.py: line 1: 'STORED' | 'NEWER.'"
    assert len(found.files) == 2


def test_all_three_differ(again):
    found, _ = again("FIRST.", "SECOND")
    assert (found.same, found.as_stored) == (False, False)
    assert found.difference == "tiny.py: line 1: 'FIRST.' | 'SECOND'", "the two that were made now come first"


def test_once_is_the_farther_build_against_the_store(again):
    found, compiler = again("STORED", once=True)
    assert (found.same, found.seconds) == (True, (2.346,))
    (inputs,) = compiler.inputs
    assert inputs.environment["TZ"] == "Asia/Kolkata"
    assert [log.name for log in compiler.logs] == ["reproduce-1.log"]


def test_once_with_other_bytes_keeps_those_of_the_store_too(again):
    found, _ = again("SECOND", once=True)
    assert not found.same
    assert found.difference == "stored: tiny.py: line 1: 'STORED' | 'SECOND'"
    one, two = (Path(file).read_bytes() for file in found.files)
    assert b"STORED" in one
    assert b"SECOND" in two


def test_a_library_is_compared_as_an_archive(environment, monkeypatch):
    add_recipe(environment, "zlib", LIBRARY)
    run = make_run(environment, ["zlib"], Options(test=False))

    def archive(text):
        return tar_gz({"lib/libz.a": text})

    made = environment.project.cache / "libz.tar.gz"
    made.write_bytes(archive(b"!<arch>\0stored"))
    keep(run, "zlib", file=made)

    def build(inputs, *, work, **rest):
        built = Compiler()(inputs, work=work, **rest)
        built.file.write_bytes(archive(b"!<arch>\0newer!"))
        return built

    monkeypatch.setattr("emwheels.pipeline.reproduce.build", build)
    found = reproduce(environment, Builds(environment.store), "zlib", "speed", once=True)
    assert found.difference.startswith("stored: lib/libz.a: byte 8 of 14: ")


# What the builds are given.


def test_the_builds_have_other_surroundings(again, environment):
    _, compiler = again("STORED", "STORED")
    one, two = compiler.inputs
    assert one.environment == {"TZ": "UTC", "USER": "root", "LOGNAME": "root"}
    assert one.user is None
    assert two.environment["TZ"] == "Asia/Kolkata"
    assert two.environment["USER"] == two.environment["LOGNAME"] == "somebody"
    assert two.environment["FAKETIME"] == f"+{DAYS_AHEAD}d"
    assert two.user is not None
    assert (one.jobserver.cores, two.jobserver.cores) == (1, available_cores() + 2)
    first, second = compiler.work
    assert len(first.parts) != len(second.parts), "paths of other lengths"
    assert [log.name for log in compiler.logs] == ["reproduce-1.log", "reproduce-2.log"]


def test_no_build_reads_a_compiler_cache(again):
    _, compiler = again("STORED", "STORED")
    assert [inputs.compiler_cache for inputs in compiler.inputs] == [None, None]


def test_each_build_has_its_folder_and_its_jobs(again):
    _, compiler = again("STORED", "STORED")
    assert compiler.there == [(True, True)] * 2
    assert compiler.inputs[0].jobserver.inside == "/mnt/jobserver"


def test_the_builds_read_the_same(again):
    _, compiler = again("STORED", "STORED")
    one, two = compiler.inputs
    for name in ("recipe", "source", "requirements", "libraries", "documents", "profile"):
        assert getattr(one, name) == getattr(two, name)


def test_the_phases_are_told(again, environment):
    again("STORED", "STORED")
    assert environment.board.lines[-2:] == [
        "tiny: build 1 of 2, 1 job",
        f"tiny: build 2 of 2, {available_cores() + 2} jobs",
    ]


@pytest.mark.parametrize(
    ("can", "lacks"),
    [((), {"user", "kernel", "date"}), (("user",), {"kernel", "date"}), (("date", "kernel"), {"user"})],
)
def test_what_cannot_be_another_here_is_left_as_it_is(again, environment, can, lacks):
    vars(environment)["image"] = Sandbox(*can)
    found, compiler = again("STORED", "STORED")
    assert set(ALL) - set(found.varied) == lacks
    second = compiler.inputs[1]
    assert (second.user is not None) == ("user" in can)
    assert ("LD_PRELOAD" in second.environment) == ("date" in can)
    assert second.environment["TZ"] == "Asia/Kolkata"


def test_whether_they_can_is_tried_with_what_the_build_gets(again, environment):
    _, compiler = again("STORED", "STORED")
    (kernel, _), (_, ahead) = environment.image.asked
    assert compiler.inputs[1].personality in kernel
    second = compiler.inputs[1]
    assert ahead.items() <= second.environment.items()
    assert "FAKETIME" in ahead


def test_the_other_user_is_another(again):
    _, compiler = again("STORED", "STORED")
    assert compiler.inputs[1].user not in (None, identity.USER)


# What is left behind.


def test_nothing_is_left_of_the_builds(again, environment):
    _, compiler = again("STORED", "SECOND")
    assert not any(work.exists() for work in compiler.work)
    assert left(environment) == []


@pytest.mark.parametrize(
    "texts", [(BuildError("broke"),), ("STORED", BuildError("broke")), ("STORED", OSError(28, ""))]
)
def test_nothing_is_left_of_builds_that_failed(again, environment, texts):
    with pytest.raises(type(texts[-1])):
        again(*texts)
    assert left(environment) == []
    (key,) = (path.stem for path in (environment.store.root / "records" / "builds").iterdir())
    assert Builds(environment.store).get(key), "what was in the store is there still"


def test_the_store_keeps_what_it_has(again, environment):
    before = sorted(path.name for path in (environment.store.root / "wheels").rglob("*") if path.is_file())
    again("FIRST.", "SECOND")
    assert sorted(p.name for p in (environment.store.root / "wheels").rglob("*") if p.is_file()) == before


def test_what_does_not_build_is_told_and_nothing_is_built_again(again, environment, monkeypatch):
    add_recipe(environment, "tiny", version="2.0", locked=False)
    (environment.project.recipes / "tiny" / "requirements.build.txt").unlink()
    with pytest.raises(RecipeError, match=r"no requirements\.build\.txt"):
        again("STORED", "STORED")
    assert left(environment) == []


def test_a_build_that_is_missing_is_made_first(environment, monkeypatch):
    add_recipe(environment, "lib", LIBRARY)
    first, compiler = Compiler(), Compiler()
    first.put_in(monkeypatch)
    monkeypatch.setattr("emwheels.pipeline.reproduce.build", compiler)
    found = reproduce(environment, Builds(environment.store), "lib", "speed")
    assert (len(first.inputs), len(compiler.inputs)) == (1, 2)
    assert found.same
    assert first.inputs[0].jobserver is not None
    assert os.path.commonpath([first.work[0], environment.project.cache]) == str(environment.project.cache)
