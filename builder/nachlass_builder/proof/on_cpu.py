"""Says that a model was proven on the CPU, where it may be served on a GPU."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

DEVICES = (Path("/dev/nvidiactl"), Path("/dev/kfd"))
"""The kernel's interfaces of NVIDIA and AMD."""
USES_GPU = re.compile(r"torch|tensorflow|cupy(-.+)?|jax-(cuda|rocm).*|tensorflow-rocm")
"""Distributions that compute on a GPU where there is one; of jax it is the plugin."""


def proven_on_cpu(packages: Iterable[tuple[str, str]], devices: Iterable[Path] = DEVICES) -> str:
    """What to say of a proof, by the names and versions that serve; empty if nothing is."""
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
        f"proven on the CPU, for there is no GPU here: {', '.join(names)} would use one, "
        "and may answer otherwise there"
    )
