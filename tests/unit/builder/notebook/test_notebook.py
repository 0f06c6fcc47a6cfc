import json

import nbformat
import pytest

from nachlass_builder.foundation.errors import NotebookError, SourceError
from nachlass_builder.notebook.bindings import binds_unseen, names_bound
from nachlass_builder.notebook.notebook import read_notebook, syntax_error
from support.cells import notebook_of, write_notebook


def read(tmp_path, text):
    write_notebook(tmp_path / "model.ipynb", text)
    return read_notebook(tmp_path, "model.ipynb")


def problem(tmp_path, source):
    notebook = read(tmp_path, f"# %%\n{source}")
    return syntax_error(notebook, notebook.cells[0])


def test_cells_are_numbered_as_in_jupyter(tmp_path):
    notebook = read(tmp_path, "# %% markdown\nText\n# %%\n\n# %%\na = 1\n# %%\n  \n# %%\nb = 2")
    assert [(cell.number, cell.source) for cell in notebook.cells] == [(1, "a = 1"), (2, "b = 2")]
    assert str(notebook.place(notebook.cells[1], 1)) == "model.ipynb, cell 2, line 1"


@pytest.mark.parametrize("minor", range(6))
def test_every_minor_version_of_format_4_is_read(tmp_path, minor):
    content = json.loads(nbformat.writes(notebook_of("# %%\nx = 1")))
    content["nbformat_minor"] = minor
    for cell in content["cells"]:
        if minor < 5:
            del cell["id"]
    (tmp_path / "model.ipynb").write_text(json.dumps(content))
    assert read_notebook(tmp_path, "model.ipynb").cells[0].source == "x = 1"


def test_format_3_is_upgraded(tmp_path):
    old = nbformat.convert(notebook_of("# %%\nx = 1"), 3)
    (tmp_path / "model.ipynb").write_text(json.dumps(old))
    notebook = read_notebook(tmp_path, "model.ipynb")
    assert notebook.node.nbformat == 4
    assert notebook.cells[0].source == "x = 1"


def test_generated_cell_ids_are_the_same_in_every_build(tmp_path):
    book = notebook_of("# %%\nx = 1\n# %%\ny = 1\n# %%\nz = 1\n")
    del book.cells[0]["id"], book.cells[2]["id"]
    book.cells[1]["id"] = "cell-1"
    (tmp_path / "model.ipynb").write_text(json.dumps(book))
    ids = [[cell.id for cell in read_notebook(tmp_path, "model.ipynb").node.cells] for _ in "ab"]
    assert ids == [["cell-2", "cell-1", "cell-3"]] * 2
    old = nbformat.convert(notebook_of("# %%\nx = 1\n# %%\ny = 1\n# %%\nz = 1\n"), 3)
    (tmp_path / "model.ipynb").write_text(json.dumps(old))
    ids = [cell.id for cell in read_notebook(tmp_path, "model.ipynb").node.cells]
    assert ids == ["cell-1", "cell-2", "cell-3"]


R_NOTEBOOK = """\
{"nbformat": 4, "nbformat_minor": 5, "cells": [],
 "metadata": {"kernelspec": {"name": "ir", "display_name": "R", "language": "R"}}}
"""


@pytest.mark.parametrize(
    ("content", "message", "line"),
    [
        ("", "file is empty", None),
        ('{"cells": [', "the file is truncated", 1),
        ("{'cells': []}", "not valid JSON: Expecting property name", 1),
        ('{\n "cells": [\n<<<<<<< HEAD\n1\n=======\n2\n>>>>>>> other\n]}', "git merge", 3),
        ("[]", "no `nbformat`", None),
        ('{"nbformat": 2, "nbformat_minor": 0, "worksheets": []}', "format is 2", None),
        ('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}', "damaged", None),
        (
            R_NOTEBOOK,
            "another language: R",
            None,
        ),
    ],
)
def test_an_invalid_notebook_is_rejected(tmp_path, content, message, line):
    (tmp_path / "model.ipynb").write_text(content)
    with pytest.raises(NotebookError, match=message) as caught:
        read_notebook(tmp_path, "model.ipynb")
    assert caught.value.place.file == "model.ipynb"
    assert caught.value.place.line == line


def test_a_notebook_that_is_not_text_is_rejected(tmp_path):
    (tmp_path / "model.ipynb").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(NotebookError, match="UTF-8"):
        read_notebook(tmp_path, "model.ipynb")
    with pytest.raises(SourceError):
        read_notebook(tmp_path, "absent.ipynb")


@pytest.mark.parametrize(
    "source",
    [
        "%matplotlib inline\n!ls -la\nfiles = !ls\nx?",
        "pip install numpy\nx = 1",
        "cd ..",
        "await something()",
        "async for x in y:\n    pass",
        "%%bash\nthis is not Python",
        "%%time\nx = 1",
        "%%capture out\n%%time\nx = 1",
        "%%html",
    ],
)
def test_ipython_syntax_is_not_a_syntax_error(tmp_path, source):
    assert problem(tmp_path, source) is None


@pytest.mark.parametrize(
    "source", ["print 'a'", "raise ValueError, 'a'", "x = 010", "print `x`", "exec 'x'"]
)
def test_python_2_is_recognized(tmp_path, source):
    error = problem(tmp_path, f"y = 1\n{source}")
    assert "Python 2" in error.message
    assert (error.place.cell, error.place.line) == (1, 2)
    assert source in error.details


def test_a_syntax_error_is_rejected_unless_the_cell_may_raise(tmp_path):
    assert "syntax error" in problem(tmp_path, "def f(:").message
    notebook = read(tmp_path, "# %% tags=raises-exception\ndef f(:")
    assert syntax_error(notebook, notebook.cells[0]) is None


def test_only_names_at_the_top_level_are_bound(tmp_path):
    source = (
        "import a.b, c as d\nfrom e import f\nx = (y := 1)\ndef g():\n    inner = 1\n"
        "class H:\n    attribute = 1\nif x:\n    k = 1\nfor i in x:\n    pass\n"
        "with x as w:\n    pass\ntry:\n    t = 1\nexcept E:\n    u = 1\nv: int = 1\nz += 1"
    )
    cell = read(tmp_path, f"# %%\n{source}").cells[0]
    bound = {name for name, _statement in names_bound(cell.tree)}
    assert bound == {*"adfxygHkiwtuvz"}


def test_magics_that_run_their_body_in_place_keep_line_numbers(tmp_path):
    cell = read(tmp_path, "# %%\n%%time\n\ndef predictor(x):\n    return x").cells[0]
    assert [(name, node.lineno) for name, node in names_bound(cell.tree)] == [("predictor", 3)]


@pytest.mark.parametrize("source", ["from m import *", "exec('x = 1')", "%run other.ipynb"])
def test_names_can_be_bound_dynamically(tmp_path, source):
    assert binds_unseen(read(tmp_path, f"# %%\n{source}").cells[0].tree)
    assert not binds_unseen(read(tmp_path, "# %%\n%matplotlib inline\nx = 1").cells[0].tree)
