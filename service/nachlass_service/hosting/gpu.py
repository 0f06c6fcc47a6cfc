"""Prevents loading a model that may use a GPU before a fork: GPU contexts do not survive one."""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path
from types import ModuleType

from nachlass_service.base.errors import BundleError

DEVICES = ("/dev/nvidiactl", "/dev/kfd")
"""The device files of NVIDIA and AMD."""
LIBRARIES = ("torch", "jax", "jaxlib", "tensorflow", "cupy")
"""Names, up to the first dash, of distributions that use a GPU if there is one."""
ON_GPU = {"cuda", "gpu", "rocm"}


def may_use_gpu(packages: Collection[str]) -> bool:
    """Return whether a model with these distributions may use a GPU of this machine."""
    uses = any(name.partition("-")[0] in LIBRARIES for name in packages)
    return uses and any(Path(device).exists() for device in DEVICES)


def reject_initialised() -> None:
    """Raise BundleError if this process, which will fork, uses a GPU."""
    torch = sys.modules.get("torch")
    xla = sys.modules.get("jax._src.xla_bridge")
    if (torch and _is_initialised(torch)) or ON_GPU & {*getattr(xla, "_backends", ())}:
        raise BundleError(
            "the model uses a GPU before the workers are forked, and GPU contexts do not survive "
            "a fork: load the model in the first call of the predictor"
        )


def _is_initialised(torch: ModuleType) -> bool:
    cuda = getattr(torch, "cuda", None)
    return bool(cuda is not None and cuda.is_initialized())
