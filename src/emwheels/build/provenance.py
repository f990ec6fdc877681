"""What a wheel carries of its own making: a build report, and an SBOM (PEP 770) of what is linked into it.

Both are functions of the build key alone: the same key gives the same bytes.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from emwheels.plan.key import BuildKey
    from emwheels.recipe.downloads import Download
    from emwheels.recipe.model import Recipe


@dataclass(frozen=True, kw_only=True)
class Linked:
    """A library that is linked into a wheel."""

    recipe: Recipe
    sha256: str
    """Of the archive that was linked."""


@dataclass(frozen=True, kw_only=True)
class CrateNote:
    """A crate that a build was given, for the SBOM of a wheel whose backend writes none."""

    name: str
    version: str
    sha256: str
    """Of its ``.crate`` file."""
    licence: str
    """An SPDX expression, as the crate states it; may be empty."""


def build_report(recipe: Recipe, key: BuildKey, *, tools: Mapping[str, str], requirements: Sequence[str]) -> bytes:
    """Return the build report as JSON: the key, what went into it, tool versions, wheels of build requirements.

    The inputs name the image by digest, the flags, and the sha256 of the source, of each patch and of what each host
    requirement came out as; empty ones are left out, and of the target there are its name and flags. There is no time
    and no machine in it.
    """
    inputs = {name: value for name, value in key.inputs.items() if value not in ({}, "")}
    inputs["target"] = {name: inputs["target"][name] for name in ("name", "cflags", "ldflags")}
    document = {
        "name": recipe.spelling,
        "version": recipe.version,
        "key": key.digest,
        "inputs": inputs,
        "tools": dict(tools),
        "build requirements": sorted(requirements),
    }
    return _compact(document)


def _compact(document: Mapping[str, Any]) -> bytes:
    """Return JSON without blanks: a wheel is downloaded more often than this is read."""
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode() + b"\n"


def sbom(
    recipe: Recipe, key: BuildKey, linked: Sequence[Linked], *, epoch: int, crates: Sequence[CrateNote] = ()
) -> bytes:
    """Return a CycloneDX 1.6 document: the wheel, and each library that is linked into it, with its licence.

    A library that the recipe lists as a download has its name, address and hash: its licence nobody states. ``crates``
    are those of Cargo.lock: which of them are in the wheel, only cargo knows.

    ``epoch``, in seconds, stands for the time, as in SOURCE_DATE_EPOCH.
    """
    root = _component(recipe, ComponentType.LIBRARY, PackageURL("pypi", None, recipe.name, recipe.version))
    libraries = []
    for library in sorted(linked, key=lambda one: one.recipe.spelling):
        component = _component(library.recipe, ComponentType.LIBRARY, library.recipe.source.purl)
        component.hashes.add(HashType(alg=HashAlgorithm.SHA_256, content=library.sha256))
        libraries.append(component)
    libraries += [_of_download(each) for each in recipe.downloads]
    libraries += [_of_crate(each) for each in crates]
    bom = Bom(
        components=libraries,
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"emwheels:{key.digest}"),
    )
    bom.metadata.timestamp = datetime.fromtimestamp(epoch, tz=UTC)
    bom.metadata.component = root
    bom.register_dependency(root, libraries)
    text = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string()
    document: dict[str, Any] = json.loads(text)
    del document["$schema"]  # optional in CycloneDX: bomFormat and specVersion say the same
    return _compact(document)


def _of_download(download: Download) -> Component:
    purl = PackageURL.from_string(download.url) if download.url.startswith("pkg:") else None
    component = Component(
        name=download.name,
        version=purl.version if purl else None,
        type=ComponentType.LIBRARY,
        purl=purl,
        bom_ref=f"download:{download.name}",
    )
    component.hashes.add(HashType(alg=HashAlgorithm.SHA_256, content=download.sha256))
    if purl is None:
        address = ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=XsUri(download.address))
        component.external_references.add(address)
    return component


def _of_crate(crate: CrateNote) -> Component:
    purl = PackageURL("cargo", None, crate.name, crate.version)
    component = Component(
        name=crate.name,
        version=crate.version,
        type=ComponentType.LIBRARY,
        purl=purl,
        bom_ref=purl.to_string(),
        licenses=[LicenseFactory().make_from_string(crate.licence)] if crate.licence else [],
    )
    component.hashes.add(HashType(alg=HashAlgorithm.SHA_256, content=crate.sha256))
    return component


def _component(recipe: Recipe, kind: ComponentType, purl: PackageURL | None) -> Component:
    licences = [LicenseFactory().make_from_string(recipe.about.license)] if recipe.about.license else []
    return Component(
        name=recipe.spelling,
        version=recipe.version,
        type=kind,
        purl=purl,
        bom_ref=f"{recipe.spelling}@{recipe.version}",
        licenses=licences,
    )
