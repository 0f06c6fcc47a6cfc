"""Chooses the sample that shows how to call the model."""

from __future__ import annotations

from typing import Any

from nachlass_service.base.settings import Settings
from nachlass_service.bundle.bundle import Bundle


def has_example(bundle: Bundle, settings: Settings) -> bool:
    """Return whether there is an example sample that may be shown."""
    return bool(settings.show_samples and bundle.manifest.samples.are_there)


def body_of(bundle: Bundle, sample: Any) -> Any:
    """Return the request for a sample: a list if a pipeline would read it as several samples."""
    return [sample] if bundle.is_pipeline and isinstance(sample, list) else sample
