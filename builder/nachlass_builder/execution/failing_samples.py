"""Explains a model that fails for its samples: which, where, what to do."""

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

ONE_ROW = "one row is not a list of rows: model.predict([x])[0] scores a single one"
ONE_OBJECT = "the predictor gets one row as an object: pd.DataFrame([x]) makes a frame of it"
ONE_LIST = "the predictor gets one row as a list: np.array(x) makes an array of it"
ROWS = (
    "the predictor gets one row; a function of a list of rows is called batch_predictor, "
    "and predictor(x) can be batch_predictor([x])[0]"
)
TEXT = "a sample holds text where the model takes numbers: convert it in `predictor`, or mend it"

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
"""What is likely to be wrong: by a sign in the exception and the Python type of the sample."""

JSON_FORMS = "return numbers, text, lists or dicts of them; numpy and pandas values are converted"


@dataclass(frozen=True)
class FailingSample:
    """The first sample for which a model fails, and what it takes to explain it.

    `count` is how many fail in this way. `scorer` is what scores: "`predictor`", or
    "the pipeline" of a notebook without one. `numbers`, `root` and
    `advice` are those of a FailedCell; `cells` are the places of the
    files of other notebooks' cells.
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
        """What to say of a few samples of many."""
        return (
            f"{self._function()} {self._verb()} {self.count} of {counted(scored, 'sample')}, "
            f"which are left out; the first: {self.place()}: sample {self.described.number}: "
            f"{self._message()}"
        )

    def place(self) -> Place:
        """The innermost line of a cell, or where the failing function is defined."""
        if cell := self._failed_cell():
            return cell.place()
        frames = raised.frames if (raised := self._raised()) else ()
        elsewhere = [frame for frame in frames if frame.file in self.cells]
        if elsewhere:
            return Place(f"{self.cells[elsewhere[-1].file]}, line {elsewhere[-1].line}")
        return self._definition()

    def error(self, scored: int, given: int, variable: str) -> ProofError:
        """The failure of a model that fails for so many of the `scored` of the `given` samples."""
        cell = self._failed_cell()
        how_many = f"{self.count} of {scored} samples"
        if self.count == scored:
            how_many = f"all {scored} samples" if scored > 1 else "the only sample"
        if scored < given:
            how_many += f" tried of {given}"
        elif 2 * self.count <= scored:
            how_many += ", the first ones among them"
        hint = (cell and cell.remedy()) or self._hint() or f"mend {self._function()}"
        return ProofError(
            f"{self._function()} {self._verb()} {how_many}; "
            f"sample {self.described.number}: {self._message()}",
            place=self.place(),
            details=cell.details() if cell else None,
            remedy=f"{hint}\n{or_else(variable)}",
        )

    def _function(self) -> str:
        """What fails."""
        return "`validator`" if self.described.code == "refused" else self.scorer

    def _verb(self) -> str:
        """What it does; `for` and the samples may follow."""
        return "refuses" if self.described.code == "refused" else "fails for"

    def _message(self) -> str:
        """The exception, or what cannot be written as JSON."""
        raised = self._raised()
        if self.described.code == "unserialisable" or not raised:
            return brief(self.described.message)
        if cell := self._failed_cell():
            return cell.message()
        return brief(f"{raised.ename}: {plain(raised.evalue)}".strip(": ").splitlines()[0])

    def _raised(self) -> Raised | None:
        """The exception without the frames of `%%time`, whose cells are not known any more."""
        raised = self.described.raised
        if raised is None:
            return None
        return replace(raised, frames=tuple(f for f in raised.frames if f.file not in TIMED))

    def _definition(self) -> Place:
        """Where the failing function is defined."""
        return last_binding(self.notebook, self._function().strip("`")) or self.notebook.place()

    def _failed_cell(self) -> FailedCell | None:
        """The cell of the exception's innermost line that is in one."""
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
        """What is likely to be wrong, if there is a sign of it."""
        raised, kind = self.described.raised, self.described.sample_type
        if self.described.code == "unserialisable":
            has_none = "has no JSON form" in self.described.message
            return JSON_FORMS if has_none else "rename what would have the same name in JSON"
        if not raised:
            return None
        if raised.ename == "NameError":
            return f"no cell leaves `{raised.name}` defined; an earlier session may have done so"
        said = f"{raised.ename}: {raised.evalue}"
        found = (hint for sign, of, hint in HINTS if of in ("", kind) and re.search(sign, said))
        return next(found, None)


def or_else(variable: str) -> str:
    """What to do when the variable does not hold the samples: a second line of a remedy."""
    return (
        f"or, if `{variable}` holds something other than samples, name another variable with "
        f"{SAMPLES_VARIABLE}=NAME, or none with {SAMPLES_VARIABLE}="
    )
