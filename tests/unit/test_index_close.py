"""An index that is closed: what comes in, what is pinned, what stays, and what cannot be closed."""

from __future__ import annotations

import json

import pytest
from sample_target import TARGET
from synthetic_wheels import OLD_WASM, WASM, make_wheel

from emwheels import index
from emwheels.errors import IndexingError, UsageError
from emwheels.fetch.index_pages import Offer, Resource
from emwheels.index.close import Sources, close
from emwheels.index.close_lock import ClosingLock, PinnedWheel, read_closing_lock
from emwheels.index.lockfile import Release, bare_release
from emwheels.index.places.folder import Folder
from emwheels.index.publishing import publish_to
from emwheels.index.update import read_catalogue
from emwheels.store import sha256_of

MACOS = "cp314-cp314-macosx_11_0_arm64"


def release(**packages):
    """A release whose own lock has ``packages``: name -> what it needs."""
    entries = {
        name: {"name": name, "version": "9.0", "file_name": f"{name}.whl", "depends": list(needs), "imports": [name]}
        for name, needs in packages.items()
    }
    return Release(
        name=TARGET.name,
        python=TARGET.python,
        platform_tag=TARGET.platform_tag,
        packages_url="https://packages.example.org/",
        lock={"info": {}, "packages": entries},
    )


class Web:
    """A package index in a folder, which counts what is asked of it."""

    def __init__(self, folder):
        self.folder = folder
        self.asked = []
        self.fetched = []
        self.wheels = {}
        self.add("micropip")

    def add(self, name, version="1.0", *needs, tag="py3-none-any", **more):
        wheel = make_wheel(self.folder, name, version, tag=tag, requires=needs, **more)
        self.wheels[wheel.name] = wheel
        return wheel

    def offers(self, name):
        self.asked.append(name)
        return [
            Offer(
                resource=Resource(url="", filename=filename, sha256=sha256_of(wheel)),
                version=filename.split("-")[1],
                requires_python=">=3.15" if "newpython" in filename else "",
            )
            for filename, wheel in self.wheels.items()
            if filename.partition("-")[0].replace("_", "-") == name
        ]

    def fetch(self, offer):
        wheel = self.wheels[offer.resource.filename]
        assert sha256_of(wheel) == offer.resource.sha256, "the fetcher refuses other bytes"
        self.fetched.append(wheel.name)
        return wheel


@pytest.fixture
def web(tmp_path):
    return Web(tmp_path / "web")


@pytest.fixture
def dist(tmp_path):
    return Folder(tmp_path / "dist")


@pytest.fixture
def add(tmp_path, dist):
    def add(name, version="1.0", *needs, tag=WASM, **more):
        wheel = make_wheel(tmp_path / "made", name, version, tag=tag, requires=needs, **more)
        index.publish(dist.root, wheel, wheel.name)

    return add


@pytest.fixture
def run(tmp_path, dist, web):
    def run(*asked, releases=(), recipes=(), offline=False, **more):
        offers = (lambda _name: ()) if offline else web.offers
        sources = Sources(offers=offers, fetch=web.fetch, recipes=recipes)
        return close(
            dist, tmp_path / "index.lock", releases=releases or [release()], sources=sources, asked=asked, **more
        )

    return run


def lines(tmp_path):
    return [
        f"{wheel.filename.split('-py')[0]} {','.join(wheel.needed_by)}"
        for wheel in read_closing_lock(tmp_path / "index.lock").wheels
    ]


def locked(dist):
    return json.loads(dist.read(f"pyodide-lock-{TARGET.name}.json"))["packages"]


def test_what_is_missing_comes_in_with_all_that_it_needs(run, add, web, dist, tmp_path):
    add("app", "1.0", "dates>=2", 'win; sys_platform == "win32"', 'test; extra == "dev"')
    web.add("dates", "2.0", "six")
    web.add("dates", "1.0")
    web.add("six")
    done = run()
    assert [name.split("-py")[0] for name in done.added] == ["dates-2.0", "micropip-1.0", "six-1.0"]
    assert lines(tmp_path) == ["dates-2.0 app", "micropip-1.0 asked", "six-1.0 dates"]
    assert set(read_catalogue(dist).projects) == {"app", "dates", "micropip", "six"}
    packages = locked(dist)
    assert {name: entry["depends"] for name, entry in packages.items()} == {
        "app": ["dates"],
        "dates": ["six"],
        "micropip": [],
        "six": [],
    }
    assert not any("://" in entry["file_name"] for entry in packages.values())
    assert dist.read("wheels/dates-2.0-py3-none-any.whl.metadata") is not None


