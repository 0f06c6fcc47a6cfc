"""Warnings about unexpected contents of the pickle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath

from nachlass_builder.execution.cell_failure import line_in_cell
from nachlass_builder.execution.outcome import Pickled
from nachlass_builder.execution.raised import Frame
from nachlass_builder.foundation.credentials import redact
from nachlass_builder.foundation.errors import Place
from nachlass_builder.foundation.excerpt import brief
from nachlass_builder.notebook.find_names import last_binding
from nachlass_builder.notebook.notebook import Notebook

MAX_PATHS = 5


def capture_warnings(
    pickled: Pickled, notebook: Notebook, numbers: Mapping[int, int], source: Path
) -> Iterator[str]:
    """Yield warnings about the pickle: absolute paths, the build folder, a large global.

    `numbers` maps execution counts to cell numbers; `source` is the folder the cells ran in.
    """
    for found in pickled.paths[:MAX_PATHS]:
        place = last_binding(notebook, found.name) if found.name else None
        if found.frame:
            place = _place(found.frame, notebook, numbers)
        yield (
            f"{place or notebook.place()}: the predictor contains the absolute path "
            f"{brief(redact(found.path, ()))!r}: {_remedy(found.path)} by a path relative to the "
            "notebook"
        )
    if (more := len(pickled.paths) - MAX_PATHS) > 0:
        yield f"the predictor contains {more} more absolute paths"
    if pickled.holds_build_path:
        yield (
            f"the pickle contains the path of the build folder ({source}), "
            "which is deleted after the build: open files by relative paths"
        )
    if largest := pickled.largest:
        place = last_binding(notebook, largest.name) or notebook.place()
        yield (
            f"{place}: the pickle has {pickled.pickle_bytes / 1e6:.0f} MB, of which "
            f"{largest.bytes / 1e6:.0f} MB are `{largest.name}`, used by `{largest.function}`: "
            "fine for a model; for data, keep only the part that the function needs in a separate "
            "variable"
        )


def _remedy(path: str) -> str:
    """Return the next step for a path; without a suffix it may be a folder of another machine."""
    is_folder = path.endswith(("/", "\\")) or Path(path).is_dir()
    if is_folder or not (PurePath(path).suffix or Path(path).is_file()):
        return "commit its files and open them"
    return "commit the file and open it"


def _place(frame: Frame, notebook: Notebook, numbers: Mapping[int, int]) -> Place | None:
    """Return the cell line of a frame."""
    number = numbers.get(frame.count or 0)
    if number is None:
        return None
    cell = notebook.cells[number - 1]
    return notebook.place(cell, line_in_cell(cell.source, frame))
