"""Paths of a build, taken out of the SBOM that a backend wrote; RECORD fits afterwards."""

from __future__ import annotations

import zipfile

from synthetic_wheels import make_wheel

from emwheels.build.inside.plain_sbom import plain_sboms

SBOM = "sboms/tiny.cyclonedx.json"
REFERENCE = '{{"bom-ref": "path+file://{place}build/tiny#0.1.0"}}'


def test_an_sbom_without_the_folder_of_the_build(tmp_path):
    given = REFERENCE.format(place="/mnt/work/")
    files = {"tiny/__init__.py": "x = 'path+file:///mnt/work/'\n", f"tiny-1.0.dist-info/{SBOM}": given}
    wheel = make_wheel(tmp_path, "tiny", "1.0", files=files)
    out = tmp_path / "out.whl"
    plain_sboms(wheel, out, ["file:///mnt/work/"])
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(out) as new:
        assert new.namelist() == old.namelist()
        changed = [name for name in new.namelist() if old.read(name) != new.read(name)]
        assert changed == [f"tiny-1.0.dist-info/{SBOM}", "tiny-1.0.dist-info/RECORD"]
        assert new.read(changed[0]).decode() == '{"bom-ref": "path+build/tiny#0.1.0"}'
        record = new.read("tiny-1.0.dist-info/RECORD").decode()
    # What a wheel with this content has from the start.
    files[f"tiny-1.0.dist-info/{SBOM}"] = '{"bom-ref": "path+build/tiny#0.1.0"}'
    (tmp_path / "other").mkdir()
    with zipfile.ZipFile(make_wheel(tmp_path / "other", "tiny", "1.0", files=files)) as expected:
        assert sorted(record.splitlines()) == sorted(expected.read("tiny-1.0.dist-info/RECORD").decode().splitlines())


def test_a_wheel_without_one_stays(tmp_path):
    wheel = make_wheel(tmp_path, "tiny", "1.0", files={"tiny/__init__.py": "x = 1\n"})
    plain_sboms(wheel, tmp_path / "out.whl", ["file:///mnt/work/"])
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(tmp_path / "out.whl") as new:
        assert {name: old.read(name) for name in old.namelist()} == {name: new.read(name) for name in new.namelist()}
