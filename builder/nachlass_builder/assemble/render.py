"""Writes the executed notebooks into the bundle, as .ipynb and as HTML."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from functools import cache
from itertools import groupby
from pathlib import Path

import nbformat
from nbconvert.exporters import HTMLExporter
from nbformat import NotebookNode


def write_executed(
    notebook: NotebookNode, folder: Path, stem: str, redact: Callable[[str], str]
) -> None:
    """Write `stem`.ipynb and `stem`.html; the HTML is self-contained."""
    text = redact(nbformat.writes(_settled(notebook)))
    # Lone surrogates, which UTF-8 cannot encode, are legal in JSON as escapes.
    (folder / f"{stem}.ipynb").write_text(text, encoding="utf-8", errors="backslashreplace")
    with warnings.catch_warnings():
        # Missing alternative texts of images are up to the notebook's author.
        warnings.simplefilter("ignore")
        html, _resources = _exporter().from_notebook_node(nbformat.reads(text, as_version=4))
    (folder / f"{stem}.html").write_text(html, encoding="utf-8", errors="backslashreplace")


def _settled(notebook: NotebookNode) -> NotebookNode:
    """Return the notebook with a cell's output between two displays in a fixed order.

    Standard output and standard error arrive separately, in an order that varies between runs.
    """
    settled = deepcopy(notebook)
    for cell in settled.cells:
        if cell.cell_type == "code":
            cell.outputs = [
                output
                for is_stream, run in groupby(cell.outputs, lambda one: one.output_type == "stream")
                for output in (_joined(run) if is_stream else run)
            ]
    return settled


def _joined(streams: Iterable[NotebookNode]) -> Iterator[NotebookNode]:
    """Merge streams by name, standard output first."""
    written: dict[str, NotebookNode] = {}
    for stream in streams:
        if stream.name in written:
            written[stream.name].text += stream.text
        else:
            written[stream.name] = stream
    yield from (written[name] for name in sorted(written, reverse=True))


def without_outputs(notebook: NotebookNode) -> NotebookNode:
    """Return the notebook without cell outputs."""
    stripped = deepcopy(notebook)
    stripped.metadata.pop("widgets", None)
    for cell in stripped.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    return stripped


def strip_outputs(source: Path) -> None:
    """Remove the outputs from the notebooks of a source's copy; remove unreadable notebooks."""
    for path in source.rglob("*.ipynb"):
        try:
            notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
            text = nbformat.writes(without_outputs(notebook))
        except Exception:  # noqa: BLE001 - an unreadable notebook may contain rows
            path.unlink()
        else:
            path.write_text(text, encoding="utf-8", errors="backslashreplace")


@cache
def _exporter() -> HTMLExporter:
    """Return the HTML exporter, which compiles its templates only once."""
    return HTMLExporter(
        embed_images=False,
        mathjax_url="",
        require_js_url="",
        jquery_url="",
        jupyter_widgets_base_url="",
        widget_renderer_url="",
        mermaid_js_url="",
        mermaid_layout_elk_js_url="",
    )
