"""Says what a pickle holds that its author may not know of."""

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

MOST_PATHS = 5


def capture_warnings(
    pickled: Pickled, notebook: Notebook, numbers: Mapping[int, int], source: Path
) -> Iterator[str]:
    """The warnings of what is pickled: absolute paths, the build's own folder, a large global.

    `numbers` maps execution counts to numbers of cells, `source` is where the cells ran.
    """
    for found in pickled.paths[:MOST_PATHS]:
        place = last_binding(notebook, found.name) if found.name else None
        if found.frame:
            place = _place(found.frame, notebook, numbers)
        yield (
            f"{place or notebook.place()}: the predictor holds an absolute path, "
            f"{brief(redact(found.path, ()))!r}: {_remedy(found.path)} by a path relative to the "
            "notebook"
        )
    if (more := len(pickled.paths) - MOST_PATHS) > 0:
        yield f"the predictor holds {more} more absolute paths"
    if pickled.holds_build_path:
        yield (
            f"the pickle holds the path of this build's folder ({source}), "
            "which is gone afterwards: open files by relative paths"
        )
    if largest := pickled.largest:
        place = last_binding(notebook, largest.name) or notebook.place()
        yield (
            f"{place}: the pickle holds {pickled.pickle_bytes / 1e6:.0f} MB, "
            f"{largest.bytes / 1e6:.0f} MB of them `{largest.name}`, which `{largest.function}` "
            "uses: right for a model; of data keep only what serving needs, in a variable of its "
            "own"
        )


def _remedy(path: str) -> str:
    """What to do about a path: a folder, which may be of another machine, has no suffix."""
    is_folder = path.endswith(("/", "\\")) or Path(path).is_dir()
    if is_folder or not (PurePath(path).suffix or Path(path).is_file()):
        return "commit its files, and open them"
    return "commit the file, and open it"


def _place(frame: Frame, notebook: Notebook, numbers: Mapping[int, int]) -> Place | None:
    """The line of a cell that code is on."""
    number = numbers.get(frame.count or 0)
    if number is None:
        return None
    cell = notebook.cells[number - 1]
    return notebook.place(cell, line_in_cell(cell.source, frame))
