"""What a backend asks for when it runs, and build tools without a wheel: locked and built in the real sandbox."""

from __future__ import annotations

import shutil
from hashlib import sha256
from pathlib import Path

import pytest
from packed import tar_gz
from synthetic_wheels import make_wheel

SETUPTOOLS = Path(__file__).resolve().parents[2] / "recipes" / "msgpack" / "requirements.build.txt"
BACKEND = """
from setuptools.build_meta import *

def get_requires_for_build_wheel(config_settings=None):
    return ["late>=1", "onlysource"]

def build_wheel(*arguments, **options):
    import late, onlysource
    from setuptools import build_meta
    return build_meta.build_wheel(*arguments, **options)
"""
PYPROJECT = (
    '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    '[project]\nname = "tiny"\nversion = "1.0"\n'
)
TOOL = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'


@pytest.fixture
def project(tiny_project, environment, tmp_path):
    """A project whose index is on loopback: setuptools, a wheel ``late``, and ``onlysource``, a source archive."""
    folder = tiny_project.served / tmp_path.name
    given = environment.fetcher.fetch_requirements(SETUPTOOLS, python=environment.target.python_minor)
    files = {wheel.filename: wheel.path.read_bytes() for wheel in given}
    late = make_wheel(tmp_path, "late", "1.2", files={"late.py": ""})
    files[late.name] = late.read_bytes()
    tool = {
        "pyproject.toml": f'{TOOL}[project]\nname = "onlysource"\nversion = "3.0"\n[tool.setuptools]\n'
        'py-modules = ["onlysource"]\n',
        "onlysource.py": "",
    }
    files["onlysource-3.0.tar.gz"] = tar_gz({f"onlysource-3.0/{name}": text for name, text in tool.items()})
    for name, data in files.items():
        page = folder / "simple" / name.partition("-")[0] / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        (page.parent / name).write_bytes(data)
        link = f'<a href="{name}#sha256={sha256(data).hexdigest()}">{name}</a>\n'
        page.write_text((page.read_text() if page.exists() else "") + link)
    tiny_project.env |= {
        "PIP_INDEX_URL": f"{tiny_project.address}/{tmp_path.name}/simple/",
        "PIP_CONFIG_FILE": "/dev/null",
    }
    yield tiny_project
    shutil.rmtree(folder)


def test_a_build_locks_what_the_backend_asks_for_and_builds_a_tool_without_a_wheel(project, extension, module):
    members = extension("tiny", module("tiny", "")) | {"backend.py": BACKEND, "pyproject.toml": PYPROJECT}
    folder = project.recipe("tiny", members, locked=False)
    refused = project.run("build", "--no-test", "--locked", "tiny")
    assert refused.status == 3
    assert "needs a lock: there is no requirements.build.txt" in refused.err
    done = project.run("build", "--no-test", "tiny", seconds=600)
    assert done.status == 0, done.err
    lock = (folder / "requirements.build.txt").read_text()
    assert "late==1.2" in lock
    assert "onlysource==3.0" in lock
    assert project.published()


def test_a_backend_that_crashes_is_a_line_and_the_lock_is_made(project):
    broken = "raise RuntimeError('no such machine')\n"
    folder = project.recipe("tiny", {"backend.py": broken, "pyproject.toml": PYPROJECT}, locked=False)
    done = project.run("lock", "tiny", seconds=600)
    assert done.status == 0, done.err
    assert "could not be asked what it needs when it runs: RuntimeError: no such machine" in done.err
    assert "requirements.build-extras" in done.err
    assert "setuptools==" in (folder / "requirements.build.txt").read_text()
