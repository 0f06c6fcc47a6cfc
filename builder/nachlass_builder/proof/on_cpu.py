"""Warns that a model was proven on the CPU but may be served on a GPU."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

DEVICES = (Path("/dev/nvidiactl"), Path("/dev/kfd"))
"""The device files of NVIDIA and AMD GPUs."""
USES_GPU = re.compile(r"torch|tensorflow|cupy(-.+)?|jax-(cuda|rocm).*|tensorflow-rocm")
"""Distributions that use a GPU if there is one; for jax, the plugin does."""


def proven_on_cpu(packages: Iterable[tuple[str, str]], devices: Iterable[Path] = DEVICES) -> str:
    """Return a note if the serving packages would use a missing GPU, else an empty text."""
    if any(device.exists() for device in devices):
        return ""
    names = [
        name
        for name, version in packages
        if USES_GPU.fullmatch(name) and not version.endswith("+cpu")
    ]
    if not names:
        return ""
    return (
        f"proven on the CPU, because this machine has no GPU: {', '.join(names)} would use one, "
        "and predictions may differ there"
    )
