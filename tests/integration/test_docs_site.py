"""The documentation site is made strictly, has what the code says, and asks nothing of a network."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from emwheels.audit.rules import RULES
from emwheels.author.schema import recipe_schema
from emwheels.recipe.keys import KEYS

CHECKOUT = Path(__file__).parents[2]
PROGRAM = CHECKOUT / "docs" / "website" / "make_site.py"
LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


def make(program, folder):
    return subprocess.run([sys.executable, program, folder], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs") / "site"
    done = make(PROGRAM, folder)
    assert done.returncode == 0, done.stderr
    return folder


class Loads(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name == LOADED.get(tag)]


def test_nothing_comes_from_elsewhere(site):
    for page in site.rglob("*.html"):
        loads = Loads()
        loads.feed(page.read_text())
        for place in loads.found:
            assert not re.match(r"(https?:)?//", place), (page, place)
            path = place.partition("?")[0].partition("#")[0]
            assert not path or (page.parent / path).exists() or place.startswith("data:"), (page, place)
    for style in site.rglob("*.css"):
        assert not re.search(r"@import|url\(\s*[\"']?(https?:)?//", style.read_text()), style


def test_the_search_knows_every_page(site):
    index = (site / "searchindex.js").read_text()
    pages = {str(page.relative_to(site).with_suffix("")) for page in site.rglob("*.html")} - {"genindex", "search"}
    assert [page for page in pages if f'"{page}"' not in index] == []
    assert "mmdebstrap" in index, "the text of pages, not only their titles"


def test_the_reference_has_what_the_code_has(site):
    def ids(name):
        return set(re.findall(r' id="([^"]+)"', (site / "reference" / name).read_text()))

    assert set(RULES) <= ids("audit-rules.html")
    assert len(ids("meta-yaml.html")) > len(KEYS)
    assert "a profile of targets.toml" in (site / "reference" / "commands" / "build.html").read_text()
    assert 'id="room-pipeline"' in (site / "reference" / "rooms.html").read_text()


def test_dead_links_fail(tmp_path):
    for name in ("ci", "demo", "benchmarks", "src", "targets.toml"):
        (tmp_path / name).symlink_to(CHECKOUT / name)
    for file in CHECKOUT.glob("*.md"):
        shutil.copyfile(file, tmp_path / file.name)
    shutil.copytree(CHECKOUT / "docs", tmp_path / "docs")
    with (tmp_path / "docs" / "serving.md").open("a") as page:
        page.write("\n[page](gone.md) [part](how-it-works.md#gone-part) [own part](#gone-own-part)\n")
    (tmp_path / "docs" / "in-no-group.md").write_text("# New\n")
    done = make(tmp_path / "docs" / "website" / "make_site.py", tmp_path / "site")
    assert done.returncode != 0
    for said in ("gone.md", "gone-part", "gone-own-part", "in-no-group.md"):
        assert said in done.stderr
    assert not (tmp_path / "site").exists()


def test_another_folder_is_left_alone(tmp_path):
    (tmp_path / "mine").write_text("")
    done = make(PROGRAM, tmp_path)
    assert done.returncode == 2
    assert (tmp_path / "mine").exists()


def test_the_schema_for_editors_is_beside_the_reference(site):
    schema = json.loads((site / "reference" / "meta.schema.json").read_text())
    assert schema == recipe_schema()
