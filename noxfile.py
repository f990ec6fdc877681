"""Sessions: thin callers of the ``emwheels`` command. ``nox -l`` lists them."""

from __future__ import annotations

import os
from pathlib import Path

import nox

nox.options.sessions = ["lint", "tests"]
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = False

SOURCES = ("src", "tests", "recipes", "benchmarks", "ci", "demo", "docs", "noxfile.py")


def emwheels(session: nox.Session, *arguments: str) -> None:
    """Install the project once and run its command."""
    installed = Path(session.virtualenv.location) / "emwheels-installed"
    wanted = Path("pyproject.toml").read_text()
    if not installed.is_file() or installed.read_text() != wanted:
        session.install("--quiet", "--editable", ".")
        installed.write_text(wanted)
    session.run("python", "-m", "emwheels", *arguments)


@nox.session(name="build-package")
def build_package(session: nox.Session) -> None:
    """Build, audit, test and index packages: nox -s build-package -- NAME... [--all] [--target T] [--profile P]."""
    emwheels(session, "build", *session.posargs)


@nox.session
def plan(session: nox.Session) -> None:
    """Say what a build would do, and why: nox -s plan -- [NAME...] [--json]."""
    emwheels(session, "plan", *session.posargs)


@nox.session
def reproduce(session: nox.Session) -> None:
    """Build packages twice and compare the bytes: nox -s reproduce -- NAME... [--all]."""
    emwheels(session, "reproduce", *session.posargs)


@nox.session(name="test-package")
def test_package(session: nox.Session) -> None:
    """Run the tests of built packages again: nox -s test-package -- NAME... [--engine node]."""
    emwheels(session, "test", *session.posargs)


@nox.session(name="upstream-tests")
def upstream_tests(session: nox.Session) -> None:
    """Run packages' own test suites inside Pyodide: nox -s upstream-tests -- [NAME...]."""
    emwheels(session, "upstream-tests", *session.posargs)


@nox.session
def serve(session: nox.Session) -> None:
    """Serve dist/ with the headers that micropip needs, or write a server's configuration: nox -s serve -- --help."""
    emwheels(session, "serve", *session.posargs)


@nox.session
def demo(session: nox.Session) -> None:
    """Build the browser demo, wheels that are missing first, and serve it: nox -s demo -- [--port N]."""
    session.install("--quiet", "--editable", ".", *nox.project.dependency_groups(PYPROJECT, "demo"))
    session.run("python", "demo/build_site.py", *session.posargs)


@nox.session
def verify(session: nox.Session) -> None:
    """Prove a published index with micropip, pip and uv: nox -s verify -- URL/simple."""
    emwheels(session, "index", "verify", *session.posargs)


@nox.session
def tables(session: nox.Session) -> None:
    """Write the tables of docs/ from what was built and tested, or check them: nox -s tables -- [NAME...] [--check]."""
    emwheels(session, "tables", *session.posargs)


@nox.session
def image(session: nox.Session) -> None:
    """Make the images if they are missing and show what is in them; also: -- save FILE, -- load FILE."""
    emwheels(session, "image", *session.posargs)


@nox.session
def publish(session: nox.Session) -> None:
    """Send dist/ to a folder, another machine or a bucket: nox -s publish -- DEST [--base-url URL] [--dry-run]."""
    emwheels(session, "publish", *session.posargs)


@nox.session
def lock(session: nox.Session) -> None:
    """Pin the build requirements of recipes by hash: nox -s lock -- NAME..."""
    emwheels(session, "lock", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure the speed of a package against upstream's flags, native CPython and JavaScript: nox -s bench -- NAME."""
    session.install("--quiet", "--editable", ".")
    session.run("python", "benchmarks/speed.py", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Make the documentation site in site/, without network: a dead link or a missing anchor fails."""
    session.install("--quiet", "--editable", ".", *nox.project.dependency_groups(PYPROJECT, "docs"))
    session.run("python", "docs/website/make_site.py", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the project's own tests: unit, integration with the real toolchain, end to end in real engines."""
    session.install("--quiet", "--editable", ".", *nox.project.dependency_groups(PYPROJECT, "dev"))
    if not session.posargs:  # or the first test of each process waits for them, longer than its limit may be
        with Path(os.devnull).open("w") as nowhere:
            session.run("emwheels", "image", stdout=nowhere)
    # Files in their order: those that take minutes are first, and the fast ones fill both processes to the end.
    session.run("pytest", "--numprocesses=2", "--dist=loadgroup", "--no-loadscope-reorder", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and types."""
    session.install("--quiet", "--editable", ".", "nox", *nox.project.dependency_groups(PYPROJECT, "dev"))
    session.run("ruff", "check", *SOURCES)
    session.run("ruff", "format", "--check", *SOURCES)
    session.run("mypy")
    session.run("lint-imports", "--no-cache", "--no-logo")
    session.run("python", "benchmarks/structure.py")
    session.run("python", "benchmarks/prose.py")
    session.run("emwheels", "lint")
    session.run("emwheels", "tables", "--check")
    github = ("ci/github/bump.yml", "ci/github/wheels.yml")
    action = "ci/github/build-project/action.yml"
    session.run("zizmor", "--offline", "--quiet", "--no-progress", *github, action)
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-actions", action)
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *github)
    gitlab = ("ci/gitlab/build.yml", "ci/gitlab/bump.gitlab-ci.yml", "ci/gitlab/wheels.gitlab-ci.yml")
    session.run("check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", *gitlab)


PYPROJECT = nox.project.load_toml("pyproject.toml")