def test_a_second_time_nothing_is_asked_fetched_or_written(run, add, web, dist, tmp_path):
    add("app", "1.0", "dates")
    web.add("dates")
    run()
    before = {path: path.stat().st_mtime_ns for path in (*dist.root.rglob("*"), tmp_path / "index.lock")}
    web.asked, web.fetched = [], []
    web.add("dates", "2.0")
    done = run()
    assert (web.asked, web.fetched, done.added, done.changed) == ([], [], (), None)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_elsewhere_the_lock_gives_the_same_without_a_package_index(run, add, web, dist, tmp_path):
    add("app", "1.0", "dates")
    web.add("dates")
    run("dates>=1")
    text = (tmp_path / "index.lock").read_bytes()
    for name in read_catalogue(dist).projects:
        index.withdraw(
            dist.root,
            f"{name}-1.0-py3-none-any.whl",
            sha256=sha256_of(web.folder / f"{name}-1.0-py3-none-any.whl") if name != "app" else "",
        )
    assert set(read_catalogue(dist).projects) == {"app"}
    web.add("dates", "2.0")
    done = run(offline=True)
    assert done.added == ("dates-1.0-py3-none-any.whl", "micropip-1.0-py3-none-any.whl")
    assert (tmp_path / "index.lock").read_bytes() == text


def test_what_nothing_needs_any_more_goes_and_a_pin_that_does_not_fit_is_replaced(run, add, web, dist, tmp_path):
    add("app", "1.0", "dates", "old")
    web.add("dates", "1.0", "six")
    web.add("six")
    web.add("old")
    run()
    web.add("dates", "2.0")
    add("app", "2.0", "dates>=2")
    done = run()
    assert done.added == ("dates-2.0-py3-none-any.whl",)
    assert [name.partition("-")[0] for name in done.removed] == ["dates", "old", "six"]
    assert set(locked(dist)) == {"app", "dates", "micropip"}
    assert lines(tmp_path) == ["dates-2.0 app", "micropip-1.0 asked"]
    assert dist.read("wheels/six-1.0-py3-none-any.whl") is None
    assert dist.read("simple/six/index.html") is None


def test_a_line_of_a_project_that_was_not_built_here_stays(run, add, web, dist, tmp_path):
    add("app", "1.0", "dates")
    add("other", "1.0", "six")
    web.add("dates")
    web.add("six")
    run()
    catalogue = read_catalogue(dist)
    index.withdraw(dist.root, f"other-1.0-{WASM}.whl", sha256=catalogue.projects["other"].files[0].sha256)
    run()
    assert lines(tmp_path) == ["dates-1.0 app", "micropip-1.0 asked", "six-1.0 other"]


def test_a_set_and_a_requirement_are_kept_for_the_next_time(run, add, web, tmp_path):
    add("app")
    web.add("pytest", "9.0", "pluggy")
    web.add("pluggy")
    web.add("requests", "2.0")
    run("pytest", "requests<3")
    web.add("requests", "2.5")
    assert lines(tmp_path) == ["micropip-1.0 asked", "pluggy-1.0 pytest", "pytest-9.0 asked", "requests-2.0 asked"]
    assert run().removed == ()
    assert read_closing_lock(tmp_path / "index.lock").asked == ("pytest", "requests<3")


@pytest.mark.parametrize("asked", ["no such thing", "a @ https://example.org/a.whl"])
def test_what_is_asked_for_has_to_be_a_requirement(run, add, asked):
    add("app")
    with pytest.raises(UsageError, match="--with"):
        run(asked)


def test_a_compiled_requirement_is_named_with_the_chain_that_leads_to_it(run, add, web, dist, tmp_path):
    add("app", "1.0", "middle")
    web.add("middle", "1.0", "fast>=1")
    web.add("fast", "2.0", tag=MACOS)
    web.add("fast", "0.1")
    with pytest.raises(IndexingError) as caught:
        run()
    assert "fast>=1 (of middle 1.0, which app needs): fast is compiled and has no wheel for pyemscripten_2026_0" in (
        caught.value.message
    )
    assert "it needs a recipe" in caught.value.message
    with pytest.raises(IndexingError, match="there is a recipe: emwheels build fast"):
        run(recipes={"fast"})
    assert set(read_catalogue(dist).projects) == {"app"}
    assert not (tmp_path / "index.lock").exists()


