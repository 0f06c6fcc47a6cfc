"""Explains why a model fails for its samples: which, where, and the next step."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from nachlass_builder.execution.advice import NO_ADVICE, Advice
from nachlass_builder.execution.cell_failure import TIMED, FailedCell
from nachlass_builder.execution.outcome import SampleFailure
from nachlass_builder.execution.raised import Raised
from nachlass_builder.foundation.errors import Place, ProofError
from nachlass_builder.foundation.excerpt import brief, plain
from nachlass_builder.foundation.progress import counted
from nachlass_builder.foundation.settings import SAMPLES_VARIABLE
from nachlass_builder.notebook.find_names import last_binding
from nachlass_builder.notebook.notebook import Notebook

ONE_ROW = "the model takes a list of rows: call model.predict([x])[0] to score one row"
ONE_OBJECT = "the predictor receives one row as a dict: pd.DataFrame([x]) converts it to a frame"
ONE_LIST = "the predictor receives one row as a list: np.array(x) converts it to an array"
ROWS = (
    "the predictor receives one row; a function that takes a list of rows is named "
    "batch_predictor, and predictor(x) can return batch_predictor([x])[0]"
)
TEXT = "a sample has text where the model expects numbers: convert it in `predictor`, or fix it"

HINTS = (
    (r"'dict' object has no attribute|'dict' object is not callable", "dict", ONE_OBJECT),
    (r"If using all scalar values, you must pass an index", "dict", ONE_OBJECT),
    (r"Expected 2D array|must be 2 dimensional|not 'dict'", "dict", ONE_OBJECT),
    (r"'list' object has no attribute|not 'list'", "list", ONE_LIST),
    (r"Expected 2D array|must be 2 dimensional", "list", ONE_ROW),
    (r"Expected 2D array|must be 2 dimensional", "", "the model takes a list of rows: [[x]]"),
    (r"'(int|float|bool|str|NoneType)' object is not (iterable|subscriptable)", "list", ROWS),
    (r"object of type '(int|float|bool|NoneType)' has no len\(\)", "list", ROWS),
    (r"could not convert string to float|can't multiply sequence", "", TEXT),
    (r"can only concatenate str|must be real number, not str", "", TEXT),
    (r"unsupported operand type\(s\) for .*'str'", "", TEXT),
)
"""Likely causes, by a pattern in the exception and the Python type of the sample."""

JSON_FORMS = "return numbers, strings, lists or dicts; numpy and pandas values are converted"


@dataclass(frozen=True)
class FailingSample:
    """The first sample for which a model fails, and the context that explains the failure.

    `count` is the number of samples that fail in this way. `scorer` is "`predictor`", or
    "the pipeline" for a notebook without one. `numbers`, `root` and `advice` are as in
    FailedCell; `cells` maps the files of other notebooks' cells to places.
    """

    described: SampleFailure
    count: int
    scorer: str
    notebook: Notebook
    numbers: Mapping[int, int]
    root: Path
    advice: Advice = NO_ADVICE
    cells: Mapping[str, str] = field(default_factory=dict)

    def left_out(self, scored: int) -> str:
        """Return the message for a few failing samples among many."""
        return (
            f"{self._function()} {self._verb()} {self.count} of {counted(scored, 'sample')}, "
            f"which are left out; the first: {self.place()}: sample {self.described.number}: "
            f"{self._message()}"
        )

    def place(self) -> Place:
        """Return the innermost cell line, or where the failing function is defined."""
        if cell := self._failed_cell():
            return cell.place()
        frames = raised.frames if (raised := self._raised()) else ()
        elsewhere = [frame for frame in frames if frame.file in self.cells]
        if elsewhere:
            return Place(f"{self.cells[elsewhere[-1].file]}, line {elsewhere[-1].line}")
        return self._definition()

    def error(self, scored: int, total: int, variable: str) -> ProofError:
        """Return the error for a model that fails for too many of its samples."""
        cell = self._failed_cell()
        how_many = f"{self.count} of {scored} samples"
        if self.count == scored:
            how_many = f"all {scored} samples" if scored > 1 else "the only sample"
        if scored < total:
            how_many += f" tried (of {total})"
        elif 2 * self.count <= scored:
            how_many += ", including the first ones"
        hint = (cell and cell.remedy()) or self._hint() or f"fix {self._function()}"
        return ProofError(
            f"{self._function()} {self._verb()} {how_many}; "
            f"sample {self.described.number}: {self._message()}",
            place=self.place(),
            details=cell.details() if cell else None,
            remedy=f"{hint}\n{other_samples_remedy(variable)}",
        )

    def _function(self) -> str:
        """Return the name of the failing function."""
        return "`validator`" if self.described.code == "refused" else self.scorer

    def _verb(self) -> str:
        """Return the verb; the number of samples follows."""
        return "rejects" if self.described.code == "refused" else "fails for"

    def _message(self) -> str:
        """Return the exception, or what cannot be written as JSON."""
        raised = self._raised()
        if self.described.code == "unserialisable" or not raised:
            return brief(self.described.message)
        if cell := self._failed_cell():
            return cell.message()
        return brief(f"{raised.ename}: {plain(raised.evalue)}".strip(": ").splitlines()[0])

    def _raised(self) -> Raised | None:
        """Return the exception without the frames of `%%time`, whose cells are unknown by now."""
        raised = self.described.raised
        if raised is None:
            return None
        return replace(raised, frames=tuple(f for f in raised.frames if f.file not in TIMED))

    def _definition(self) -> Place:
        """Return the place where the failing function is defined."""
        return last_binding(self.notebook, self._function().strip("`")) or self.notebook.place()

    def _failed_cell(self) -> FailedCell | None:
        """Return the cell of the exception's innermost frame in a cell."""
        raised = self._raised()
        if raised is None:
            return None
        counts = [frame.count for frame in raised.frames if frame.count is not None]
        in_cells = [self.numbers[count] for count in counts if count in self.numbers]
        if not in_cells:
            return None
        cell = self.notebook.cells[in_cells[-1] - 1]
        return FailedCell(self.notebook, cell, raised, self.numbers, self.root, self.advice)

    def _hint(self) -> str | None:
        """Return the likely cause, if a pattern matches."""
        raised, kind = self.described.raised, self.described.sample_type
        if self.described.code == "unserialisable":
            has_none = "has no JSON form" in self.described.message
            return JSON_FORMS if has_none else "rename the keys that are equal in JSON"
        if not raised:
            return None
        if raised.ename == "NameError":
            return f"no cell defines `{raised.name}`; an earlier session may have defined it"
        message = f"{raised.ename}: {raised.evalue}"
        found = (
            hint
            for sign, type_name, hint in HINTS
            if type_name in ("", kind) and re.search(sign, message)
        )
        return next(found, None)


def other_samples_remedy(variable: str) -> str:
    """Return the second line of a remedy, for a variable that does not hold the samples."""
    return (
        f"or, if `{variable}` holds something other than samples, name another variable with "
        f"{SAMPLES_VARIABLE}=NAME, or none with {SAMPLES_VARIABLE}="
    )
