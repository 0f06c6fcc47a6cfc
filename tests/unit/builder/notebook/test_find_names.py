"""The locations where a notebook binds the names of the contract."""

import pytest

from nachlass_builder.foundation.errors import Place
from nachlass_builder.notebook.find_names import (
    bindings_of,
    last_binding,
    last_change,
    may_define_unseen,
)
from nachlass_builder.notebook.notebook import read_notebook
from support.cells import write_notebook


@pytest.fixture
def read(tmp_path):
    def read(cells):
        write_notebook(tmp_path / "model.ipynb", cells)
        return read_notebook(tmp_path, "model.ipynb")

    return read


def test_all_bindings_of_a_name_are_found_in_order(read):
    notebook = read(
        "# %%\nimport predictor\n# %%\nx = 1\nif x:\n    predictor = x\n# %%\n%%bash\npredictor=1\n"
        "# %%\ndef (\n# %%\ndef predictor(x):\n    predictor = 1\n"
    )
    found = [(cell.number, node.lineno) for cell, node in bindings_of(notebook, "predictor")]
    assert found == [(1, 1), (2, 3), (5, 1)]
    assert bindings_of(notebook, "samples") == []


def test_the_last_binding_is_located(read):
    notebook = read("# %%\nsamples = []\n# %%\nsamples = [\n    1]\nsamples.append(2)\n# %%\nx = 1")
    assert last_binding(notebook, "samples") == Place("model.ipynb", 2, 1)
    assert last_binding(notebook, "predictor") is None


@pytest.mark.parametrize(
    "statement",
    [
        "samples = [2]",
        "samples, x = [2], 3",
        "samples += [2]",
        "samples[0] = 2",
        "samples[0][1] = 2",
        "samples.append(2)",
        "del samples",
        "del samples[0]",
        "import samples",
        "import data as samples",
        "from data import samples",
        "for samples in x: pass",
        "with x as samples: pass",
        "if x:\n    samples = [2]",
        "def samples(): pass",
        "class samples: pass",
        "x = (samples := [2])",
    ],
)
def test_a_change_is_a_binding_a_deletion_a_method_call_or_an_item_assignment(read, statement):
    notebook = read(f"# %%\nsamples = [1]\nx = 1\n{statement}\n# %%\ny = 1")
    assert last_change(notebook, "samples") == Place("model.ipynb", 1, 3)


@pytest.mark.parametrize(
    "statement",
    ["x = samples", "x[samples] = 1", "len(samples)", "x.samples = 1", "import samples.a as x"],
)
def test_a_use_is_not_a_change(read, statement):
    notebook = read(f"# %%\nx = 1\nsamples = [1]\n{statement}")
    assert last_change(notebook, "samples") == Place("model.ipynb", 1, 2)


def test_an_unchanged_name_has_no_location(read):
    notebook = read("# %%\nx = 1\n# %%\n%%bash\nsamples=1\n# %%\nsamples = (")
    assert last_change(notebook, "samples") is None


@pytest.mark.parametrize(
    ("cells", "unseen"),
    [
        ("# %%\nx = 1\n# %%\nfrom m import *", True),
        ("# %%\n%run other.ipynb\n# %%\nx = 1", True),
        ("# %%\nx = 1", False),
        ("# %%\n%%bash\nfrom m import *", False),
        ("# %%\nfrom m import * (", False),
        ("", False),
    ],
)
def test_any_cell_can_define_names_dynamically(read, cells, unseen):
    assert may_define_unseen(read(cells)) is unseen