def test_a_pure_wheel_of_the_time_before_a_project_was_compiled_is_not_taken(run, add, web):
    add("app", "1.0", "fast")
    web.add("fast", "2.0", tag=MACOS)
    web.add("fast", "0.1")
    with pytest.raises(IndexingError, match="fast is compiled"):
        run()
    web.add("fast", "2.0", tag=WASM)
    assert f"fast-2.0-{WASM}.whl" in run().added, "somebody else has built it for this ABI"


def test_a_wheel_that_must_not_be_in_an_index_is_passed_over(run, add, web):
    add("app", "1.0", "dates")
    web.add("dates", "1.0")
    web.add("dates", "2.0", record="")
    assert "dates-1.0-py3-none-any.whl" in run().added
    add("other", "1.0", "only")
    web.add("only", "1.0", record="")
    with pytest.raises(IndexingError, match=r"only \(of other 1\.0\): only-1\.0-py3-none-any\.whl must not be"):
        run()


def test_two_projects_that_want_different_versions_are_named(run, add, web):
    add("left", "1.0", "dates<2")
    add("right", "1.0", "dates>=2")
    web.add("dates", "1.0")
    web.add("dates", "2.0")
    with pytest.raises(IndexingError) as caught:
        run()
    assert "dates<2 (of left 1.0)" in caught.value.message
    assert "dates>=2 (of right 1.0)" in caught.value.message


def test_of_ours_it_is_the_newest_that_has_to_fit(run, add, web):
    add("app", "1.0", "lib<2")
    add("lib", "1.0")
    add("lib", "2.0")
    with pytest.raises(IndexingError, match=r"lib<2 \(of app 1\.0\): there is 2\.0, 1\.0|lib==2\.0 \(asked for\)"):
        run()


def test_a_wheel_for_a_later_python_is_not_taken(run, add, web, dist):
    add("app", "1.0", "newpython")
    web.add("newpython", "1.0")
    with pytest.raises(IndexingError, match="newpython"):
        run()


def test_a_package_of_pyodides_stays_only_if_it_is_named(run, add, web, dist):
    add("app", "1.0", "ssl")
    base = release(ssl=["libssl"], libssl=[], numpy=[])
    with pytest.raises(IndexingError, match=r"ssl \(of app 1\.0\): no index that was asked has ssl"):
        run(releases=[base])
    run(releases=[base], foreign=["ssl"])
    packages = locked(dist)
    assert set(packages) == {"app", "libssl", "micropip", "ssl"}
    assert packages["ssl"]["file_name"] == "https://packages.example.org/ssl.whl"
    with pytest.raises(UsageError, match="no package nothing in its lock"):
        run(releases=[base], foreign=["nothing"])


def test_two_releases_are_closed_each_for_itself(run, add, web, dist, targets):
    other = bare_release(targets.targets["315.0.0-alpha.2"])
    add("app", "1.0", "dates")
    add("pure", "1.0", "app", 'late; python_version >= "3.15"', tag="py3-none-any")
    add("both", "1.0", 'late; python_version >= "3.15"', tag="py3-none-any")
    web.add("dates")
    web.add("late")
    done = run(releases=[release(), other])
    assert done.elsewhere == {other.name: {"pure": "app"}}
    wheels = {wheel.name: wheel for wheel in done.lock.wheels}
    assert wheels["dates"].releases == (TARGET.name,)
    assert wheels["late"].releases == (other.name,)
    assert wheels["micropip"].releases == (TARGET.name, other.name)
    assert "pure" not in json.loads(dist.read(f"pyodide-lock-{other.name}.json"))["packages"]
    assert "pure" in locked(dist)


def test_a_dry_run_changes_nothing(run, add, web, dist, tmp_path):
    add("app", "1.0", "dates")
    web.add("dates")
    before = {path: path.read_bytes() for path in dist.root.rglob("*") if path.is_file()}
    done = run(dry_run=True)
    assert done.added == ("dates-1.0-py3-none-any.whl", "micropip-1.0-py3-none-any.whl")
    assert {path: path.read_bytes() for path in dist.root.rglob("*") if path.is_file()} == before
    assert not (tmp_path / "index.lock").exists()


