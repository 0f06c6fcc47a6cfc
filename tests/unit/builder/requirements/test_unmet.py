"""Settings of files and cells without effect are reported with their location."""

from platform import python_version

import pytest
from test_requirements import found  # noqa: F401 - a fixture

from nachlass_builder.foundation.errors import Place
from nachlass_builder.requirements.line_numbers import YamlLines
from nachlass_builder.requirements.unmet import (
    unmet_in_block,
    unmet_in_conda,
    unmet_in_pyproject,
)

THIS = python_version()
MINOR = THIS.rpartition(".")[0]
PLACE = Place("model.ipynb", cell=2, line=1)


@pytest.fixture
def unmet(tmp_path):
    """Return a function for the settings without effect in a pyproject.toml; `beside` are files."""

    def unmet(text, name="pyproject.toml", beside=()):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        for other in beside:
            (path.parent / other).touch()
        return list(unmet_in_pyproject(tmp_path, name))

    return unmet


@pytest.mark.parametrize(
    ("files", "messages"),
    [
        (
            {"requirements.txt": "--no-build-isolation\nnumpy --global-option='x'\n"},
            ["requirements.txt, line 1: --no-build-isolation has", "line 2: --global-option has"],
        ),
        ({"requirements.txt": "-q\n-U\n--pre\nnumpy\n"}, []),
        ({"requirements.txt": "-e .[fast]\n"}, ["line 1: the extras of .[fast] are not installed"]),
        (
            {"pyproject.toml": '[project]\nname = "x"\ndynamic = ["dependencies"]\n'},
            ["pyproject.toml, line 3: the dependencies are dynamic"],
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
            [
                "environment.yml, line 2: the file requires python=2.7",
                "line 3: the variables A are not",
            ],
        ),
        ({"environment.yml": "dependencies:\n- python>=3.8\n- pip\n"}, []),
    ],
)
def test_settings_of_files_without_effect_are_reported(found, files, messages):  # noqa: F811
    notes = found(files).notes
    assert len(notes) == len(messages), notes
    for text, note in zip(messages, notes, strict=True):
        assert text in note


def test_settings_of_cells_without_effect_are_reported(found):  # noqa: F811
    block = '# /// script\n# dependencies = ["six"]\n# [tool.uv]\n# exclude-newer = "2020"\n# ///\n'
    notes = found({}, f"# %%\n{block}# %%\n%pip install --no-deps --target=x six").notes
    assert [note[: note.index(" has no effect")] for note in notes] == [
        "model.ipynb, cell 1, line 1: [tool.uv]",
        "model.ipynb, cell 2, line 1: --no-deps",
        "model.ipynb, cell 2, line 1: --target",
    ]


# pyproject.toml.


def test_dynamic_dependencies_are_reported(unmet):
    assert unmet('[project]\nname = "x"\n  dynamic = ["version", "dependencies"]\n') == [
        (
            "pyproject.toml, line 3: the dependencies are dynamic (known only once the project is "
            "built) and are not read: list them there, or in `requirements`"
        )
    ]
    assert unmet('[project]\nname = "x"\ndynamic = ["version"]\n') == []


def test_the_location_is_the_file_if_no_line_matches(unmet):
    assert unmet('project = { dynamic = ["dependencies"] }\n')[0].startswith("pyproject.toml: the ")


PROJECT = '[project]\ndependencies = ["My-Tool>=1"]\n[tool.uv.sources]\n'


@pytest.mark.parametrize("key", ["my_tool", '"My.Tool"'])
def test_the_source_of_a_dependency_is_reported(unmet, key):
    name = key.strip('"')
    assert unmet(f'{PROJECT}x = {{ path = "x" }}\n{key} = {{ path = "tool" }}\n') == [
        (
            f"pyproject.toml, line 5: the source of {name} has no effect in a build: "
            f"write `{name} @ URL` as the requirement"
        )
    ]


