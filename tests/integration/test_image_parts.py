"""What each image counts for: that of the tests for no build, that which compiles for every one."""

from __future__ import annotations

import os
import shutil

import pytest
from own_images import own_images

from emwheels.image.debian import image_folder, image_key, read_record
from emwheels.image.rootfs import RootFs
from emwheels.target import load_targets

pytestmark = [pytest.mark.image, pytest.mark.timeout(400)]

CODE = "static PyObject *same(PyObject *self, PyObject *value) { return Py_NewRef(value); }"


@pytest.fixture
def project(make_tiny_project, tmp_path, extension, module, environment):
    """A project with two packages, whose images lie in a folder of their own beside the real ones."""
    if not isinstance(environment.image, RootFs):
        pytest.skip("the image is a published one")
    project = make_tiny_project(tmp_path)
    for name in ("tiny", "other"):
        project.recipe(name, extension(name, module(name, CODE, "same")))
    with own_images(environment.project.cache, project):
        yield project


def edit(project, old, new):
    """Change targets.toml and return the pins of the images before and after."""
    path = project.root / "targets.toml"
    before = load_targets(path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return before, load_targets(path)


def built(project, *options):
    rows = project.json("build", "tiny", "other", "--no-test", *options).json()
    return rows, {name: row["output"]["key"] for name, row in rows.items()}


def test_another_package_for_tests_builds_nothing(project):
    _, keys = built(project)
    before, after = edit(project, "[image.test.packages]\n", '[image.test.packages]\nhello = "a newer engine"\n')
    assert image_key(before.test_image) != image_key(after.test_image)
    rows, same = built(project)
    assert same == keys
    assert {row["state"] for row in rows.values()} == {"reused"}
    rows, same = built(project, "--force")
    assert same == keys
    for row in rows.values():
        assert row["ccache"] == {"hits": 1, "misses": 0, "linked": 1, "links": 1}


def test_another_package_that_compiles_builds_everything(project):
    _, keys = built(project)
    before, after = edit(project, "[image.build.packages]\n", '[image.build.packages]\nhello = "a newer compiler"\n')
    # The image with it is that of today under another digest: its files are not copied.
    made = image_folder(project.cache, after.image)
    shutil.copytree(image_folder(project.cache, before.image).resolve(), made, symlinks=True, copy_function=os.link)
    digest = f"sha256:{'4' * 64}"
    for path in (made / "image.json", made / "rootfs/opt/emwheels/digest"):
        text = path.read_text().replace(read_record(image_folder(project.cache, before.image)).digest, digest)
        path.unlink()
        path.write_text(text)
    rows, others = built(project)
    assert all(others[name] != key for name, key in keys.items())
    assert {row["state"] for row in rows.values()} == {"built"}
    assert {name: row["ccache"]["hits"] + row["ccache"]["linked"] for name, row in rows.items()} == dict.fromkeys(
        keys, 0
    )
