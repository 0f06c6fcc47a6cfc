"""Documents with a value of the wrong type."""

import pytest

from nachlass_builder.foundation.errors import RequirementsError
from nachlass_builder.notebook.notebook import read_notebook
from nachlass_builder.requirements.requirements import gather
from support.cells import write_notebook

TABLE = "must be a table"
BLOCK = "# %%\n# /// script\n# {}\n# ///"


@pytest.fixture
def refusal(tmp_path):
    def refusal(name, text):
        cells = "# %%\nx = 1"
        if name == "model.ipynb":
            cells = BLOCK.format(text.rstrip("\n").replace("\n", "\n# "))
        else:
            (tmp_path / name).write_text(text)
        write_notebook(tmp_path / "model.ipynb", cells)
        with pytest.raises(RequirementsError) as caught:
            gather(tmp_path, [read_notebook(tmp_path, "model.ipynb")])
        return caught.value

    return refusal


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("project = 5\n", f"`project` {TABLE}", 1),
        ("[project]\n\ndependencies = 'numpy'\n", "`dependencies` must be a list", 3),
        ("[project]\ndependencies = [5]\n", "`dependencies` contains 5, which is not a string", 2),
        ("[project]\nrequires-python = 3.11\n", "`requires-python` must be a string", 2),
        ("[project]\ndynamic = 5\n", "`dynamic` must be a list, not 5", 2),
        ("tool = 5\n", f"`tool` {TABLE}", None),
        ("[tool]\nuv = 5\n", f"`tool.uv` {TABLE}", None),
        ("[tool.uv]\nsources = 5\n", f"`sources` {TABLE}", None),
    ],
)
def test_values_of_a_wrong_type_in_pyproject_are_rejected(refusal, text, message, line):
    error = refusal("pyproject.toml", text)
    assert error.message.startswith(message)
    assert (error.place.file, error.place.line) == ("pyproject.toml", line)


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("dependencies = 'numpy'", "`dependencies` must be a list, not 'numpy'", 1),
        (
            "dependencies = [['numpy']]",
            "`dependencies` contains ['numpy'], which is not a string",
            1,
        ),
        ("requires-python = 3.11", "`requires-python` must be a string, not 3.11", 2),
        ("requires\\u002dpython = 1", "the `# /// script` block is not valid TOML", 1),
        ('"requires\\u002dpython" = 1', "`requires-python` must be a string", 1),
        ("tool = 5", f"`tool` {TABLE}", 1),
        ("tool.uv = 5", f"`tool.uv` {TABLE}", 1),
    ],
)
def test_values_of_a_wrong_type_in_a_block_are_rejected(refusal, text, message, line):
    error = refusal("model.ipynb", text)
    assert error.message.startswith(message)
    assert (error.place.cell, error.place.line) == (1, line)


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("name: x\ndependencies: numpy\n", "`dependencies` must be a list, not 'numpy'", 2),
        ("dependencies:\n  - pip: numpy\n", "`pip` must be a list, not 'numpy'", 2),
        ("dependencies:\n  a: 1\n", "`dependencies` must be a list, not {'a': 1}", 1),
        ("name: 2026-13-01\n", "the file is not valid YAML: month must be in 1..12", None),
    ],
)
def test_values_of_a_wrong_type_in_a_conda_environment_are_rejected(refusal, text, message, line):
    error = refusal("environment.yml", text)
    assert error.message.startswith(message)
    assert (error.place.file, error.place.line) == ("environment.yml", line)
