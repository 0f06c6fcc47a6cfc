"""Completes a bundle: locks, their bill, executed notebooks, the environment's link."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from nachlass_builder.assemble.render import write_executed
from nachlass_builder.bundle.layout import SBOM, SERVING_LOCK, TRAINING_LOCK
from nachlass_builder.bundle.manifest import write_manifest
from nachlass_builder.foundation.credentials import redact
from nachlass_builder.packages.lock import Lock
from nachlass_builder.packages.sbom import bill_of_materials
from nachlass_builder.requirements.check import Checked
from nachlass_builder.slim.choose_environment import Served


def write_bundle(
    bundle: Path, served: Served, checked: Checked, training: Lock, secrets: Collection[str]
) -> str:
    """Write what a proven bundle lacks, its manifest last, and return a line about its contents.

    No executed notebook shows any of the `secrets`.
    """
    manifest, site_packages = served.manifest, served.environment.site_packages
    (bundle / TRAINING_LOCK).write_text(training.text, encoding="utf-8")
    (bundle / SERVING_LOCK).write_text(served.lock.text, encoding="utf-8")
    requirements = [requirement.text for requirement in checked.requirements.merged]
    bill = bill_of_materials(manifest, served.lock, site_packages, requirements)
    (bundle / SBOM).write_text(bill.text, encoding="utf-8")
    for notebook, entry in zip(checked.chosen.notebooks, manifest.source.notebooks, strict=True):
        write_executed(notebook.node, bundle, entry.executed, lambda text: redact(text, secrets))
    (bundle / "venv").symlink_to(served.environment.path)
    write_manifest(bundle, manifest)
    return bill.summary
