"""Executes the notebooks and captures what they define."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from nachlass_builder.bundle.manifest import Data
from nachlass_builder.bundle.staging import Staging
from nachlass_builder.execution.captured import capture_warnings
from nachlass_builder.execution.data_files import Reads, data_notes, data_of, observed_reads
from nachlass_builder.execution.execute import Execution, Kernel, executed
from nachlass_builder.execution.failing_samples import FailingSample, or_else
from nachlass_builder.execution.hidden_code import KEEP_PLACES
from nachlass_builder.foundation.errors import (
    CaptureError,
    NachlassError,
    NotebookError,
    Place,
    ProofError,
)
from nachlass_builder.foundation.process import Deadline
from nachlass_builder.foundation.progress import Progress
from nachlass_builder.foundation.settings import Settings
from nachlass_builder.notebook.choose_notebook import Located, last_binding, last_change
from nachlass_builder.notebook.contract import NAME_SAMPLES, SAVE_FILE, one_argument
from nachlass_builder.notebook.notebook import Notebook

MAX_SAMPLES = 2000
SCORING_BUDGET_S = 30.0
"""Seconds that one scoring of the samples may take; fewer are used when it is not enough."""

RUN_CAPTURE = "__import__('nachlass_kernel.capture', fromlist=['run']).run({folder!r})"


@dataclass(frozen=True)
class SecondPass:
    """What every notebook of a build runs with."""

    located: Located
    staging: Staging
    python: Path
    environment: Mapping[str, str]
    settings: Settings
    import_folders: Sequence[Path]
    explain_missing_file: Callable[[str], str | None]
    deadline: Deadline
    progress: Progress
    cells: dict[str, str] = field(default_factory=dict)
    """The places of the cells' files of the notebooks that have run."""

    def run(self) -> dict[str, Any]:
        """Execute every notebook; return the outcome of the last one's capture.

        The bundle in the making gets model.pickle or stages.json with the
        stages, and samples.jsonl; the outcome's `data` is the manifest's section.
        """
        if self.located.contract == "function":
            return self._run_function(self.located.notebooks[0])
        return self._run_pipeline(self.located.notebooks)

    def _run_function(self, notebook: Notebook) -> dict[str, Any]:
        """The function contract: one notebook, which defines `predictor`."""
        with executed(self._execution(notebook, self.environment)) as kernel:
            data = self._data([observed_reads(kernel)])
            return {**self._capture(kernel, notebook, {"capture": "function"}), "data": data}

    def _run_pipeline(self, notebooks: Sequence[Notebook]) -> dict[str, Any]:
        """The pipeline contract: each notebook saves a stage; the last one's kernel scores."""
        stages: list[list[str]] = []
        reads: list[Reads] = []
        outcome: dict[str, Any] = {}
        for index, notebook in enumerate(notebooks):
            file = _stage_file(notebook.name)
            path = self.staging.bundle / file
            environment = {**self.environment, SAVE_FILE: str(path)}
            with executed(self._execution(notebook, environment)) as kernel:
                reads.append(observed_reads(kernel))
                _require_stage(path, notebook)
                stages.append([notebook.name, file])
                what = "samples"
                if index == len(notebooks) - 1:
                    what, text = "pipeline", json.dumps(stages)
                    (self.staging.bundle / "stages.json").write_text(text, encoding="utf-8")
                outcome = self._capture(kernel, notebook, {"capture": what, "stages": stages})
                self.cells.update(outcome["cells"])
        return {**outcome, "cells": dict(self.cells), "data": self._data(reads)}

    def _data(self, reads: Sequence[Reads]) -> Data:
        """What the notebooks read, for the manifest and in short for the report."""
        data = data_of(reads, self.staging.source)
        for text in data_notes(data):
            self.progress.note(text)
        return data

    def _execution(self, notebook: Notebook, environment: Mapping[str, str]) -> Execution:
        """How one notebook is executed."""
        return Execution(
            notebook=notebook,
            python=self.python,
            root=self.staging.source,
            cwd=self.staging.source / self.located.folder,
            environment=environment,
            cell_timeout_s=self.settings.cell_timeout_s,
            deadline=self.deadline,
            progress=self.progress,
            pythonpath=tuple(self.import_folders),
            # A pipeline's cells pickle for themselves.
            prepare=(KEEP_PLACES,) if self.located.contract == "pipeline" else (),
            explain_missing_file=self.explain_missing_file,
        )

    def _capture(
        self, kernel: Kernel, notebook: Notebook, request: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Run the capture in the live kernel and return its outcome; raises CaptureError."""
        folder = self.staging.work / "capture"
        folder.mkdir(exist_ok=True)
        request = {
            **request,
            "root": str(self.staging.source),
            "output": str(self.staging.bundle),
            "samples": self.settings.samples,
            "limit": MAX_SAMPLES,
            "budget_s": SCORING_BUDGET_S,
        }
        (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
        kernel.run(RUN_CAPTURE.format(folder=str(folder)), doing="capturing the predictor")
        outcome: dict[str, Any] = json.loads((folder / "outcome.json").read_text(encoding="utf-8"))
        if error := outcome.get("error"):
            if error["code"] == "fails":
                failing = self._failing_samples(kernel, notebook, error["failures"])
                raise failing[0].error(error["scored"], error["given"], self.settings.samples or "")
            raise _refusal(error, notebook)
        numbers = kernel.cell_numbers
        for text in capture_warnings(outcome, notebook, numbers, self.staging.source):
            self.progress.warn(text)
        outcome["cells"] = {
            file: str(Place(notebook.name, numbers.get(count, count)))
            for file, count in outcome["cells"].items()
        }
        if samples := outcome.get("samples"):
            failing = self._failing_samples(kernel, notebook, samples["failures"])
            samples["left_out"] = [sample.left_out(samples["scored"]) for sample in failing]
        return outcome

    def _failing_samples(
        self, kernel: Kernel, notebook: Notebook, failures: Sequence[Mapping[str, Any]]
    ) -> list[FailingSample]:
        """The first sample of each kind of failure, with what it takes to explain it."""
        return [
            FailingSample(
                failure["first"],
                failure["count"],
                "`predictor`" if self.located.contract == "function" else "the pipeline",
                notebook,
                kernel.cell_numbers,
                self.staging.source,
                self.explain_missing_file,
                self.cells,
            )
            for failure in failures
        ]


def _stage_file(notebook: str) -> str:
    """The file of a notebook's stage: `a.ipynb` saves `a.sav`, `sub/a.ipynb` `sub-a.sav`."""
    path = PurePosixPath(notebook)
    return "-".join((*path.parent.parts, f"{path.stem}.sav"))


def _require_stage(path: Path, notebook: Notebook) -> None:
    """Refuse a notebook of a pipeline that saved nothing."""
    if path.is_file() and path.stat().st_size:
        return
    raise CaptureError(
        f"the notebook saved no stage: {SAVE_FILE} named a file, and nothing wrote it",
        place=notebook.place(),
        remedy=(
            f'end the notebook with cloudpickle.dump(stage, open(os.environ["{SAVE_FILE}"], "wb"))'
        ),
    )


def _refusal(error: Mapping[str, Any], notebook: Notebook) -> NachlassError:
    """Turn a failed capture into a sentence that names the cell."""
    code, name = error["code"], error.get("name") or "predictor"
    place = last_binding(notebook, name) or notebook.place()
    match code:
        case "unpicklable":
            return CaptureError(
                f"the {error['function']} cannot be pickled: {error['type']} is in its way",
                place=place,
                details=f"reached through: {error['path']}\n{error['message']}",
                remedy=(
                    f"let the {error['function']} make or open that object when it is called, "
                    "or keep only plain data of it"
                ),
            )
        case "stages":
            return CaptureError(
                f"the saved stages do not load as a pipeline: {error['message']}",
                place=notebook.place(),
                remedy="save each stage with cloudpickle, and only fitted scikit-learn estimators",
            )
        case "stage":
            return CaptureError(
                f"the saved stage {error['message']}",
                place=notebook.place(),
                remedy=error["remedy"],
            )
        case "samples":
            return ProofError(
                error["message"],
                place=place,
                remedy=f"let it be a list of inputs of `predictor`\n{or_else(name)}",
            )
        case "no_samples":
            return NotebookError(error["message"], place=place, remedy=NAME_SAMPLES)
        case "arguments":
            return NotebookError(error["message"], place=place, remedy=one_argument(name))
        case "no_predictor":
            return CaptureError(
                error["message"],
                place=last_change(notebook, "predictor") or notebook.place(),
                remedy="define predictor(x), which scores one sample",
            )
    return CaptureError(error["message"], place=place, remedy=f"define {name} with def {name}(x)")
