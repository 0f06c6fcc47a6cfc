"""The labels of a model's image.

Names and meanings come from the annotations of the OCI image specification:
https://github.com/opencontainers/image-spec/blob/main/annotations.md
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nachlass_builder.image.paths import write_readable
from nachlass_builder.source.licence import licence_of
from nachlass_builder.source.prepare import Prepared
from nachlass_builder.source.source import describe

OCI = "org.opencontainers.image"
BASE_NAME = f"{OCI}.base.name"
BASE_DIGEST = f"{OCI}.base.digest"
LABELS = "labels"
"""The file with the model's labels in an image built by s2i, which sets its own labels."""


def model_labels(prepared: Prepared) -> dict[str, str]:
    """Return the model's labels: its name, and facts from git and the source."""
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
    """Write labels to a file, one `name=value` per line, for the build of the next image."""
    lines = (f"{name}={value}\n" for name, value in sorted(labels.items()))
    write_readable(folder / LABELS, "".join(lines))
