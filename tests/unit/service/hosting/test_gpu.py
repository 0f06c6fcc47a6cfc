"""A model that may use a GPU is loaded by each worker; the devices are simulated."""

import sys
from types import SimpleNamespace

import pytest

from nachlass_service.base.errors import BundleError
from nachlass_service.hosting import gpu


@pytest.mark.parametrize(
    ("packages", "uses"),
    [
        (["numpy", "torch"], True),
        (["cupy-cuda12x"], True),
        (["jaxlib"], True),
        (["torchvision", "numpy"], False),
        ([], False),
    ],
)
def test_a_gpu_is_assumed_only_with_a_device_and_a_library(packages, uses, tmp_path, monkeypatch):
    device = tmp_path / "device"
    monkeypatch.setattr(gpu, "DEVICES", (str(device),))
    assert not gpu.may_use_gpu(packages)
    device.touch()
    assert gpu.may_use_gpu(packages) is uses


@pytest.mark.parametrize(
    ("name", "module", "is_refused"),
    [
        ("torch", SimpleNamespace(cuda=SimpleNamespace(is_initialized=lambda: True)), True),
        ("torch", SimpleNamespace(cuda=SimpleNamespace(is_initialized=lambda: False)), False),
        ("torch", SimpleNamespace(), False),
        ("jax._src.xla_bridge", SimpleNamespace(_backends={"cpu": 1, "cuda": 2}), True),
        ("jax._src.xla_bridge", SimpleNamespace(_backends={"cpu": 1}), False),
        ("other", SimpleNamespace(), False),
    ],
)
def test_a_process_that_uses_a_gpu_is_not_forked(name, module, is_refused, monkeypatch):
    for library in ("torch", "jax._src.xla_bridge"):
        monkeypatch.delitem(sys.modules, library, raising=False)
    monkeypatch.setitem(sys.modules, name, module)
    if is_refused:
        with pytest.raises(BundleError, match="load the model in the first call"):
            gpu.reject_initialised()
    else:
        gpu.reject_initialised()
