"""Notebooks written as text: cells between `# %%` lines, as in editors.

`# %% markdown` starts a markdown cell, `# %% tags=a,b` a code cell with tags.
A cell's text is used as is, including magics.
"""

import re
from pathlib import Path

import nbformat


def notebook_of(text):
    """Parse a text of cells into a notebook."""
    cells = []
    for block in re.split(r"^(?=# %%)", text, flags=re.MULTILINE):
        head, _, source = block.partition("\n")
        if not head.startswith("# %%"):
            continue
        if "markdown" in head:
            cells.append(nbformat.v4.new_markdown_cell(source.strip("\n")))
            continue
        cell = nbformat.v4.new_code_cell(source.strip("\n"))
        if tags := re.search(r"tags=(\S+)", head):
            cell.metadata["tags"] = tags[1].split(",")
        cells.append(cell)
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


def write_notebook(path: Path, text):
    """Write a text of cells as a notebook."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook_of(text), path)
    return path
