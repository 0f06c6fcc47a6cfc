"""The requirements of pyproject.toml and environment.yml."""

import pytest

from nachlass_builder.foundation.errors import Place, RequirementsError
from nachlass_builder.requirements.project_files import (
    read_environment_yml,
    read_pyproject,
    requires_python,
)
from nachlass_builder.requirements.requirements_txt import Listed


def write(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


# pyproject.toml.


def test_dependencies_of_a_project_have_line_numbers(tmp_path):
    write(tmp_path, {"a/p.toml": '[project]\ndependencies = [\n  "six>=1",\n  "attrs",\n]\n'})
    assert [str(requirement) for requirement in read_pyproject(tmp_path, "a/p.toml")] == [
        "six>=1 (a/p.toml, line 3)",
        "attrs (a/p.toml, line 4)",
    ]


@pytest.mark.parametrize("text", ["", "[tool.x]\ny = 1\n", '[project]\nname = "x"\n'])
def test_a_project_can_have_no_dependencies(tmp_path, text):
    write(tmp_path, {"pyproject.toml": text})
    assert read_pyproject(tmp_path, "pyproject.toml") == []
    assert requires_python(tmp_path, "pyproject.toml") == (None, Place("pyproject.toml"))


def test_an_entry_over_two_lines_is_located_at_the_file(tmp_path):
    write(tmp_path, {"p.toml": '[project]\ndependencies = ["""six\\\n  >=1"""]\n'})
    assert [requirement.place for requirement in read_pyproject(tmp_path, "p.toml")] == [
        Place("p.toml")
    ]


def test_invalid_toml_is_rejected(tmp_path):
    write(tmp_path, {"p.toml": "x"})
    with pytest.raises(RequirementsError, match="the file is not valid TOML: Expected") as caught:
        read_pyproject(tmp_path, "p.toml")
    assert caught.value.place == Place("p.toml")


def test_the_python_of_a_project_is_read(tmp_path):
    write(tmp_path, {"p.toml": '[project]\nname = "x"\nrequires-python = ">=3.11"\n'})
    assert requires_python(tmp_path, "p.toml") == (">=3.11", Place("p.toml", line=3))


# environment.yml.


def test_the_pip_section_of_a_conda_environment_is_read(tmp_path):
    text = (
        "dependencies:\n- python\n- pip=24\n- numpy>=1\n- c::scipy\n"
        "- pip:\n  - six==1\n  - -r more.txt\n  - --pre\n"
    )
    write(tmp_path, {"a/env.yml": text, "a/more.txt": "attrs\n"})
    found = read_environment_yml(tmp_path, "a/env.yml")
    assert [str(requirement) for requirement in found.requirements] == [
        "six==1 (a/env.yml, line 7)",
        "attrs (a/more.txt, line 1)",
    ]
    assert found.options == ["--pre"]
    assert found.notes == [
        (
            "a/env.yml: the conda packages are not installed (numpy>=1, c::scipy); "
            "list those that the notebook needs under `pip:`"
        )
    ]


@pytest.mark.parametrize(
    "text", ["", "- a\n", "name: x\n", "dependencies:\n", "dependencies:\n- pip:\n", "a"]
)
def test_a_conda_environment_can_be_empty(tmp_path, text):
    write(tmp_path, {"env.yml": text})
    assert read_environment_yml(tmp_path, "env.yml") == Listed()


def test_invalid_yaml_is_rejected(tmp_path):
    write(tmp_path, {"env.yml": "a: [b"})
    with pytest.raises(
        RequirementsError, match="the file is not valid YAML: while parsing"
    ) as caught:
        read_environment_yml(tmp_path, "env.yml")
    assert caught.value.place == Place("env.yml")
