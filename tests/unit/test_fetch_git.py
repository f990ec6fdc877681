"""A commit of a git repository as a source: what comes of it, and what is refused, with real repositories."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile

import pytest

from emwheels.errors import FetchError, RecipeError
from emwheels.fetch.fetcher import Fetcher
from emwheels.recipe.load import load_recipe
from emwheels.store import Store

pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="no git here")
SHA = "0123456789abcdef0123456789abcdef01234567"


def git(folder, *arguments):
    settings = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "protocol.file.allow=always")
    done = subprocess.run(["git", "-C", folder, *settings, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(folder, files, *more):
    """Commit ``files`` to the repository in ``folder``, which is made if need be, and return the commit."""
    folder.mkdir(exist_ok=True)
    if not (folder / ".git").exists():
        git(folder, "init", "-q", "-b", "main")
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "x", *more)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def fetcher(tmp_path):
    return Fetcher(Store(tmp_path / "store"))


def members(fetched):
    with tarfile.open(fetched.path) as tar:
        return {info.name.partition("/")[2]: info for info in tar}


def url(folder, at):
    return f"git+{folder.as_uri()}@{at}"


def test_the_files_of_a_commit(fetcher, tmp_path):
    folder = tmp_path / "acme"
    first = commit(folder, {"setup.py": "one", "src/a.c": "", "run.sh": "#!/bin/sh\n"})
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("src/a.c")
    second = commit(folder, {"setup.py": "two"})
    fetched = fetcher.fetch(url(folder, second), None)
    found = members(fetched)
    assert sorted(found) == ["link", "run.sh", "setup.py", "src/a.c"]
    assert (found["run.sh"].mode, found["src/a.c"].mode, found["link"].linkname) == (0o755, 0o644, "src/a.c")
    assert fetched.filename == f"acme-{second[:12]}.tar"
    earlier = fetcher.fetch(url(folder, first), None)
    assert sorted(members(earlier)) == ["run.sh", "setup.py", "src/a.c"], "a commit that no branch ends with"
    assert Fetcher(Store(tmp_path / "other")).fetch(url(folder, second), None).sha256 == fetched.sha256


def test_offline_afterwards(fetcher, tmp_path):
    at = commit(tmp_path / "acme", {"setup.py": ""})
    there = fetcher.fetch(url(tmp_path / "acme", at), None)
    shutil.rmtree(tmp_path / "acme")
    offline = Fetcher(Store(tmp_path / "store"), offline=True)
    assert offline.fetch(url(tmp_path / "acme", at), None).sha256 == there.sha256
    with pytest.raises(FetchError, match="this is offline"):
        offline.fetch(url(tmp_path / "acme", SHA), None)


def test_nothing_that_a_repository_names_is_run_or_applied(fetcher, tmp_path):
    folder, witness = tmp_path / "acme", tmp_path / "it-ran"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {witness}\ncat\n")
    program.chmod(0o755)
    at = commit(folder, {"data.txt": "a\r\n", ".gitattributes": "*.txt filter=evil text eol=lf\n*.out export-ignore\n"})
    at = commit(folder, {"kept.out": "$Format:%H$"})
    for key in ("filter.evil.smudge", "filter.evil.clean", "core.fsmonitor", "uploadpack.packObjectsHook"):
        git(folder, "config", key, str(program))
    git(folder, "config", "core.hooksPath", str(tmp_path))
    for hook in ("post-checkout", "reference-transaction", "post-update"):
        shutil.copy(program, tmp_path / hook)
    fetched = fetcher.fetch(url(folder, at), None)
    with tarfile.open(fetched.path) as tar:
        kept = tar.extractfile(f"acme-{at[:12]}/kept.out").read()
    assert kept == b"$Format:%H$", "attributes leave it out, or fill it in"
    assert not witness.exists()


def test_submodules_by_gitmodules(fetcher, tmp_path):
    inner = commit(tmp_path / "inner", {"lib.c": "int x;"})
    commit(tmp_path / "acme", {"setup.py": ""})
    git(tmp_path / "acme", "submodule", "add", "-q", "../inner", "third/inner")
    at = commit(tmp_path / "acme", {"more.py": ""})
    assert sorted(members(fetcher.fetch(url(tmp_path / "acme", at), None))) == [
        ".gitmodules",
        "more.py",
        "setup.py",
        "third/inner/lib.c",
    ]
    commit(tmp_path / "inner", {"lib.c": "int y;"})
    shutil.rmtree(tmp_path / "inner")
    commit(tmp_path / "inner", {"other.c": ""})
    fresh = Fetcher(Store(tmp_path / "fresh"))
    with pytest.raises(FetchError, match=f"has no commit {inner}"):
        fresh.fetch(url(tmp_path / "acme", at), None)


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ("", "has no address of the submodule third"),
        ('[submodule "t"]\n path = third\n url = ext::sh -c touch% x\n', "only https, ssh, file is fetched"),
        ('[submodule "t"]\n path = third\n url = http://127.0.0.1:1/x\n', "only https, ssh, file is fetched"),
        ('[submodule "t"]\n path = third\n url = file:///nowhere/at/all\n', "git cannot read it: fatal: "),
    ],
)
def test_submodules_that_cannot_be_had(fetcher, tmp_path, modules, message):
    commit(tmp_path / "inner", {"lib.c": ""})
    folder = tmp_path / "acme"
    commit(folder, {"setup.py": "", ".gitmodules": modules})
    git(folder, "update-index", "--add", "--cacheinfo", f"160000,{git(tmp_path / 'inner', 'rev-parse', 'HEAD')},third")
    git(folder, "commit", "-qm", "x")
    with pytest.raises(FetchError) as caught:
        fetcher.fetch(url(folder, git(folder, "rev-parse", "HEAD")), None)
    assert message in caught.value.message
    assert "\n" not in caught.value.message


def test_what_goes_wrong_is_one_line(fetcher, tmp_path, monkeypatch):
    at = commit(tmp_path / "acme", {"setup.py": ""})
    with pytest.raises(FetchError, match=f"has no commit {SHA}"):
        fetcher.fetch(url(tmp_path / "acme", SHA), None)
    with pytest.raises(FetchError, match="git cannot read it: fatal: ") as caught:
        fetcher.fetch(url(tmp_path / "nowhere", at), None)
    assert "\n" not in caught.value.message
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FetchError, match="there is no git on this machine"):
        fetcher.fetch(url(tmp_path / "acme", at), None)


def test_variables_that_mean_another_repository_are_left_out(fetcher, tmp_path, monkeypatch):
    at = commit(tmp_path / "acme", {"setup.py": ""})
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_OBJECT_DIRECTORY", "GIT_INDEX_FILE"):
        monkeypatch.setenv(name, os.devnull)
    assert sorted(members(fetcher.fetch(url(tmp_path / "acme", at), None))) == ["setup.py"]


def recipe(tmp_path, source):
    folder = tmp_path / "recipes" / "acme"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "meta.yaml").write_text(f"package: {{name: acme, version: '1.0'}}\nsource: {source}\n")
    return load_recipe(folder, patches=tmp_path / "patches")


def test_a_recipe_needs_no_hash(tmp_path):
    assert recipe(tmp_path, f"{{url: 'git+https://example.org/acme.git@{SHA}'}}").source.sha256 is None
    assert recipe(tmp_path, f"{{url: 'git+ssh://git@example.org/acme@{SHA}'}}").source.url


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{url: 'git+https://example.org/a@main'}", "main can move: .* git ls-remote https://example.org/a main$"),
        ("{url: 'git+https://example.org/a'}", "no commit is named: .* git ls-remote https://example.org/a$"),
        ("{url: 'git+https://example.org/a@0123456'}", "0123456 can move"),
        (f"{{url: 'git+http://example.org/a@{SHA}'}}", "is no git repository"),
        (f"{{url: 'git+ext://sh/a@{SHA}'}}", "is no git repository"),
        (f"{{url: 'git+https://me:secret@example.org/a@{SHA}'}}", "has a user or password in it"),
        (f"{{url: 'git+https://example.org/a@{SHA}#subdirectory=x'}}", "source.extract_dir"),
        (f"{{url: 'git+https://example.org/a@{SHA}', sha256: {'0' * 64}}}", "the commit is the hash"),
    ],
)
def test_addresses_that_are_refused(tmp_path, source, message):
    with pytest.raises(RecipeError, match=message) as caught:
        recipe(tmp_path, source)
    assert "secret" not in caught.value.message


def test_what_is_no_address_is_an_error(fetcher):
    with pytest.raises(FetchError, match="names no commit"):
        fetcher.fetch(f"git+https://[x@{SHA}", None)


def test_a_submodule_at_no_address_is_an_error(fetcher, tmp_path):
    folder = tmp_path / "acme"
    first = commit(folder, {".gitmodules": '[submodule "x"]\npath = x\nurl = https://[x\n'})
    git(folder, "update-index", "--add", "--cacheinfo", f"160000,{first},x")
    git(folder, "commit", "-qm", "x")
    with pytest.raises(FetchError, match="the submodule x is at"):
        fetcher.fetch(url(folder, git(folder, "rev-parse", "HEAD")), None)


def test_few_trees_with_ten_billion_files_are_too_much(fetcher, tmp_path):
    folder = tmp_path / "acme"
    commit(folder, {"a": ""})
    kind, digest = "100644 blob", git(folder, "rev-parse", "HEAD:a")
    for _ in range(10):
        entries = "".join(f"{kind} {digest}\tn{number}\n" for number in range(10))
        made = subprocess.run(
            ["git", "-C", folder, "mktree"], input=entries, check=True, capture_output=True, text=True
        )
        kind, digest = "040000 tree", made.stdout.strip()
    bomb = git(folder, "commit-tree", "-m", "x", digest)
    git(folder, "branch", "bomb", bomb)
    with pytest.raises(FetchError, match="has more than 50,000 files"):
        fetcher.fetch(url(folder, bomb), None)
