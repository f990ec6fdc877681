"""A real wheel carries its build report, the SBOM of what it links, and that library's licence."""

from __future__ import annotations

import json
import zipfile

import pytest
from tiny_library import LIBRARY_META, USER_C, USER_META

pytestmark = [pytest.mark.image, pytest.mark.timeout(400)]

LICENSED_META = LIBRARY_META + "    about:\n      license: Zlib\n"


def test_a_wheel_says_what_it_is_made_of(tiny_project, extension, module, image):
    files = {
        "library.c": "int answer(void) { return 41; }\n",
        "library.h": "int answer(void);\n",
        "COPYING": "Do what you like.\n",
    }
    tiny_project.recipe("library", files, LICENSED_META, locked=False)
    tiny_project.recipe("user", extension("user", module("user", USER_C, "ask"), libraries=["tiny"]), USER_META)
    made = tiny_project.json("build", "--all", "--no-test").json()
    (name,) = tiny_project.published()
    with zipfile.ZipFile(tiny_project.dist / "wheels" / name) as archive:
        info = "user-1.0.dist-info"
        report = json.loads(archive.read(f"{info}/build-report.json"))
        sbom = json.loads(archive.read(f"{info}/sboms/emwheels.cdx.json"))
        assert archive.read(f"{info}/licenses/library/COPYING") == b"Do what you like.\n"
    assert report["key"] == made["user"]["output"]["key"]
    assert report["inputs"]["image"] == image.digest
    assert report["inputs"]["profile"] == {"speed": ["-O3", "-msimd128"]}
    assert report["inputs"]["dependencies"] == {"library": made["library"]["output"]["sha256"]}
    assert report["tools"]["emscripten"] == "6.0.5"
    (component,) = sbom["components"]
    assert (component["name"], component["licenses"]) == ("library", [{"license": {"id": "Zlib"}}])
    assert component["hashes"] == [{"alg": "SHA-256", "content": made["library"]["output"]["sha256"]}]
    audit = json.loads((tiny_project.dist / "reports" / "user" / "audit-314.0.7.json").read_text())
    assert not [finding for finding in audit["findings"] if finding["severity"] == "error"]
