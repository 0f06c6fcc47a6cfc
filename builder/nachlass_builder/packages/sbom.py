"""The bill of materials of a serving environment, as CycloneDX.

The format: https://cyclonedx.org/docs/1.6/json/. The model is the root; its components are
the installed distributions. A component has the hash of the installed file if that file,
a wheel, is known. Files that it may have been installed from are references with hashes.
"""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.metadata import Distribution
from pathlib import Path, PurePosixPath
from uuid import NAMESPACE_URL, UUID, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import (
    ExternalReference,
    ExternalReferenceType,
    HashAlgorithm,
    HashType,
    Property,
    XsUri,
)
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseAcknowledgement
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL
from packaging.pylock import (
    Package,
    PackageArchive,
    PackageDirectory,
    PackageSdist,
    PackageVcs,
    PackageWheel,
)
from packaging.requirements import Requirement
from packaging.tags import Tag, sys_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

from nachlass_builder import __version__
from nachlass_builder.bundle.manifest import Draft, Unproven
from nachlass_builder.foundation.progress import counted
from nachlass_builder.packages import pylock
from nachlass_builder.packages.installed import installed, needed
from nachlass_builder.packages.licences import licences_of
from nachlass_builder.packages.lock import Lock
from nachlass_builder.packages.service_wheel import DISTRIBUTION

HASHES = {
    "sha256": HashAlgorithm.SHA_256,
    "sha384": HashAlgorithm.SHA_384,
    "sha512": HashAlgorithm.SHA_512,
}
LICENCE_PROPERTY = "nachlass:licence"
UNKNOWN = "unknown"
MAX_NAMED = 6
"""The number of licences that the summary names; the others are counted together."""


@dataclass(frozen=True)
class Bill:
    """A bill of materials as JSON, and a one-line summary."""

    text: str
    summary: str


def bill_of_materials(
    manifest: Draft, lock: Lock, site_packages: Path, requirements: Iterable[str]
) -> Bill:
    """Make the bill of the model that the manifest describes; `requirements` are the user's.

    It depends only on the manifest, the lock and the contents of `site_packages`: if they
    are equal, the bills are equal.
    """
    distributions = installed(site_packages)
    chosen = pylock.chosen(tomllib.loads(lock.text))
    licences = {name: licences_of(distribution) for name, distribution in distributions.items()}
    components = {
        name: _component(distribution, licences[name], *chosen.get(name, (None, None)))
        for name, distribution in sorted(distributions.items())
    }
    model = Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name=manifest.name,
        version=manifest.version,
        bom_ref="model",
    )
    tool = Component(type=ComponentType.APPLICATION, name="nachlass", version=__version__)
    bom = Bom(
        serial_number=_serial_number(
            manifest, lock.digest, [str(component.bom_ref) for component in components.values()]
        ),
        metadata=BomMetaData(
            component=model,
            timestamp=datetime.fromisoformat(manifest.created),
            tools=ToolRepository(components=[tool]),
        ),
        components=components.values(),
    )
    texts = list(requirements)
    found = needed(distributions, [*texts, *distributions])
    for name, component in components.items():
        inner = sorted(found[name].needs & components.keys())
        bom.register_dependency(component, [components[other] for other in inner])
    direct = {canonicalize_name(Requirement(text).name) for text in texts} | {DISTRIBUTION}
    indirect = {inner for name, need in found.items() for inner in need.needs - {name}}
    roots = [one for name, one in components.items() if name in direct or name not in indirect]
    bom.register_dependency(model, roots)
    text = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2)
    return Bill(text + "\n", _summary(licences.values()))


def renewed(text: str, manifest: Unproven) -> str:
    """Update a bill for another version and time of the model in the same environment."""
    document = json.loads(text)
    refs = [component["bom-ref"] for component in document.get("components", ())]
    document["serialNumber"] = _serial_number(manifest, manifest.locks.serving, refs).urn
    document["metadata"]["timestamp"] = manifest.created
    document["metadata"]["component"]["version"] = manifest.version
    return json.dumps(document, indent=2) + "\n"


def _serial_number(manifest: Draft, lock: str, refs: Iterable[str]) -> UUID:
    """Return a serial number that is the same for equal bills."""
    facts = [manifest.name, manifest.version, manifest.created, manifest.built_by, lock]
    return uuid5(NAMESPACE_URL, json.dumps([*facts, sorted(refs)]))


