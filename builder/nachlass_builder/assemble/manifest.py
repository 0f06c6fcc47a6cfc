"""Composes the manifest, which describes the bundle."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nachlass_builder import __version__
from nachlass_builder.bundle.layout import SOURCE_FOLDER
from nachlass_builder.bundle.manifest import (
    Draft,
    Entry,
    Input,
    Locks,
    NotebookFile,
    Revision,
    Samples,
    SourceRevision,
)
from nachlass_builder.execution.outcome import Captured
from nachlass_builder.foundation.digest import digest_of_file
from nachlass_builder.foundation.errors import Place
from nachlass_builder.foundation.process import Deadline
from nachlass_builder.notebook.find_names import last_binding
from nachlass_builder.packages.lock import Lock
from nachlass_builder.proof.describe_features import describe_features
from nachlass_builder.proof.describe_predictions import describe_input, describe_predictions
from nachlass_builder.requirements.check import Checked
from nachlass_builder.source.prepare import Prepared
from nachlass_builder.source.source import Source, describe


def compose_manifest(
    prepared: Prepared,
    checked: Checked,
    captured: Captured,
    samples: Sequence[tuple[Any, Any]],
    training: Lock,
    resolution: str,
    key: str,
    parameters: Mapping[str, str],
    bundle: Path,
    service: Path,
) -> Draft:
    """Compose the manifest before the proof; `samples` are scored samples with predictions."""
    chosen, settings = checked.chosen, prepared.settings
    pipeline = chosen.contract == "pipeline"
    revision = revision_of(prepared.source, prepared.deadline)
    inputs, predictions = ([pair[side] for pair in samples] for side in (0, 1))
    random_fields = captured.pickled.samples.random_fields
    return Draft(
        name=prepared.model_name,
        version=revision.described or key[:12],
        contract=chosen.contract,
        entry=Entry(
            model="stages.json" if pipeline else "model.pickle",
            predictor=None if pipeline else str(_predictor(checked)),
            validator=captured.pickled.validator,
            working_directory=str(chosen.folder),
            import_folders=captured.pickled.import_folders,
            cells=captured.cells,
        ),
        prediction=describe_predictions(predictions, settings.prediction_kind),
        input=Input(
            schema=describe_input(inputs),
            example=inputs[0] if inputs else None,
            features=describe_features(inputs),
        ),
        samples=Samples(
            count=len(samples),
            deterministic=not random_fields,
            random_fields=random_fields,
        ),
        python=platform.python_version(),
        locks=Locks(
            training=training.digest, resolution=resolution, service=digest_of_file(service)
        ),
        source=SourceRevision(**vars(revision), notebooks=_notebooks(checked, bundle)),
        data=captured.data,
        parameters=parameters,
        built_by=f"nachlass {__version__}",
        key=key,
        created=prepared.time.isoformat(),
    )


def revision_of(source: Source, deadline: Deadline) -> Revision:
    """Return the source's git revision."""
    return Revision(
        origin=source.origin,
        commit=source.commit,
        dirty=source.dirty,
        described=describe(source, deadline) if source.commit else None,
    )


def _notebooks(checked: Checked, bundle: Path) -> tuple[NotebookFile, ...]:
    """Return the notebooks with their digests and the file stems of their executed copies."""
    notebooks = checked.chosen.notebooks
    return tuple(
        NotebookFile(
            name=notebook.name,
            digest=digest_of_file(bundle / SOURCE_FOLDER / notebook.name),
            executed="notebook" if len(notebooks) == 1 else f"notebook-{index}",
        )
        for index, notebook in enumerate(notebooks, start=1)
    )


def _predictor(checked: Checked) -> Place:
    """Return the place where the predictor is defined."""
    notebook = checked.chosen.notebooks[-1]
    return last_binding(notebook, "predictor") or Place(notebook.name)
