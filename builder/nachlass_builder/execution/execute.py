"""Runs a notebook's cells in order.

It uses nbclient's NotebookClient rather than nbconvert's preprocessor around it, because the
preprocessor shuts the kernel down and the capture needs it alive.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from nbclient.exceptions import CellExecutionError, DeadKernelError

from nachlass_builder.execution.advice import NO_ADVICE, Advice
from nachlass_builder.execution.cell_failure import FailedCell, line_with
from nachlass_builder.execution.cell_output import CellClient
from nachlass_builder.execution.cell_warnings import CellWarnings
from nachlass_builder.execution.hidden_code import (
    DESCRIBE,
    MARK,
    NAME_CELLS,
    WATCH_READS,
    WATCH_WARNINGS,
    CodeError,
    isolated,
)
from nachlass_builder.execution.kernel import Kernel, started_kernel
from nachlass_builder.execution.raised import Frame, Raised
from nachlass_builder.foundation.credentials import HIDDEN
from nachlass_builder.foundation.errors import ExecutionError, TimeLimitError
from nachlass_builder.foundation.excerpt import plain, quoted_source
from nachlass_builder.foundation.overrun import OverrunError
from nachlass_builder.foundation.process import Deadline
from nachlass_builder.foundation.progress import Progress
from nachlass_builder.notebook.notebook import Cell, Notebook

__all__ = ["CodeError", "Execution", "Kernel", "executed"]

QUERY_LIMIT_S = 5.0
"""Timeout for the kernel to describe an exception."""
PIP_CALL = re.compile(r"\bpip\d?\b.*\binstall\b")
EXIT_CALL = re.compile(r"\b(exit|quit)\b")


@dataclass(frozen=True)
class Execution:
    """The parameters of one notebook's run.

    `notebook.node` receives the outputs. `root` is the copy of the repository, `cwd` the folder
    in it where the cells run, `environment` the variables that they see, `pythonpath` the extra
    folders to import from, `prepare` hidden code to run before the first cell. `advice` explains
    failures.
    """

    notebook: Notebook
    python: Path
    root: Path
    cwd: Path
    environment: Mapping[str, str]
    cell_timeout_s: float | None
    deadline: Deadline
    progress: Progress
    pythonpath: Sequence[Path] = ()
    prepare: Sequence[str] = ()
    advice: Advice = NO_ADVICE


@contextmanager
def executed(execution: Execution) -> Iterator[Kernel]:
    """Run every cell and yield the live kernel, which is shut down on exit."""
    with started_kernel(
        execution.python,
        cwd=execution.cwd,
        environment=execution.environment,
        pythonpath=execution.pythonpath,
        deadline=execution.deadline,
    ) as kernel:
        run = _Run(execution, kernel)
        reads = WATCH_READS.format(root=str(execution.root))
        warnings = WATCH_WARNINGS.format(path=str(run.warnings.path))
        names = NAME_CELLS.format(notebook=execution.notebook.name, mark=MARK)
        for code in (names, *execution.prepare, reads, warnings):
            kernel.run(isolated(code), doing="preparing the kernel")
        run.run()
        try:
            yield kernel
        finally:
            run.report_last_warnings()


class _Run:
    """One notebook in one kernel, cell by cell."""

    def __init__(self, execution: Execution, kernel: Kernel) -> None:
        self.execution = execution
        self.notebook = execution.notebook
        self.kernel = kernel
        self.client = CellClient(kernel, self.notebook.node)
        self.numbers = kernel.cell_numbers
        self.warnings = CellWarnings(
            kernel.folder / "warnings", self.notebook, self.numbers, execution.environment
        )

    def run(self) -> None:
        """Run every cell that is not blank."""
        node, total = self.notebook.node, len(self.notebook.cells)
        node.metadata["language_info"] = self.kernel.language_info
        indices = [
            index
            for index, cell in enumerate(node.cells)
            if cell.cell_type == "code" and cell.source.strip()
        ]
        for cell, index in zip(self.notebook.cells, indices, strict=True):
            with self.execution.progress.cell(self.notebook.name, cell.number, total):
                try:
                    self._run_cell(cell, index)
                finally:
                    self._report_warnings()
        self.client.set_widgets_metadata()

    def report_last_warnings(self) -> None:
        """Report the warnings of code that ran after the cells, and those that are only counted."""
        self._report_warnings()
        if summary := self.warnings.summary():
            self.execution.progress.note(summary)

    def _report_warnings(self) -> None:
        """Report the warnings since the last call."""
        for text in self.warnings.new():
            self.execution.progress.warn(text)

    def _run_cell(self, cell: Cell, index: int) -> None:
        """Run a cell, and raise if it does not complete."""
        if not self.kernel.is_alive():
            raise self._dead(self.notebook.cells[max(cell.number - 2, 0)])
        if cell.is_skipped:
            return
        self.numbers[len(self.numbers) + 1] = cell.number
        limit_s, by_build = self._limit()
        if limit_s == 0:
            raise self._exceeded(cell, by_build=by_build)
        try:
            self.kernel.call(self.client.run_cell(index), limit_s)
        except CellExecutionError:
            self._reject_missing_pips(cell)
            raise self._failed(cell, index, self._raised(self.client.reply)).error() from None
        except DeadKernelError:
            raise self._dead(cell) from None
        except OverrunError as overrun:
            error = self._exceeded(cell, by_build=by_build)
            raise self._overran(error, cell, index, overrun) from None
        self._reject_missing_pips(cell)
        self._reject_hidden_end(cell, index)

    def _reject_hidden_end(self, cell: Cell, index: int) -> None:
        """Raise for failures the kernel does not report: exit(), and errors magics swallow."""
        if any(part.get("source") == "ask_exit" for part in self.client.reply.get("payload", ())):
            line = line_with(cell.source, EXIT_CALL)
            frames = (Frame("", line, "", None, len(self.numbers)),)
            raised = Raised("SystemExit", "the cell ends the kernel", frames)
            raise self._failed(cell, index, raised).error()
        for output in self.notebook.node.cells[index].outputs:
            if output.output_type == "error" and not cell.may_raise:
                raise self._failed(cell, index, self._raised(output)).error()

    def _reject_missing_pips(self, cell: Cell) -> None:
        """Raise for a cell that asked pip for a package outside the lock."""
        if not self.kernel.missing_pips.exists():
            return
        texts = self.kernel.missing_pips.read_text(encoding="utf-8").splitlines()
        requests = [json.loads(text) for text in dict.fromkeys(texts)]
        names = ", ".join(entry["requirement"] for entry in requests)
        word = re.escape(requests[0]["word"]).replace(re.escape(HIDDEN), r"\S*")
        line = line_with(cell.source, re.compile(word), PIP_CALL)
        raise ExecutionError(
            f"pip cannot install {names}: the environment is locked before the cells run",
            place=self.notebook.place(cell, line),
            details=quoted_source(cell.source, line),
            remedy=f"add {', '.join(entry['remedy'] for entry in requests)} to `requirements`",
        )

    def _limit(self) -> tuple[float | None, bool]:
        """Return the seconds left for a cell, and whether the build's limit sets them."""
        cell_s, build_s = self.execution.cell_timeout_s, self.execution.deadline.remaining_s()
        if build_s is not None and (cell_s is None or build_s < cell_s):
            return build_s, True
        return cell_s, False

    def _exceeded(self, cell: Cell, *, by_build: bool) -> TimeLimitError:
        """Return the error for a cell that ran out of time."""
        if by_build:
            error = self.execution.deadline.exceeded("running this cell")
        else:
            error = TimeLimitError(
                f"the cell exceeded S2I_CELL_TIMEOUT ({self.execution.cell_timeout_s:g} s)",
                remedy="raise S2I_CELL_TIMEOUT, or make the cell faster",
            )
        error.place, error.details = self.notebook.place(cell), quoted_source(cell.source, None)
        return error

    def _overran(
        self, error: TimeLimitError, cell: Cell, index: int, overrun: OverrunError
    ) -> TimeLimitError:
        """Add to the error where the timed-out cell was."""
        if not overrun.interrupted:
            error.message += "; it ignored interrupts and was killed"
        elif self.client.reply.get("status") == "error":
            failed = self._failed(cell, index, self._raised(self.client.reply))
            error.place, error.details = failed.place(), failed.details()
        return error

    def _dead(self, cell: Cell) -> ExecutionError:
        """Return the error for a cell whose kernel died."""
        message, remedy = self.kernel.death()
        place, source = self.notebook.place(cell), quoted_source(cell.source, None)
        return ExecutionError(message, place=place, details=source, remedy=remedy)

    def _failed(self, cell: Cell, index: int, raised: Raised) -> FailedCell:
        outputs = self.notebook.node.cells[index].get("outputs", ())
        return FailedCell(
            self.notebook,
            cell,
            raised,
            self.numbers,
            self.execution.root,
            self.execution.advice,
            "".join(output.text for output in outputs if output.get("name") == "stderr"),
        )

    def _raised(self, data: Mapping[str, Any]) -> Raised:
        """Ask the kernel for its last exception, and fall back to its reply."""
        text = plain("\n".join(data.get("traceback") or []))
        fallback = Raised(data["ename"], data["evalue"], text=text)
        answer = self.kernel.folder / "exception.json"
        request = self.kernel.run_silently(DESCRIBE.format(path=str(answer)))
        try:
            self.kernel.call(request, QUERY_LIMIT_S)
            document = json.loads(answer.read_text(encoding="utf-8"))
            known = msgspec.convert(document, Raised) if document else fallback
        except (DeadKernelError, OverrunError, OSError, ValueError):
            return fallback
        # ipykernel fails to send text that UTF-8 cannot encode, and reports that failure instead.
        reported = (known.ename, "UnicodeEncodeError")
        return known if fallback.ename in reported else fallback
