"""What files and cells ask for in vain is told with its place."""

import pytest
from test_requirements import found  # noqa: F401 - a fixture


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {"requirements.txt": "--no-build-isolation\nnumpy --global-option='x'\n"},
            ["requirements.txt, line 1: --no-build-isolation has", "line 2: --global-option has"],
        ),
        ({"requirements.txt": "-q\n-U\n--pre\nnumpy\n"}, []),
        ({"requirements.txt": "-e .[fast]\n"}, ["line 1: the extras of .[fast] are not installed"]),
        (
            {"pyproject.toml": '[project]\nname = "x"\ndynamic = ["dependencies"]\n'},
            ["pyproject.toml, line 3: the dependencies are known only once the project is built"],
        ),
        (
            {
                "pyproject.toml": '[project]\nname = "x"\ndependencies = ["six"]\n'
                '[tool.uv.sources]\nsix = { git = "https://example.org/six" }\n'
                '[tool.uv]\nconstraint-dependencies = ["six<2"]\n'
            },
            ["pyproject.toml, line 5: the source of six has no effect in a build"],
        ),
        (
            {"environment.yml": "dependencies:\n- python=2.7\nvariables:\n  A: b\n"},
            ["environment.yml, line 2: it asks for python=2.7", "line 3: the variables A are not"],
        ),
        ({"environment.yml": "dependencies:\n- python>=3.8\n- pip\n"}, []),
    ],
)
def test_what_a_file_asks_for_in_vain_is_told(found, files, said):  # noqa: F811
    notes = found(files).notes
    assert len(notes) == len(said), notes
    for text, note in zip(said, notes, strict=True):
        assert text in note


def test_what_cells_ask_for_in_vain_is_told(found):  # noqa: F811
    block = '# /// script\n# dependencies = ["six"]\n# [tool.uv]\n# exclude-newer = "2020"\n# ///\n'
    notes = found({}, f"# %%\n{block}# %%\n%pip install --no-deps --target=x six").notes
    assert [note[: note.index(" has no effect")] for note in notes] == [
        "model.ipynb, cell 1, line 1: exclude-newer of [tool.uv]",
        "model.ipynb, cell 2, line 1: --no-deps",
        "model.ipynb, cell 2, line 1: --target",
    ]
