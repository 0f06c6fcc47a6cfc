"""Completes a bundle: locks, bill of materials, the service's wheel, executed notebooks."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from nachlass_builder.assemble.built_before import compare_with_previous
from nachlass_builder.assemble.render import without_outputs, write_executed
from nachlass_builder.assemble.ship_rows import MAX_BYTES, ship_samples
from nachlass_builder.bundle.contents import contents, digest_of_contents
from nachlass_builder.bundle.layout import SBOM, SERVING_LOCK, TRAINING_LOCK
from nachlass_builder.bundle.manifest import Proven, write_manifest
from nachlass_builder.foundation.credentials import redact
from nachlass_builder.packages.lock import Lock
from nachlass_builder.packages.sbom import bill_of_materials
from nachlass_builder.requirements.check import Checked
from nachlass_builder.slim.choose_environment import Served


def write_bundle(
    bundle: Path,
    served: Served,
    checked: Checked,
    training: Lock,
    service: Path,
    secrets: Collection[str],
    folders: Collection[Path],
    destination: Path,
    cache: Path,
    *,
    with_rows: bool,
) -> list[str]:
    """Write the rest of a proven bundle, its manifest last; return lines about its contents.

    Executed notebooks contain none of the `secrets`, and no paths of this build's `folders`.
    Without rows, there are no samples, and the notebooks have no outputs. The bundle is
    compared with the one at `destination`, or with an earlier one remembered in the `cache`.
    """
    shipped = ship_samples(bundle, with_rows=with_rows)
    manifest, site_packages = served.manifest, served.environment.site_packages
    manifest = replace(
        manifest,
        samples=replace(manifest.samples, shipped=shipped),
        input=manifest.input if with_rows else replace(manifest.input, example=None),
    )
    (bundle / TRAINING_LOCK).write_text(training.text, encoding="utf-8")
    (bundle / SERVING_LOCK).write_text(served.lock.text, encoding="utf-8")
    shutil.copyfile(service, bundle / service.name)
    requirements = [requirement.text for requirement in checked.requirements.merged]
    bill = bill_of_materials(manifest, served.lock, site_packages, requirements)
    (bundle / SBOM).write_text(bill.text, encoding="utf-8")
    for notebook, entry in zip(checked.chosen.notebooks, manifest.source.notebooks, strict=True):
        node = notebook.node if with_rows else without_outputs(notebook.node)
        write_executed(
            node, bundle, entry.executed, lambda text: _relative(redact(text, secrets), folders)
        )
    files = contents(bundle)
    finished = manifest.finished(digest_of_contents(files, manifest))
    write_manifest(bundle, finished)
    before = compare_with_previous(finished, files, destination, cache)
    return [bill.summary, *_omissions(manifest, with_rows=with_rows), *([before] if before else [])]


def _relative(text: str, folders: Collection[Path]) -> str:
    """Make paths in a text relative to the folders."""
    for folder in folders:
        names = [str(folder)]
        with suppress(ValueError, RuntimeError):  # not below home; no home
            names.append(f"~/{folder.relative_to(Path.home())}")
        for name in names:
            text = text.replace(f"{name}/", "")
            text = re.sub(rf"{re.escape(name)}(?![\w.-])", ".", text)
    return text


def _omissions(manifest: Proven, *, with_rows: bool) -> Iterator[str]:
    """Yield lines about data that is not in the bundle."""
    samples = manifest.samples
    if not with_rows:
        yield "S2I_SHIP_ROWS is 0: the bundle has no samples and no cell outputs"
    elif samples.shipped is not None and samples.shipped < samples.count:
        yield (
            f"{samples.shipped} of {samples.count} samples are in the bundle, evenly spread: "
            f"all of them are too large (limit {MAX_BYTES / 1e6:.0f} MB)"
        )