@pytest.mark.parametrize(
    ("source", "is_locked"),
    [
        ('{ git = "https://i.test/tool" }', True),
        ('{ url = "https://i.test/tool-1.zip" }', True),
        ('[{ index = "a", marker = "x" }, { index = "b" }]', True),
        ('{ path = "tool" }', False),
        ("{ workspace = true }", False),
        ('[{ index = "a" }, { path = "tool", marker = "x" }]', False),
    ],
)
def test_a_uv_lock_pins_remote_sources_but_not_folders(unmet, source, is_locked):
    text = f"{PROJECT}my-tool = {source}\n"
    assert len(unmet(text, beside=["uv.lock"])) == (0 if is_locked else 1)
    assert len(unmet(text, name="sub/pyproject.toml")) == 1


STEERED = '[tool.uv]\nprerelease = "allow"\nindex-url = "https://i.test"\nmanaged = true\n'


def test_settings_of_uv_apply_only_at_the_root_of_the_source(unmet):
    assert unmet(STEERED) == []
    assert unmet(STEERED, name="sub/pyproject.toml") == [
        (
            "sub/pyproject.toml, line 3: [tool.uv] has no effect here (index-url, prerelease): "
            "move it to pyproject.toml or uv.toml at the source's root"
        )
    ]


def test_settings_of_uv_beside_a_uv_lock_are_not_reported(unmet):
    assert unmet(STEERED, name="sub/pyproject.toml", beside=["uv.lock"]) == []


# Blocks of cells.


def test_settings_of_uv_in_a_block_are_reported():
    tool = {"sources": {"a": {}}, "no-binary": True, "managed": True}
    assert list(unmet_in_block({"tool": {"uv": tool}}, PLACE)) == [
        (
            "model.ipynb, cell 2, line 1: [tool.uv] has no effect in a block (no-binary, "
            "sources): move it to uv.toml or pyproject.toml at the source's root, "
            "and a source into its requirement (`NAME @ URL`)"
        )
    ]
    assert list(unmet_in_block({"tool": {"uv": {"managed": True}}}, PLACE)) == []


# environment.yml.


@pytest.mark.parametrize(
    "entry",
    [
        *("python", "python=3", "python=3.*", f"python={MINOR}", f"python ={MINOR}.*"),
        *(f"python={THIS}", f"python=={THIS}", f"python=={MINOR}", "python>=3.8", "python <4"),
        *("python~=3.0", "python!=2.7", "python>=3.8,<4", "python>=3.8,<4|>5", "pythonx=2"),
        *(f"python={THIS}=h1_cpython", 3),
    ],
)
def test_a_matching_or_unknown_python_is_not_reported(entry):
    assert list(unmet_in_conda({"dependencies": [entry]}, YamlLines("env.yml", ""))) == []


@pytest.mark.parametrize(
    "entry",
    [
        f"python={MINOR}9",
        *("python=2", "python 2.*"),
        f"python=={THIS}9",
        "python<3",
        "python >= 4",
        "python=3.9.9=h1_0",
        "python=3.9=*_cpython",
    ],
)
def test_another_python_is_reported(entry):
    text = f"dependencies:\n- six\n- {entry}\n"
    assert list(unmet_in_conda({"dependencies": ["six", entry]}, YamlLines("env.yml", text))) == [
        (
            f"env.yml, line 3: the file requires {entry}, but the build has Python {THIS}: "
            "models use the Python that runs `nachlass`"
        )
    ]


def test_a_pre_release_of_python_counts_as_newer(monkeypatch):
    monkeypatch.setattr("nachlass_builder.requirements.unmet.python_version", lambda: "3.15.0rc1")
    assert list(unmet_in_conda({"dependencies": ["python>=3.8"]}, YamlLines("env.yml", ""))) == []


def test_variables_of_conda_are_reported():
    text = "variables:\n  A: b\n  C: d\n"
    assert list(
        unmet_in_conda({"variables": {"A": "b", "C": "d"}}, YamlLines("env.yml", text))
    ) == [
        "env.yml, line 1: the variables A, C are not set in a build: set them in .s2i/environment"
    ]
    assert (
        list(unmet_in_conda({"dependencies": None, "variables": None}, YamlLines("env.yml", "")))
        == []
    )
