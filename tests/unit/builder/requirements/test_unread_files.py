"""Unread requirement files are reported with a command that converts them."""

import pytest

from nachlass_builder.notebook.notebook import read_notebook
from nachlass_builder.requirements.requirements import gather
from nachlass_builder.requirements.unread_files import COMMANDS
from support.cells import write_notebook

POETRY = "[tool.poetry.dependencies]\npandas = '^2.0'\n"


@pytest.fixture
def notes(tmp_path):
    """Return a function that gathers the requirements of a source with these files."""

    def gathered(**files):
        write_notebook(tmp_path / "nb/model.ipynb", "# %%\nx = 1\n")
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return gather(tmp_path, [read_notebook(tmp_path, "nb/model.ipynb")])

    return gathered


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("folder", ["", "nb/"])
def test_an_unread_file_is_reported_once(notes, name, folder):
    [note] = notes(**{f"{folder}{name}": "pandas\n"}).notes
    assert note.startswith(f"{folder}{name} is not read: convert it with `")
    assert note.endswith("requirements.txt`")


def test_poetry_dependencies_are_reported(notes):
    [note] = notes(**{"pyproject.toml": POETRY}).notes
    assert note == (
        "[tool.poetry.dependencies] of pyproject.toml is not read: "
        "convert it with `poetry export -o requirements.txt`"
    )


@pytest.mark.parametrize("read", ["requirements.txt", "nb/requirements.txt"])
def test_nothing_is_reported_beside_a_file_that_is_read(notes, read):
    found = notes(**{read: "six\n", "setup.py": "", "Pipfile": "", "pyproject.toml": POETRY})
    assert found.notes == []
    assert [one.text for one in found.merged] == ["six"]


@pytest.mark.parametrize("name", ["conda.yaml", "conda.yml", "environment.yml"])
def test_a_conda_environment_can_have_several_names(notes, name):
    found = notes(**{name: "dependencies:\n- python=3.11\n- pip:\n  - six\n"})
    assert [one.text for one in found.merged] == ["six"]
