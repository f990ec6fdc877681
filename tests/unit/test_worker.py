"""Tasks of a run on another machine, done in this process: what goes there, what comes back, what is refused."""

from __future__ import annotations

import io
import pickle
import tarfile
import threading
from concurrent.futures import Future
from types import SimpleNamespace

import pytest
from sample_run import LIBRARY, Lines, add_recipe, keep, make_environment
from small_project import CHECKOUT

from emwheels.checkout import Checkout
from emwheels.errors import BuildError, EmwheelsError, UsageError
from emwheels.outputs.builds import Builds
from emwheels.outputs.remote.folder import LocalFolder
from emwheels.outputs.remote.model import RemoteError
from emwheels.pipeline import worker
from emwheels.pipeline.known import existing, key_of
from emwheels.pipeline.model import Options, Outcome, Stage, Step
from emwheels.pipeline.run import make_run, run_packages
from emwheels.pipeline.worker import Assignment, Reply, end, pack_project, run_on_cluster
from emwheels.target import load_targets

ZLIB, BASE = Step(Stage.BUILD, "zlib"), Step(Stage.BUILD, "base")


@pytest.fixture
def remote(tmp_path):
    return LocalFolder(tmp_path / "remote")


@pytest.fixture
def there(tmp_path, monkeypatch, remote):
    """The other machine: its cache, and parts of its environment that would need an image; it builds `BUILDS`."""
    made = make_environment(tmp_path / "there")
    boards, work = [], []

    class Environment(worker.Environment):
        def __init__(self, project, targets, target, *, board, **options):
            super().__init__(project, targets, target, board=Lines(), **options)
            for name in ("image_digest", "image", "toolchain", "release", "fetcher"):
                vars(self)[name] = vars(made)[name]
            boards.append(self.board)

    def build(run, recipe, key, outputs, to):
        work.append(sorted(path.name for path in (made.project.cache / "work").glob("*")))
        to.phases["compile"] = 1.0
        error = BUILDS.get(recipe.name)
        if isinstance(error, Exception):
            raise error
        reports = run.environment.dist("speed") / "reports" / recipe.name
        reports.mkdir(parents=True)
        (reports / "build.log").write_text(f"built {recipe.name} against {sorted(outputs)}\n")
        archive = run.environment.project.root / "made.tar.gz"
        archive.write_bytes(recipe.name.encode())
        return keep(run, recipe.name, outputs, file=archive if recipe.build.script else None)

    monkeypatch.setattr("emwheels.pipeline.worker.Environment", Environment)
    monkeypatch.setattr("emwheels.pipeline.worker.open_remote", lambda address: remote)
    monkeypatch.setattr("emwheels.pipeline.building.build_package", build)
    monkeypatch.setenv("EMWHEELS_CACHE", str(made.project.cache))
    monkeypatch.setattr("emwheels.pipeline.run.available_memory", lambda: 0)
    BUILDS.clear()
    return SimpleNamespace(cache=made.project.cache, store=made.store, boards=boards, work=work)


BUILDS = {}
"""What the build of a recipe raises there."""


@pytest.fixture
def here(tmp_path, there):
    """A run of a library and of what is compiled against it, on the machine that hands out the work."""
    environment = make_environment(tmp_path / "here")
    environment.project.targets_file.write_bytes((CHECKOUT / "targets.toml").read_bytes())
    environment.targets = load_targets(environment.project.targets_file)
    environment.target = environment.targets.get(environment.target.name)
    add_recipe(environment, "zlib", LIBRARY)
    add_recipe(environment, "base", "requirements:\n  host: [zlib]\n", files={"test_base.py": "def test(): pass\n"})
    return environment


@pytest.fixture
def run(here, remote):
    return make_run(here, ["base"], Options(test=False), builds=Builds(here.store, remote))


def assignment(run, **more):
    given = {
        "run": "1234",
        "project": pack_project(run.environment.project),
        "target": run.environment.target.name,
        "toolchain": "debian",
        "remote": "oci://registry.example.org/builds",
        "options": run.options,
        "names": ("base",),
    }
    return Assignment(**given | more)


def left(there):
    return sorted(path.name for path in (there.cache / "work").iterdir())


def test_a_task_is_done_there_and_its_build_is_shared(run, there, remote):
    reply = assignment(run)(ZLIB, {})
    assert (reply.outcome.name, reply.outcome.state, reply.outcome.error) == ("zlib", "built", None)
    assert reply.reports == {"zlib/build.log": b"built zlib against []\n"}
    assert remote.manifest(reply.outcome.output.key)
    assert "process" in reply.host
    assert existing(run, key_of(run, run.recipes["zlib"], {}))[1] == "remote", "the machine here can have it"


def test_what_a_task_needs_comes_from_the_remote_store(run, there, remote):
    zlib = assignment(run)(ZLIB, {}).outcome
    there.store.path_of("libraries", zlib.output.sha256).unlink()  # another worker's store
    reply = assignment(run)(BASE, {ZLIB: zlib})
    assert reply.outcome.state == "built"
    assert reply.reports["base/build.log"] == b"built base against ['zlib']\n"
    assert there.store.get("libraries", zlib.output.sha256).is_file()


