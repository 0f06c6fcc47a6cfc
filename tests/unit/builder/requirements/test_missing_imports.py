"""Imports that no requirement provides, and the requirements to paste."""

import pytest

from nachlass_builder.foundation.errors import Place
from nachlass_builder.notebook.notebook import read_notebook
from nachlass_builder.requirements.imports import Import
from nachlass_builder.requirements.missing_imports import (
    describe_imports,
    missing_imports,
    to_paste,
)
from nachlass_builder.requirements.requirements import gather
from support.cells import write_notebook


def imports(*names):
    return [Import(name, Place("model.ipynb", 1, line)) for line, name in enumerate(names, start=1)]


@pytest.mark.parametrize(
    ("module", "provided", "distribution"),
    [
        ("sklearn.cluster.KMeans", [], "scikit-learn"),
        ("sklearn", ["scikit-learn"], None),
        ("cv2", ["opencv-python"], None),
        ("cv2", ["numpy"], "opencv-python-headless"),
        ("google.cloud.storage.Client", [], "google-cloud-storage"),
        ("google.cloud.storage", ["google-cloud-bigquery"], "google-cloud-storage"),
        ("json.decoder", [], None),
        ("IPython.display", [], None),
        ("google.colab.drive", [], None),
        ("company.tools", ["company-sdk"], None),
        ("my_tool", ["my-tool"], None),
    ],
)
def test_the_distribution_of_a_module_is_known(module, provided, distribution):
    missing = missing_imports(imports(module), provided)
    assert [one.distributions[0] for one in missing] == [distribution] * bool(distribution)


def test_no_distribution_is_guessed_for_an_unknown_module():
    [missing] = missing_imports(imports("acme.tools", "acme.more"), ["numpy"])
    assert (missing.imported.module, missing.distributions) == ("acme.tools", ())


def test_a_missing_distribution_is_listed_once():
    missing = missing_imports(imports("sklearn.svm", "sklearn.cluster", "numpy"), [])
    assert [one.imported.module for one in missing] == ["sklearn.svm", "numpy"]


def test_the_first_imports_are_listed():
    one, *_ = missing = missing_imports(imports("a", "b", "c", "d", "e", "f", "g"), [])
    assert describe_imports([one]) == "`a` (model.ipynb, cell 1, line 1)"
    assert (
        describe_imports(missing[:2])
        == "`a` (model.ipynb, cell 1, line 1) and `b` (model.ipynb, cell 1, line 2)"
    )
    assert describe_imports(missing).endswith("`e` (model.ipynb, cell 1, line 5) and 2 more")


@pytest.fixture
def pasted(tmp_path):
    """Return a function for the lines to paste, given the cells and other files."""

    def pasted(cells, **files):
        write_notebook(tmp_path / "model.ipynb", cells)
        for name, text in files.items():
            (tmp_path / name.replace("_", ".")).write_text(text)
        notebooks = [read_notebook(tmp_path, "model.ipynb")]
        pins = {"pandas": "3.0.1", "pyyaml": None}
        return to_paste(notebooks, gather(tmp_path, notebooks), pins).splitlines()

    return pasted


LIST = ['        ["pandas", "3.0.1"],', '        "pyyaml",']


def test_a_source_without_requirements_gets_a_first_cell(pasted):
    first = "paste this as the first cell of model.ipynb:"
    assert pasted("# %%\nx = 1") == [first, "    requirements = [", *LIST, "    ]"]
    assert pasted("# %%\n!pip install six")[0] == first


def test_a_list_in_a_cell_gets_a_cell_below_it(pasted):
    cells = "# %%\nx = 1\n# %%\nrequirements = ['numpy']\n# %%\ny = 2"
    assert pasted(cells) == [
        "add a cell below model.ipynb, cell 2:",
        "    requirements += [",
        *LIST,
        "    ]",
    ]


PAIRS = ['    ["pandas", "3.0.1"],', '    "pyyaml",']


@pytest.mark.parametrize(
    ("value", "what", "lines"),
    [
        ("('numpy',)", "add to", PAIRS),
        ("make()", "add to", PAIRS),
        ("{'numpy': '2.4'}", "add to", ['    "pandas": "3.0.1",', '    "pyyaml": "*",']),
        ("'numpy'", "add lines to", ["    pandas==3.0.1", "    pyyaml"]),
    ],
)
def test_another_value_is_extended_in_its_own_form(pasted, value, what, lines):
    found = pasted(f"# %%\nrequirements = {value}")
    assert found == [f"{what} `requirements` (model.ipynb, cell 1, line 1):", *lines]


def test_generating_hashes_is_suggested_for_a_file_with_hashes(pasted):
    text = f"numpy==2.4.6 --hash=sha256:{'0' * 64}\n"
    [first, *_] = pasted("# %%\nx = 1", requirements_txt=text)
    assert first == "add to requirements.txt, with hashes (uv pip compile --generate-hashes):"


def test_requirements_are_added_to_a_requirements_file(pasted):
    assert pasted("# %%\nx = 1", requirements_txt="numpy\n") == [
        "add to requirements.txt:",
        "    pandas==3.0.1",
        "    pyyaml",
    ]


def test_requirements_are_added_to_a_project(pasted):
    project = '[project]\nname = "mine"\nversion = "1"\ndependencies = ["numpy"]\n'
    assert pasted("# %%\nx = 1", pyproject_toml=project) == [
        "add to `dependencies` in pyproject.toml:",
        '    "pandas==3.0.1",',
        '    "pyyaml",',
    ]


def test_an_empty_requirements_file_is_ignored(pasted):
    assert pasted("# %%\nx = 1", requirements_txt="# nothing yet\n")[0].startswith("paste this")
