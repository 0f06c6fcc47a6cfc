"""The labels of a model's image.

Names and meanings are those of the OCI image specification's annotations:
https://github.com/opencontainers/image-spec/blob/main/annotations.md
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nachlass_builder.image.paths import write_for_all
from nachlass_builder.source.licence import licence_of
from nachlass_builder.source.prepare import Prepared
from nachlass_builder.source.source import describe

OCI = "org.opencontainers.image"
BASE_NAME = f"{OCI}.base.name"
BASE_DIGEST = f"{OCI}.base.digest"
LABELS = "labels"
"""The file of an image in which s2i's build leaves the model's: s2i sets labels of its own."""


def model_labels(prepared: Prepared) -> dict[str, str]:
    """What is known of the model: its name, and what git and the source say."""
    source, deadline = prepared.source, prepared.deadline
    labels = {
        f"{OCI}.title": prepared.model_name,
        f"{OCI}.version": describe(source, deadline) if source.commit else None,
        f"{OCI}.revision": source.commit,
        f"{OCI}.created": prepared.time.isoformat(),
        f"{OCI}.licenses": licence_of(source.root),
        "io.k8s.display-name": prepared.model_name,
    }
    return {name: value for name, value in labels.items() if value}


def keep_labels(folder: Path, labels: Mapping[str, str]) -> None:
    """Leave labels in a file, one `name=value` a line, for who makes the next image."""
    lines = (f"{name}={value}\n" for name, value in sorted(labels.items()))
    write_for_all(folder / LABELS, "".join(lines))