def test_what_was_built_elsewhere_and_cannot_be_had_is_told(run, there, tmp_path):
    zlib = assignment(run)(ZLIB, {}).outcome
    there.store.path_of("libraries", zlib.output.sha256).unlink()
    for path in (tmp_path / "remote" / "manifests").iterdir():
        path.unlink()
    with pytest.raises(EmwheelsError, match="zlib was built elsewhere and cannot be had") as caught:
        assignment(run)(BASE, {ZLIB: zlib})
    assert "run the command again" in caught.value.hint
    assert left(there) == []


def test_a_build_that_cannot_be_shared_does_not_count(run, there, remote, monkeypatch, capsys):
    def refuse(_key, _manifest):
        raise RemoteError("403 Forbidden", hint="log in")

    monkeypatch.setattr(remote, "put_manifest", refuse)
    with pytest.raises(EmwheelsError, match=r"zlib was built on .+ but could not be pushed to oci://reg") as caught:
        assignment(run)(ZLIB, {})
    assert "the build is kept there" in caught.value.hint
    assert "403 Forbidden (log in)" in capsys.readouterr().err, "that worker's output says why"
    key = key_of(run, run.recipes["zlib"], {}).digest
    assert Builds(there.store).get(key), "and the next run does not build it again"
    assert left(there) == []


def test_a_failure_comes_back_as_an_outcome(run, there):
    BUILDS["zlib"] = BuildError("it does not compile", hint="see the log")
    reply = assignment(run)(ZLIB, {})
    assert (reply.outcome.state, reply.outcome.output) == ("failed", None)
    assert (reply.outcome.error.message, reply.outcome.error.hint) == ("it does not compile", "see the log")
    assert "zlib: failed: it does not compile\n  see the log" in there.boards[-1].lines


def test_nothing_is_left_of_a_task(run, there):
    (there.cache / "work" / "task-x-999999999").mkdir(parents=True)
    assignment(run)(ZLIB, {})
    assert len(there.work[0]) == 1, "what a killed worker left is gone before the build, and its own folder is there"
    assert there.work[0][0].startswith("task-")
    assert left(there) == []
    assert worker._busy == {}


def test_a_target_that_is_not_in_the_project_is_refused(run, there):
    with pytest.raises(UsageError, match="there is no target '1'"):
        assignment(run, target="1")(ZLIB, {})
    assert left(there) == []


def test_what_is_sent_can_be_pickled(run, there):
    sent = pickle.loads(pickle.dumps(assignment(run)))
    reply = pickle.loads(pickle.dumps(sent(ZLIB, {})))
    assert reply.outcome.output.name == "zlib"


@pytest.mark.parametrize(("given", "expected"), [("/there/cache", "/there/cache"), ("", "user/emwheels")])
def test_the_cache_of_a_worker_is_its_own(monkeypatch, given, expected):
    monkeypatch.setattr("emwheels.pipeline.worker.platformdirs.user_cache_dir", lambda name: f"/user/{name}")
    monkeypatch.setenv("EMWHEELS_CACHE", given)
    assert str(worker._cache()).endswith(expected)


# The project on its way.


@pytest.fixture
def project(tmp_path):
    project = Checkout(root=tmp_path / "project", cache=tmp_path / "cache")
    for name in ("recipes/b/meta.yaml", "recipes/a/meta.yaml", "recipes/a/__pycache__/x.pyc", "patches/a/0001.patch"):
        (project.root / name).parent.mkdir(parents=True, exist_ok=True)
        (project.root / name).write_text(name)
    project.targets_file.write_text("targets")
    (project.root / "dist").mkdir()
    (project.root / "dist" / "secret").write_text("not for workers")
    return project


def test_a_project_is_packed_without_caches_and_the_rest_of_the_checkout(project):
    with tarfile.open(fileobj=io.BytesIO(pack_project(project))) as tar:
        names = tar.getnames()
        assert tar.extractfile("patches/a/0001.patch").read() == b"patches/a/0001.patch"
    assert names == ["targets.toml", "recipes/a/meta.yaml", "recipes/b/meta.yaml", "patches/a/0001.patch"]


def test_a_project_without_patches_is_packed(project):
    (project.patches / "a" / "0001.patch").unlink()
    (project.patches / "a").rmdir()
    project.patches.rmdir()
    with tarfile.open(fileobj=io.BytesIO(pack_project(project))) as tar:
        assert not any(name.startswith("patches") for name in tar.getnames())


def test_the_same_project_is_the_same_bytes(project, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 1_000_000_000.0)
    first = pack_project(project)
    assert pack_project(project) == first
    (project.recipes / "a" / "__pycache__" / "x.pyc").write_text("compiled again")
    assert pack_project(project) == first
    (project.recipes / "a" / "meta.yaml").write_text("changed")
    assert pack_project(project) != first


def test_the_same_project_is_the_same_bytes_a_minute_later(project, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 1_000_000_000.0)
    first = pack_project(project)
    monkeypatch.setattr("time.time", lambda: 1_000_000_060.0)
    assert pack_project(project) == first


# The machine that hands out the work.


