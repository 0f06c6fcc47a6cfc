"""Chooses the sample that shows how to call the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from nachlass_service.base.settings import Settings
from nachlass_service.bundle.bundle import Bundle

SUMMARIES = {
    "sample": "The first sample of the build",
    "synthetic": "Made up by the build; the model accepts it",
}


@dataclass(frozen=True)
class Example:
    """A sample of the build, or a synthetic one, and the body of the request for it."""

    kind: Literal["sample", "synthetic"]
    sample: Any
    body: Any

    @property
    def summary(self) -> str:
        """The origin of the sample."""
        return SUMMARIES[self.kind]


def example_of(bundle: Bundle, settings: Settings) -> Example | None:
    """Return the first sample if it may be shown, else the synthetic one, if there is one."""
    manifest = bundle.manifest
    if settings.show_samples and manifest.samples.are_there:
        sample = manifest.input.example
        return Example("sample", sample, body_of(bundle, sample))
    synthetic = manifest.input.synthetic
    if synthetic is None:
        return None
    return Example("synthetic", synthetic, body_of(bundle, synthetic))


def body_of(bundle: Bundle, sample: Any) -> Any:
    """Return the request for a sample: a list if a pipeline would read it as several samples."""
    return [sample] if bundle.is_pipeline and isinstance(sample, list) else sample
