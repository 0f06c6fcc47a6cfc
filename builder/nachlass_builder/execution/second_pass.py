"""Executes the notebooks and captures their model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from nachlass_builder.bundle.manifest import Data
from nachlass_builder.bundle.staging import Staging
from nachlass_builder.execution.advice import Advice
from nachlass_builder.execution.capture_warnings import capture_warnings
from nachlass_builder.execution.data_files import Reads, data_notes, data_of, observed_reads
from nachlass_builder.execution.execute import Execution, Kernel, executed
from nachlass_builder.execution.failing_samples import FailingSample
from nachlass_builder.execution.hidden_code import NAME_CLASSES, REGISTER_REDUCERS
from nachlass_builder.execution.outcome import (
    AlikeFailures,
    Captured,
    Given,
    Kept,
    Outcome,
    Pickled,
    Refusal,
    read_outcome,
)
from nachlass_builder.execution.refusals import explained
from nachlass_builder.foundation.errors import (
    CaptureError,
    Place,
)
from nachlass_builder.foundation.process import Deadline
from nachlass_builder.foundation.progress import Progress
from nachlass_builder.foundation.settings import Settings
from nachlass_builder.notebook.choose_notebook import ChosenNotebooks
from nachlass_builder.notebook.contract import SAVE_FILE
from nachlass_builder.notebook.notebook import Notebook

MAX_SAMPLES = 2000
SCORING_BUDGET_S = 30.0
"""Time limit for one scoring of the samples; samples beyond it are not used."""

RUN_CAPTURE = "__import__('nachlass_kernel.capture', fromlist=['run']).run({folder!r})"


@dataclass(frozen=True)
class SecondPass:
    """The parameters that all notebooks of a build share."""

    chosen: ChosenNotebooks
    staging: Staging
    python: Path
    environment: Mapping[str, str]
    settings: Settings
    import_folders: Sequence[Path]
    advice: Advice
    deadline: Deadline
    progress: Progress
    key: str
    """The key of this build's inputs, see freshness.py."""
    cells: dict[str, str] = field(default_factory=dict)
    """Places by cell file, for the notebooks that have run."""

    def run(self) -> Captured:
        """Execute every notebook, and capture the model of the last one.

        This writes model.pickle, or stages.json and the stages, and samples.jsonl to the staged
        bundle.
        """
        if self.chosen.contract == "function":
            return self._run_function(self.chosen.notebooks[0])
        return self._run_pipeline(self.chosen.notebooks)

    def _run_function(self, notebook: Notebook) -> Captured:
        """Run the function contract: one notebook, which defines `predictor`."""
        with executed(self._execution(notebook, self.environment)) as kernel:
            data = self._data([observed_reads(kernel)])
            outcome = self._capture(kernel, notebook, {"capture": "function"}, Outcome)
            return self._captured(outcome.pickled, kernel, notebook, data)

    def _run_pipeline(self, notebooks: Sequence[Notebook]) -> Captured:
        """Run the pipeline contract: each notebook saves a stage; the last one's kernel scores."""
        *earlier, last = notebooks
        stages: list[tuple[str, str]] = []
        reads: list[Reads] = []
        for notebook in earlier:
            with self._stage(notebook, stages, reads) as kernel:
                request = {"capture": "samples", "stages": stages}
                self._capture(kernel, notebook, request, Kept)
        with self._stage(last, stages, reads) as kernel:
            (self.staging.bundle / "stages.json").write_text(json.dumps(stages), encoding="utf-8")
            request = {"capture": "pipeline", "stages": stages}
            outcome = self._capture(kernel, last, request, Outcome)
            return self._captured(outcome.pickled, kernel, last, self._data(reads))

    @contextmanager
    def _stage(
        self, notebook: Notebook, stages: list[tuple[str, str]], reads: list[Reads]
    ) -> Iterator[Kernel]:
        """Run a pipeline's notebook, check that it saved its stage, and yield its kernel."""
        file = _stage_file(notebook.name)
        path = self.staging.bundle / file
        with executed(
            self._execution(notebook, {**self.environment, SAVE_FILE: str(path)})
        ) as kernel:
            reads.append(observed_reads(kernel))
            _require_stage(path, notebook)
            stages.append((notebook.name, file))
            yield kernel

    def _captured(
        self, pickled: Pickled, kernel: Kernel, notebook: Notebook, data: Data
    ) -> Captured:
        """Return the final capture, and report its warnings."""
        numbers = kernel.cell_numbers
        for text in capture_warnings(pickled, notebook, numbers, self.staging.source):
            self.progress.warn(text)
        samples = pickled.samples
        failing = self._failing_samples(kernel, notebook, samples.failures)
        left_out = tuple(sample.left_out(samples.scored) for sample in failing)
        return Captured(pickled, left_out, dict(self.cells), data)

    def _data(self, reads: Sequence[Reads]) -> Data:
        """Return the files that the notebooks read, and note them in the report."""
        data = data_of(reads, self.staging.source)
        for text in data_notes(data):
            self.progress.note(text)
        return data

    def _execution(self, notebook: Notebook, environment: Mapping[str, str]) -> Execution:
        """Return the parameters of one notebook's run."""
        return Execution(
            notebook=notebook,
            python=self.python,
            root=self.staging.source,
            cwd=self.staging.source / self.chosen.folder,
            environment=environment,
            cell_timeout_s=self.settings.cell_timeout_s,
            deadline=self.deadline,
            progress=self.progress,
            pythonpath=tuple(self.import_folders),
            prepare=(
                NAME_CLASSES.format(built=f"{self.key}:{notebook.name}"),
                # A pipeline's cells do their own pickling.
                *((REGISTER_REDUCERS,) if self.chosen.contract == "pipeline" else ()),
            ),
            advice=self.advice,
        )

    def _capture(
        self, kernel: Kernel, notebook: Notebook, request: Mapping[str, Any], expected: type[Given]
    ) -> Given:
        """Run the capture in the live kernel and record the cells' places; raise CaptureError."""
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
        outcome = read_outcome(folder / "outcome.json", expected)
        if isinstance(outcome, Refusal):
            if outcome.code == "fails":
                failing = self._failing_samples(kernel, notebook, outcome.failures)
                variable = self.settings.samples or ""
                raise failing[0].error(outcome.scored, outcome.given, variable)
            raise explained(outcome, notebook)
        numbers = kernel.cell_numbers
        for file, count in outcome.cells.items():
            self.cells[file] = str(Place(notebook.name, numbers.get(count, count)))
        return outcome

    def _failing_samples(
        self, kernel: Kernel, notebook: Notebook, failures: Sequence[AlikeFailures]
    ) -> list[FailingSample]:
        """Return the first sample of each kind of failure, with the context to explain it."""
        return [
            FailingSample(
                failure.first,
                failure.count,
                "`predictor`" if self.chosen.contract == "function" else "the pipeline",
                notebook,
                kernel.cell_numbers,
                self.staging.source,
                self.advice,
                self.cells,
            )
            for failure in failures
        ]


def _stage_file(notebook: str) -> str:
    """Return the file of a notebook's stage: `a.sav` or, of `sub/a.ipynb`, `sub-a.sav`."""
    path = PurePosixPath(notebook)
    return "-".join((*path.parent.parts, f"{path.stem}.sav"))


def _require_stage(path: Path, notebook: Notebook) -> None:
    """Raise if a pipeline's notebook saved nothing."""
    if path.is_file() and path.stat().st_size:
        return
    raise CaptureError(
        f"the notebook saved no stage: no cell wrote the file named by {SAVE_FILE}",
        place=notebook.place(),
        remedy=(
            f'end the notebook with cloudpickle.dump(stage, open(os.environ["{SAVE_FILE}"], "wb"))'
        ),
    )