def _component(
    distribution: Distribution,
    licences: Iterable[str],
    package: Package | None,
    file: pylock.File | None,
) -> Component:
    """Describe a distribution; `package` and `file` are its entries in the lock, if any."""
    name, version = distribution.metadata["Name"], distribution.version
    wheels = _wheels(distribution, package, file)
    known = wheels[0] if len(wheels) == 1 else None
    make = LicenseFactory().make_from_string
    declared = LicenseAcknowledgement.DECLARED
    found = [make(text, license_acknowledgement=declared) for text in licences]
    unknown = [Property(name=LICENCE_PROPERTY, value=UNKNOWN)]
    return Component(
        name=name,
        version=version,
        bom_ref=f"{canonicalize_name(name)}=={version}",
        purl=_purl(name, version, file),
        licenses=found,
        hashes=_hashes(known.hashes) if known else (),
        external_references=_references(wheels, file),
        properties=() if found else unknown,
    )


def _wheels(
    distribution: Distribution, package: Package | None, file: pylock.File | None
) -> list[PackageWheel | PackageArchive]:
    """The locked wheels that may be the installed one: one, when it is known."""
    if isinstance(file, PackageArchive):
        path = PurePosixPath(file.url or file.path or "")
        return [file] if path.suffix == ".whl" else []
    if package is None or not isinstance(file, PackageWheel):
        return []
    fit = [wheel for wheel in package.wheels or () if _tags(wheel) & _tags_of_here()]
    # The installed distribution names its platforms.
    lines = (distribution.read_text("WHEEL") or "").splitlines()
    tags = {line.partition(":")[2].strip() for line in lines if line.startswith("Tag:")}
    same = [wheel for wheel in fit if {str(tag) for tag in _tags(wheel)} == tags]
    return [*(same if len(same) == 1 else fit)]


@cache
def _tags_of_here() -> frozenset[Tag]:
    """Return the wheel tags that this Python can install."""
    return frozenset(sys_tags())


def _tags(wheel: PackageWheel) -> frozenset[Tag]:
    """Return the tags in a wheel's name."""
    return parse_wheel_filename(wheel.filename)[-1]


def _hashes(hashes: Mapping[str, str]) -> list[HashType]:
    """Convert the hashes of a locked file."""
    return [
        HashType(alg=HASHES[name], content=value)
        for name, value in hashes.items()
        if name in HASHES
    ]


def _references(
    wheels: Iterable[PackageWheel | PackageArchive], file: pylock.File | None
) -> Iterator[ExternalReference]:
    """Yield the locations and hashes of a component's files, except local ones."""
    kind = ExternalReferenceType.DISTRIBUTION
    found: list[tuple[ExternalReferenceType, str | None, Mapping[str, str]]] = [
        (kind, wheel.url or wheel.path, wheel.hashes) for wheel in wheels
    ]
    match file:
        case PackageSdist() | PackageArchive() if not found:
            kind = ExternalReferenceType.SOURCE_DISTRIBUTION
            found.append((kind, file.url or file.path, file.hashes))
        case PackageVcs():
            found.append((ExternalReferenceType.SCM, file.url, {}))
    for kind, url, hashes in found:
        if url and not PurePosixPath(url).is_absolute():
            yield ExternalReference(type=kind, url=XsUri(url), hashes=_hashes(hashes))


def _purl(name: str, version: str, file: pylock.File | None) -> PackageURL | None:
    """Return a package URL, with the origin if it is not an index; None for local files."""
    match file:
        case PackageVcs(url=str(url), commit_id=commit):
            place = {"vcs_url": f"git+{url}@{commit}"}
        case PackageArchive(url=str(url)):
            place = {"download_url": url}
        case None | PackageVcs() | PackageArchive() | PackageDirectory():
            return None
        case _:
            place = {}
    return PackageURL("pypi", None, canonicalize_name(name), version, place)


def _summary(licences: Iterable[Iterable[str]]) -> str:
    """Count the components and their licences."""
    names = Counter(" / ".join(texts) or UNKNOWN for texts in licences)
    total, unknown = names.total(), names.pop(UNKNOWN, 0)
    ranked = sorted(names.items(), key=lambda item: (-item[1], item[0]))
    counts = [f"{name} {count}" for name, count in ranked[:MAX_NAMED]]
    if others := sum(count for _, count in ranked[MAX_NAMED:]):
        counts.append(f"others {others}")
    if unknown:
        counts.append(f"{UNKNOWN} {unknown}")
    return f"bill of materials: {counted(total, 'component')}, licences: {', '.join(counts)}"