def test_a_closed_index_stays_closed_when_something_is_built(run, add, web, dist):
    add("app")
    run(releases=[release(numpy=[])])
    add("maths", "1.0", "numpy")
    assert set(locked(dist)) == {"app", "micropip"}


def test_the_lock_is_the_same_whatever_order_things_came_in():
    wheels = [
        PinnedWheel(filename=f"{name}-1.0-py3-none-any.whl", sha256="0" * 64, releases=("1",), needed_by=("x", "y"))
        for name in ("b", "a")
    ]
    one = ClosingLock(wheels=tuple(wheels), asked=("b", "a"), foreign=("d", "c"))
    two = ClosingLock(wheels=tuple(reversed(wheels)), asked=("a", "b"), foreign=("c", "d"))
    assert one.dump() == two.dump()


def test_the_lock_is_read_as_it_was_written(tmp_path):
    wheel = PinnedWheel(filename="a-1.0-py3-none-any.whl", sha256="1" * 64, releases=("1", "2"), needed_by=("x",))
    lock = ClosingLock(wheels=(wheel,), asked=("requests<3",), foreign=("ssl",))
    lock.write(tmp_path / "index.lock")
    assert read_closing_lock(tmp_path / "index.lock") == lock


@pytest.mark.parametrize(
    "line",
    [
        "a-1.0-py3-none-any.whl",
        "../a-1.0-py3-none-any.whl sha256=" + "0" * 64 + " for=1 needed-by=x",
        "a-1.0.tar.gz sha256=" + "0" * 64 + " for=1 needed-by=x",
        "a-1.0-py3-none-any.whl sha256=00 for=1 needed-by=x",
        "\x1b[31m",
    ],
)
def test_a_line_that_is_wrong_is_named_by_its_number(tmp_path, line):
    path = tmp_path / "index.lock"
    path.write_text(f"# made by somebody\n\n{line}\n")
    with pytest.raises(IndexingError, match=r"index\.lock:3: ") as caught:
        read_closing_lock(path)
    assert "\x1b" not in caught.value.message


# Publishing.


def test_an_open_index_is_not_published_unless_that_is_wanted(add, dist, tmp_path, web, run):
    add("app", "1.0", "dates")
    www = Folder(tmp_path / "www")
    assumed = [bare_release(TARGET)]
    with pytest.raises(IndexingError, match=r"app needs dates, which is not in this index \(Pyodide 314") as caught:
        publish_to(dist, www, assumed=assumed)
    assert "emwheels index close" in caught.value.hint
    assert www.read("packages.json") is None
    publish_to(dist, www, assumed=assumed, opened=True)
    assert read_catalogue(www).foreign is None
    web.add("dates")
    run()
    publish_to(dist, www, assumed=assumed)
    assert read_catalogue(www).foreign == ()
    assert set(locked(www)) == {"app", "dates", "micropip"}


def test_a_project_that_needs_nothing_foreign_is_closed_by_itself(add, dist, tmp_path):
    add("app", "1.0", "lib", 'win; sys_platform == "win32"')
    add("lib")
    index.publish(dist.root, dist.root / f"wheels/app-1.0-{WASM}.whl", f"app-1.0-{WASM}.whl", release=release(numpy=[]))
    publish_to(dist, Folder(tmp_path / "www"))
    assert set(locked(Folder(tmp_path / "www"))) == {"app", "lib"}


def test_what_the_destination_has_counts(add, dist, tmp_path):
    add("lib")
    www = Folder(tmp_path / "www")
    publish_to(dist, www, assumed=[bare_release(TARGET)])
    fresh = Folder(tmp_path / "fresh")
    wheel = make_wheel(tmp_path / "made", "app", requires=["lib"], tag=WASM)
    index.publish(fresh.root, wheel, wheel.name)
    publish_to(fresh, www, assumed=[bare_release(TARGET)])
    assert set(read_catalogue(www).projects) == {"app", "lib"}


def test_a_project_for_another_release_alone_is_no_gap(add, dist, tmp_path):
    add("old", "1.0", "nowhere", tag=OLD_WASM)
    add("pure", "1.0", "old", tag="py3-none-any")
    publish_to(dist, Folder(tmp_path / "www"), assumed=[bare_release(TARGET)])
