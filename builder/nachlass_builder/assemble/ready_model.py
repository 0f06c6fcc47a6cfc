"""Prepares a model for prediction or serving."""

from __future__ import annotations

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
    """A bundle, the Python of its environment, and the variables for its process.

    `folder` is the folder of the cache that holds the environment.
    """

    bundle: Path
    python: Path
    folder: Path
    environment: Mapping[str, str]


def ready_model(request: Request) -> ReadyModel:
    """Return the model of a bundle, or of a source, which is built if it changed.

    A bundle does not record the variables of the source's `.s2i/environment`.
    """
    environ, path = request.environ, Path(request.source)
    if bundle_at(path):
        bundle, settings = path.absolute(), Settings.from_environ(environ, request.assignments)
        restored = restore_environment(bundle, environ, settings, Deadline(), Progress())
    else:
        built = build(request, Progress())
        bundle, settings, restored = built.bundle, built.settings, built.environment
    variables = service_environment(environ, settings.parameters)
    return ReadyModel(bundle, restored.python, restored.path.parent, variables)
