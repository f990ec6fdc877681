"""What a recipe lists for its build to find instead of fetching it."""

from __future__ import annotations

import pytest
import yaml

from emwheels.plan.key import build_key, code_digest, explain
from emwheels.recipe.downloads import Download
from emwheels.recipe.examine import examine

SHA256 = "0123456789abcdef" * 4
META = f"package: {{name: demo, version: '1.0'}}\nsource: {{url: 'pkg:pypi/demo@1.0', sha256: {SHA256}}}\n"
FMT = {"name": "fmt", "url": "pkg:deb/debian/fmtlib@10.1.1", "sha256": SHA256}


@pytest.fixture
def read(tmp_path):
    def read(downloads):
        folder = tmp_path / "demo"
        folder.mkdir(exist_ok=True)
        (folder / "meta.yaml").write_text(META + yaml.safe_dump({"extra": {"emwheels": {"downloads": downloads}}}))
        recipe, findings = examine(folder, None)
        return recipe, [f"{problem.key}: {problem.message}" for problem in findings.problems]

    return read


def test_what_is_written_is_read(read):
    header = {"name": "catch.hpp", "url": "https://example.org/catch.hpp?token=secret", "sha256": SHA256}
    recipe, problems = read([FMT, header | {"unpack": False}])
    assert problems == []
    assert recipe.downloads[0] == Download(**FMT)
    assert (recipe.downloads[0].unpack, recipe.downloads[1].unpack) == (True, False)
    assert "secret" not in recipe.downloads[1].address
    assert read(None)[0].downloads == read([])[0].downloads == ()


@pytest.mark.parametrize(
    ("downloads", "said"),
    [
        ({"fmt": "url"}, "downloads: must be a list of entries with name, url and sha256"),
        (["fmt"], "downloads[0]: must be a mapping with name, url and sha256"),
        ([FMT, {"name": "x"}], "downloads[1].url: is missing; an entry needs name, url and sha256"),
        ([FMT | {"sha256": "0"}], "downloads[0].sha256: must be 64 hexadecimal digits in lower case"),
        ([FMT | {"name": "../fmt"}], "downloads[0].name: ../fmt is no name that build files ask for"),
        ([FMT | {"name": "..."}], "downloads[0].name: ... is no name that build files ask for"),
        ([FMT | {"name": 7}], "downloads[0].name: must be text (put a number in quotes)"),
        ([FMT | {"url": "file:///etc/passwd"}], "downloads[0].url: file:///etc/passwd is neither"),
        ([FMT | {"unpack": "no"}], "downloads[0].unpack: must be true or false"),
        ([FMT | {"sha265": "0"}], "downloads[0].sha265: unknown key; did you mean sha256?"),
        ([FMT, FMT | {"name": "FMT"}], "downloads[1].name: FMT is there twice, whatever its case"),
    ],
)
def test_a_wrong_value_is_named(read, downloads, said):
    assert any(f"extra.emwheels.{said}" in problem for problem in read(downloads)[1])


def test_they_are_in_the_build_key_by_hash(read, targets):
    def key(downloads):
        return build_key(
            read(downloads)[0], targets.get(None), profile="speed",
            image_digest="", toolchain="", toolchain_key="", dependencies={},
        )  # fmt: skip

    none, one, other = key([]), key([FMT]), key([FMT | {"sha256": "f" * 64}])
    assert "downloads" not in none.inputs, "the keys of recipes without any stay"
    assert len({each.digest for each in (none, one, other)}) == 3
    assert len({code_digest(each) for each in (none, one, other)}) == 3, "another code has another compiler cache"
    assert explain(one, none.inputs) == ["download fmt added"]
    assert explain(other, one.inputs) == ["download fmt changed"]
