"""Reads a bundle: its manifest, its files and its samples."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

from nachlass_service.base.errors import BundleError
from nachlass_service.bundle.manifest import Manifest, read_manifest

CHECKED_SAMPLES = 10
"""Samples that are read at startup; the others are read when they are needed."""


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk, and its manifest."""

    path: Path
    manifest: Manifest

    @classmethod
    def open(cls, path: Path, *, proven: bool = True) -> Bundle:
        """Read the manifest; raises BundleError. Only the proof opens bundles that are unproven."""
        return cls(path.resolve(), read_manifest(path, proven=proven))

    @property
    def is_pipeline(self) -> bool:
        """Whether the model is a pipeline rather than functions."""
        return self.manifest.contract == "pipeline"

    @property
    def title(self) -> str:
        """The model's name and version."""
        return f"{self.manifest.name} {self.manifest.version}"

    @property
    def notebooks(self) -> list[str]:
        """The names of the notebooks, in execution order."""
        return [notebook.name for notebook in self.manifest.source.notebooks]

    @property
    def function(self) -> str:
        """A description of the model: the predictor and where it is defined, or the pipeline."""
        if self.is_pipeline:
            return f"the pipeline of {', '.join(self.notebooks)}"
        return f"predictor, {self.manifest.entry.predictor}"

    def executed_notebook(self, number: int) -> str | None:
        """Return an executed notebook as HTML, counted from 1; None when there is none."""
        executed = [notebook.executed for notebook in self.manifest.source.notebooks]
        if not 1 <= number <= len(executed):
            return None
        return (self.path / f"{executed[number - 1]}.html").read_text(encoding="utf-8")

    @property
    def random_fields(self) -> frozenset[str]:
        """The prediction fields of which only the types are proven (see agreement.py)."""
        return frozenset(self.manifest.samples.random_fields)

    @property
    def working_directory(self) -> Path:
        """The folder the notebook ran in, inside `src/`."""
        return self.path / "src" / self.manifest.entry.working_directory

    @property
    def import_folders(self) -> list[Path]:
        """The folders to import from, in the notebook's order."""
        return [self.path / "src" / folder for folder in self.manifest.entry.import_folders]

    def place_of(self, filename: str) -> str | None:
        """Return the user's name for a code file: `model.ipynb, cell 3`, or a path in `src/`."""
        cells = self.manifest.entry.cells
        if filename in cells:
            return cells[filename]
        path, source = Path(filename), self.path / "src"
        return str(path.relative_to(source)) if path.is_relative_to(source) else None

    def left_out(self, missing: str) -> str | None:
        """Return the distribution that the build left out, by its name or one of its modules."""
        left_out = self.manifest.slim.left_out
        if missing in left_out:
            return missing
        for distribution, modules in left_out.items():
            if any(missing == module or missing.startswith(f"{module}.") for module in modules):
                return distribution
        # A namespace package is missing once all of its modules are.
        below = [
            distribution
            for distribution, modules in left_out.items()
            if any(module.startswith(f"{missing}.") for module in modules)
        ]
        return below[0] if len(below) == 1 else None

    def samples(self) -> Iterator[tuple[Any, Any]]:
        """Yield each sample with its proven prediction; raises BundleError for a damaged line."""
        path = self.path / "samples.jsonl"
        if not path.is_file():
            return
        with path.open(encoding="utf-8") as file:
            for number in count(1):
                try:
                    if not (line := file.readline()):
                        return
                    entry = json.loads(line)
                    pair = entry["sample"], entry["prediction"]
                except (ValueError, TypeError, KeyError, RecursionError) as error:
                    raise BundleError(
                        f"{path}, line {number} is damaged: {type(error).__name__}: {error}"
                    ) from error
                yield pair

    def check_samples(self) -> None:
        """Raise BundleError unless the first samples can be read."""
        for _ in islice(self.samples(), CHECKED_SAMPLES):
            pass
