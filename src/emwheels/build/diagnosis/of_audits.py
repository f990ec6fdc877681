"""Kinds of what an audit finds in a wheel that was built."""

from __future__ import annotations

from emwheels.build.diagnosis.kind import Kind
from emwheels.image.places import BUILD_PATHS, CROSSENV

OF_AUDITS = (
    Kind(
        id="audit-plugin",
        pattern=r"^\s*plugin: (\S+): pytest loads it",
        sees="`plugin: …: pytest loads it (pytest11)`",
        means="The wheel has a plugin of pytest, {what}: it takes part in every run of tests where it is installed.",
        do="If it is the package's own, accept it under extra.emwheels.accepted, with a reason. Else take it out.",
    ),
    Kind(
        id="audit-build-path",
        pattern=rf"^\s*build-path: \S+\.so\S*: names ({'|'.join(BUILD_PATHS)})",
        sees=f"`build-path: …: names {CROSSENV} of the build machine`",
        means="A module names a folder of the build, {what}: assertions in headers do.",
        do="Write -ffile-prefix-map={what}/= under build.cflags, and the compiler leaves it out.",
    ),
)