class Cluster:
    """Stands for the executor of a cluster: its only worker is this process."""

    jobs, memory = 1, 0

    def __init__(self, address, work, *, receive, end):
        self.address, self.work, self.receive, self.end = address, work, receive, end
        self.steps, self.closed = [], False

    def submit(self, task, given):
        self.steps.append(task.identity)
        future = Future()
        try:
            future.set_result(self.receive(self.work(task.identity, dict(given))))
        except Exception as error:  # noqa: BLE001
            future.set_exception(error)
        return future

    def stop(self):
        self.end()

    def close(self):
        self.closed = True


@pytest.fixture
def clusters(monkeypatch):
    made = []
    monkeypatch.setattr(
        "emwheels.pipeline.worker.DaskExecutor",
        lambda *args, **options: made.append(Cluster(*args, **options)) or made[-1],
    )
    return made


def test_a_run_on_a_cluster_is_as_one_here(run, there, clusters, here):
    outcomes = run_on_cluster("tcp://scheduler:8786", run, ["base"], "oci://registry.example.org/builds")
    assert [(outcome.name, outcome.state) for outcome in outcomes] == [("zlib", "built"), ("base", "built")]
    (cluster,) = clusters
    assert (cluster.address, cluster.steps, cluster.closed) == ("tcp://scheduler:8786", [ZLIB, BASE], True)
    assert cluster.work.names == ("base",)
    assert [path.name for path in (here.project.dist / "wheels").glob("*.whl")] == ["base-1.0-py3-none-any.whl"]
    assert (here.project.dist / "reports" / "base" / "build.log").is_file(), "the reports came along"
    assert any("zlib: built on " in line and "(compile)" in line for line in here.board.lines)
    assert [outcome.state for outcome in run_packages(run)] == ["reused", "reused"], "and nothing is to be done here"


def test_a_failure_there_blocks_here(run, there, clusters):
    BUILDS["zlib"] = BuildError("it does not compile")
    outcomes = run_on_cluster("tcp://scheduler:8786", run, ["base"], "oci://registry.example.org/builds")
    assert [(outcome.name, outcome.state) for outcome in outcomes] == [("zlib", "failed"), ("base", "blocked")]


def test_a_cluster_is_left_also_when_a_task_fell_over(run, there, clusters):
    BUILDS["zlib"] = ZeroDivisionError("a mistake in this program")
    with pytest.raises(ZeroDivisionError):
        run_on_cluster("tcp://scheduler:8786", run, ["base"], "oci://registry.example.org/builds")
    assert clusters[0].closed


def test_a_reply_of_a_build_that_cannot_be_had_is_an_error(run, there, clusters, tmp_path):
    reply = assignment(run)(ZLIB, {})
    for path in (tmp_path / "remote" / "manifests").iterdir():
        path.unlink()
    with pytest.raises(EmwheelsError, match="cannot be had from the remote store"):
        worker._receive(reply, run)


def test_what_a_task_did_is_said_with_where(run, there):
    outcome = Outcome(name="zlib", state="failed", phases={"fetch": 1.0, "compile": 2.0})
    worker._receive(Reply(outcome=outcome, reports={}, host="node7, process 5"), run)
    worker._receive(Reply(outcome=Outcome(name="zlib", state="reused"), reports={}, host="node8"), run)
    assert run.environment.board.lines[-2:] == [
        "zlib: failed on node7, process 5 (fetch, compile)",
        "zlib: reused on node8 (nothing to do)",
    ]


# A run that ends.


def test_a_run_that_is_ended_stops_what_this_process_does_for_it(monkeypatch):
    killed, busy, other = [], SimpleNamespace(stopping=threading.Event()), SimpleNamespace(stopping=threading.Event())
    monkeypatch.setattr("emwheels.pipeline.worker.kill_children", lambda: killed.append(True))
    monkeypatch.setattr("emwheels.pipeline.worker._busy", {"1": busy, "2": other})
    end("1")
    assert (busy.stopping.is_set(), other.stopping.is_set(), killed) == (True, False, [True])


def test_a_run_that_this_process_has_nothing_to_do_with_is_left_alone(monkeypatch):
    killed, other = [], SimpleNamespace(stopping=threading.Event())
    monkeypatch.setattr("emwheels.pipeline.worker.kill_children", lambda: killed.append(True))
    monkeypatch.setattr("emwheels.pipeline.worker._busy", {"2": other})
    end("1")
    assert (other.stopping.is_set(), killed) == (False, [])


def test_a_task_can_be_ended_while_it_runs(run, there, monkeypatch):
    seen = []

    def build(run, recipe, key, outputs, to):
        seen.append(run.stopping.is_set())
        end("1234")
        seen.append(run.stopping.is_set())
        raise BuildError("its compiler was killed")

    monkeypatch.setattr("emwheels.pipeline.worker.kill_children", lambda: None)
    monkeypatch.setattr("emwheels.pipeline.building.build_package", build)
    assert assignment(run)(ZLIB, {}).outcome.state == "failed"
    assert seen == [False, True]
    assert not any("failed" in line for line in there.boards[-1].lines), "of what was stopped nothing is said"
