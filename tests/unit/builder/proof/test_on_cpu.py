"""A proof on the CPU is reported if the model would use a GPU."""

import pytest

from nachlass_builder.proof.on_cpu import proven_on_cpu


@pytest.mark.parametrize(
    ("name", "version", "is_reported"),
    [
        ("torch", "2.9.0", True),
        ("torch", "2.9.0+cpu", False),
        ("tensorflow", "2.20.0", True),
        ("tensorflow-cpu", "2.20.0", False),
        ("cupy-cuda12x", "13.6.0", True),
        ("jax-cuda12-plugin", "0.8.0", True),
        ("jaxlib", "0.8.0", False),
        ("torchmetrics", "1.8", False),
    ],
)
def test_libraries_that_would_use_a_gpu_are_named(name, version, is_reported, tmp_path):
    note = proven_on_cpu([("numpy", "2.4"), (name, version)], [tmp_path / "none"])
    assert bool(note) == is_reported
    if is_reported:
        why = "proven on the CPU, because this machine has no GPU"
        assert note.startswith(f"{why}: {name} would use one")


def test_nothing_is_reported_if_there_is_a_gpu(tmp_path):
    (tmp_path / "nvidiactl").touch()
    assert not proven_on_cpu([("torch", "2.9.0")], [tmp_path / "none", tmp_path / "nvidiactl"])
