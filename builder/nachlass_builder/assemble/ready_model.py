"""Makes the model ready that is to be asked or served."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nachlass_builder.assemble.build import build
from nachlass_builder.assemble.freshness import restore_environment
from nachlass_builder.bundle.layout import bundle_at
from nachlass_builder.foundation.process import Deadline
from nachlass_builder.foundation.progress import Progress
from nachlass_builder.foundation.settings import Settings
from nachlass_builder.proof.proof import service_environment
from nachlass_builder.source.prepare import Request


@dataclass(frozen=True)
class ReadyModel:
    """A bundle, the Python of its environment, and the variables for its process."""

    bundle: Path
    python: Path
    environment: Mapping[str, str]


def ready_model(source: str, context_dir: str | None, assignments: Mapping[str, str]) -> ReadyModel:
    """The model of a bundle, or of a source, which is built if it changed.

    Of a bundle, what the source's `.s2i/environment` said is not known.
    """
    if bundle_at(Path(source)):
        bundle, settings = Path(source).absolute(), Settings.from_environ(os.environ, assignments)
    else:
        built = build(Request(source, None, context_dir, assignments), Progress())
        bundle, settings = built.bundle, built.settings
    python = restore_environment(bundle, settings, Deadline(), Progress())
    return ReadyModel(bundle, python, service_environment(settings.parameters))
