"""What CI runs is named by content: actions by commit, images by digest. Nothing is run that was just downloaded."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDERS = ("ci", ".ci")
_BY_COMMIT = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
_VERSION = re.compile(r"# v\d+\.\d+\.\d+$")
_BY_DIGEST = re.compile(r"\S+@sha256:[0-9a-f]{64}")
_SET_BY_THE_TEAM = {"$EMWHEELS_RUNNER_IMAGE"}
"""ci/README.md says that it is a digest."""
_DOWNLOADED = re.compile(
    r"(curl|wget)\b[^\n;&]*\|\s*(sudo\s+(-\S+\s+)*)?(env\s+)?(ba|da|z|k)?sh\b|(ba|z)?sh\s+(-c\s+)?[\"']?[<$]\((curl|wget)\b"
    r"|(curl|wget)\b[^\n;&]*\|\s*(sudo\s+)?python",
)


def files():
    """Yield every file that a CI service reads or runs, by name."""
    for folder in FOLDERS:
        for path in sorted((CHECKOUT / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield str(path.relative_to(CHECKOUT)), path.read_text()


def faults(name, text):
    """Return what is not pinned in a file, each as one line."""
    # A line that ends in a backslash goes on in the next.
    joined = text.replace("\\\n", " ")
    found = [f"runs what it downloads: {match[0]}" for match in _DOWNLOADED.finditer(joined)]
    if name.endswith((".yml", ".yaml")):
        found += [fault for document in yaml.safe_load_all(text) for fault in _unpinned(document)]
        for line in text.splitlines():
            if re.match(r"\s*(- )?uses:", line) and not _VERSION.search(line):
                found.append(f"no version beside the commit: {line.strip()}")
    return found


def _unpinned(node):
    if isinstance(node, list):
        for each in node:
            yield from _unpinned(each)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key == "uses" and not _BY_COMMIT.fullmatch(str(value)) and not str(value).startswith("./"):
            yield f"not pinned by commit: {value}"
        if key in ("image", "container"):
            yield from _unpinned_image(value)
        if key == "services":
            for service in value.values() if isinstance(value, dict) else value:
                yield from _unpinned_image(service)
        yield from _unpinned(value)


def _unpinned_image(value):
    image = value.get("image", value.get("name")) if isinstance(value, dict) else value
    if image not in _SET_BY_THE_TEAM and not _BY_DIGEST.fullmatch(str(image)):
        yield f"no digest: {image}"


FILES = dict(files())


@pytest.mark.parametrize("name", FILES)
def test_everything_is_pinned(name):
    assert faults(name, FILES[name]) == []


def test_both_services_are_looked_at():
    assert {"ci/github/wheels.yml", "ci/gitlab/wheels.gitlab-ci.yml", "ci/gitlab/build.yml", "ci/setup.sh"} <= {*FILES}


COMMIT, DIGEST = "0" * 40, "0" * 64


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.yml", "steps: [{uses: actions/checkout@v4}]"),
        ("a.yml", f"steps: [{{uses: actions/checkout@{COMMIT[:7]}}}]"),
        ("a.yml", f"steps:\n  - uses: actions/checkout@{COMMIT}\n"),
        ("a.yml", "jobs: {a: {uses: team/repo/.github/workflows/a.yml@main}}"),
        ("a.yml", "steps: [{uses: 'docker://debian:13'}]"),
        ("a.yml", "image: debian:13"),
        ("a.yml", "image: {name: debian}"),
        ("a.yml", "jobs: {a: {container: {image: debian}}}"),
        ("a.yml", "jobs: {a: {services: {db: {image: postgres}}}}"),
        ("a.yml", "a: {services: [postgres]}"),
        ("a.yml", "a: {image: $ANOTHER}"),
        ("a.yml", "steps: [{run: 'curl -fsSL https://x.example.org/i | sh'}]"),
        ("a.sh", "curl -fsSL https://x.example.org/i \\\n  | sudo -E bash -s -- --yes"),
        ("a.sh", "wget -qO- https://x.example.org/i | python3 -"),
        ("a.sh", "bash <(curl -s https://x.example.org/i)"),
        ("a.sh", 'sh -c "$(curl -fsSL https://x.example.org/i)"'),
    ],
)
def test_what_is_not_pinned_is_found(name, text):
    assert len(faults(name, text)) >= 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.yml", f"steps:\n  - uses: actions/checkout@{COMMIT} # v4.2.2\n  - uses: ./ci/own # v1.0.0\n"),
        ("a.yml", f"image: x.example.org/debian@sha256:{DIGEST}"),
        ("a.sh", "curl -o file https://x.example.org/i\nsha256sum -c sums\nbash ./own.sh"),
    ],
)
def test_what_is_pinned_is_not(name, text):
    assert faults(name, text) == []


def rights(job):
    return {name for name, level in job.get("permissions", {}).items() if level == "write"}


def test_nobody_who_can_sign_runs_foreign_code():
    jobs = yaml.safe_load(FILES["ci/github/wheels.yml"])["jobs"]
    holders = {name for name, job in jobs.items() if "id-token" in rights(job)}
    assert holders == {"sign", "deploy"}
    assert [step["run"] for step in jobs["sign"]["steps"] if "run" in step] == [
        "ci/setup.sh",
        ".venv/bin/emwheels index sign",
    ]
    gitlab = yaml.safe_load(FILES["ci/gitlab/wheels.gitlab-ci.yml"])
    holders = {name for name, job in gitlab.items() if isinstance(job, dict) and "id_tokens" in job}
    assert holders == {"pages"}
    assert not any("emwheels build" in line or "verify" in line for line in gitlab["pages"]["script"])


def test_rights_are_named_job_by_job():
    workflow = yaml.safe_load(FILES["ci/github/wheels.yml"])
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        assert set(job["permissions"].values()) <= {"read", "write"}, name
        assert len(rights(job)) <= (2 if name == "deploy" else 1), name
