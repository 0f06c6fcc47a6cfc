"""Keeps a model that may use a GPU from being loaded before a fork, which no GPU survives."""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path
from types import ModuleType

from nachlass_service.base.errors import BundleError

DEVICES = ("/dev/nvidiactl", "/dev/kfd")
"""The kernel's interfaces of NVIDIA and AMD."""
LIBRARIES = ("torch", "jax", "jaxlib", "tensorflow", "cupy")
"""How distributions are called, or begin, that use a GPU where there is one."""
ON_GPU = {"cuda", "gpu", "rocm"}


def may_use_gpu(packages: Collection[str]) -> bool:
    """Whether a model of these distributions may come to use a GPU of this machine."""
    uses = any(name.partition("-")[0] in LIBRARIES for name in packages)
    return uses and any(Path(device).exists() for device in DEVICES)


def refuse_initialised() -> None:
    """Raise BundleError if this process, which is going to be forked, has begun to use a GPU."""
    torch = sys.modules.get("torch")
    xla = sys.modules.get("jax._src.xla_bridge")
    if (torch and _is_initialised(torch)) or ON_GPU & {*getattr(xla, "_backends", ())}:
        raise BundleError(
            "the model has begun to use a GPU while it was loaded, before the workers were "
            "forked, which no GPU survives: load it when the predictor is first called"
        )


def _is_initialised(torch: ModuleType) -> bool:
    cuda = getattr(torch, "cuda", None)
    return bool(cuda is not None and cuda.is_initialized())
