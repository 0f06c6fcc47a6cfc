from platform import python_version

import pytest

from nachlass_builder.foundation.errors import Place, RequirementsError
from nachlass_builder.notebook.notebook import read_notebook
from nachlass_builder.requirements.requirement import Requirement
from nachlass_builder.requirements.requirements import gather
from support.cells import write_notebook


@pytest.fixture
def found(tmp_path):
    def gather_from(files, cells="# %%\nx = 1", notebook="model.ipynb"):
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        write_notebook(tmp_path / notebook, cells)
        return gather(tmp_path, [read_notebook(tmp_path, notebook)])

    return gather_from


def shown(gathered):
    return [str(requirement) for requirement in gathered.merged]


def test_every_source_is_read_with_its_location(found):
    gathered = found(
        {
            "requirements.txt": "scipy==1.14 # why\n",
            "pyproject.toml": '[project]\nname = "x"\ndependencies = [\n  "joblib>=1.4",\n]\n',
            "environment.yml": "dependencies:\n  - python=3.11\n  - pip:\n    - dill==0.3.8\n",
        },
        '# %%\nrequirements = [["numpy", "2.0"]]\n# %%\n# /// script\n'
        '# dependencies = ["pandas"]\n# ///\n# %%\n%pip install -q "xgboost>=2"',
    )
    assert shown(gathered) == [
        "numpy==2.0 (model.ipynb, cell 1, line 1)",
        "pandas (model.ipynb, cell 2, line 1)",
        "scipy==1.14 (requirements.txt, line 1)",
        "joblib>=1.4 (pyproject.toml, line 4)",
        "dill==0.3.8 (environment.yml, line 4)",
        "xgboost>=2 (model.ipynb, cell 3, line 1)",
    ]
    assert gathered.conflicts == []


def test_the_source_with_higher_precedence_wins_and_both_locations_are_reported(found):
    gathered = found(
        {"requirements.txt": "NumPy==1.26\n"}, '# %%\nrequirements = [["numpy", "2.0"]]'
    )
    assert shown(gathered) == ["numpy==2.0 (model.ipynb, cell 1, line 1)"]
    assert str(gathered.conflicts[0]) == (
        "NumPy==1.26 (requirements.txt, line 1) is overridden by "
        "numpy==2.0 (model.ipynb, cell 1, line 1)"
    )


def test_serving_requirements_are_locked_with_the_lowest_precedence(found):
    cells = '# %%\nrequirements = ["numpy"]\nserving_requirements = [["numpy", "2.0"], "Dill"]'
    gathered = found({"requirements.txt": "dill==0.3.8\n"}, cells)
    assert shown(gathered) == [
        "numpy==2.0 (model.ipynb, cell 1, line 2)",
        "dill==0.3.8 (requirements.txt, line 1)",
    ]
    assert gathered.serving == ["numpy", "dill"]


def test_a_bare_name_conflicts_with_nothing(found):
    gathered = found({"requirements.txt": "numpy==1.26\n"}, '# %%\nrequirements = ["numpy"]')
    assert shown(gathered) == ["numpy==1.26 (requirements.txt, line 1)"]
    assert gathered.conflicts == []


def test_two_spellings_of_one_requirement_agree(found):
    gathered = found({"requirements.txt": "numpy == 2.0\n"}, '# %%\nrequirements = ["numpy==2.0"]')
    assert gathered.conflicts == []


def test_pip_formats_are_read(found):
    gathered = found(
        {
            "requirements.txt": (
                "--index-url https://index.example.org/simple\n"
                "--extra-index-url=https://other.example.org/simple\n"
                "-r more/base.txt\n"
                "-c limits.txt\n"
                f"scipy==1.14 \\\n    --hash=sha256:{'a' * 64} \\\n    --hash=sha256:{'b' * 64}\n"
                "git+https://example.org/team/tool.git@v1#egg=tool\n"
                "git+ssh://git@example.org/team/other.git\n"
                'old; python_version < "3"\n'
                "./wheels/thing-1.0-py3-none-any.whl\n"
                "-e .\n"
            ),
            "more/base.txt": "-r ../requirements.txt\npandas\n",
            "limits.txt": "pandas<3\n",
        }
    )
    assert [requirement.text for requirement in gathered.merged] == [
        "pandas",
        "scipy==1.14",
        "tool @ git+https://example.org/team/tool.git@v1#egg=tool",
        "other @ git+ssh://git@example.org/team/other.git",
        "thing @ wheels/thing-1.0-py3-none-any.whl",
    ]
    assert gathered.options == [
        "--index-url",
        "https://index.example.org/simple",
        "--extra-index-url",
        "https://other.example.org/simple",
    ]
    assert gathered.constraints == ["pandas<3"]
    assert gathered.local == ["."]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("%pip install numpy scipy==1.14", ["numpy", "scipy==1.14"]),
        ("!pip install -q numpy > /dev/null 2>&1", ["numpy"]),
        ("!{sys.executable} -m pip install -U numpy", ["numpy"]),
        ("%pip install --index-url https://x.example/simple numpy  # why", ["numpy"]),
        ("pip install numpy", ["numpy"]),
        ("!pip install numpy && echo done", ["numpy"]),
        ("!pip install \\\n  numpy", ["numpy"]),
        ("%%bash\npip install numpy", ["numpy"]),
        ("x = 'pip install numpy'", []),
        ("# !pip install numpy", []),
        ("%pip list", []),
    ],
)
def test_pip_lines_are_read(found, line, expected):
    gathered = found({}, f"# %%\n{line}")
    assert [requirement.text for requirement in gathered.merged] == expected


def test_packages_known_only_at_run_time_are_reported(found):
    notes = found({}, "# %%\n%pip install {name}\n# %%\n!apt-get install libgomp1").notes
    assert (
        "model.ipynb, cell 1, line 1: the packages of this pip line are known only at build time"
        in notes[0]
    )
    assert "`apt-get install` has no effect in a build" in notes[1]


def test_conda_packages_are_reported(found):
    gathered = found({"environment.yml": "dependencies:\n  - numpy=1.26\n  - python=3.11\n"})
    assert gathered.merged == []
    # There is also a note about the other Python.
    assert any("numpy=1.26" in note for note in gathered.notes)


def test_the_nearest_file_is_used(found):
    files = {"requirements.txt": "numpy==1.0\n", "sub/requirements.txt": "numpy==2.0\n"}
    gathered = found(files, notebook="sub/deeper/model.ipynb")
    assert shown(gathered) == ["numpy==2.0 (sub/requirements.txt, line 1)"]


@pytest.mark.parametrize(
    ("files", "cells", "place"),
    [
        ({"requirements.txt": "a\nnumpy=1\n"}, "# %%\nx = 1", "requirements.txt, line 2"),
        ({"requirements.txt": "-r absent.txt\n"}, "# %%\nx = 1", "requirements.txt, line 1"),
        ({"pyproject.toml": "not toml"}, "# %%\nx = 1", "pyproject.toml"),
        ({"environment.yml": "a: [b"}, "# %%\nx = 1", "environment.yml"),
        (
            {"pyproject.toml": '[project]\nrequires-python = "<3"\n'},
            "# %%\nx = 1",
            "pyproject.toml, line 2",
        ),
        ({}, "# %%\nx = 1\n%pip install 'numpy", "model.ipynb, cell 1, line 2"),
        ({}, "# %%\n# /// script\n# dependencies = [\n# ///", "model.ipynb, cell 1, line 1"),
    ],
)
def test_an_invalid_source_is_rejected_with_its_location(found, files, cells, place):
    with pytest.raises(RequirementsError) as caught:
        found(files, cells)
    assert str(caught.value.place) == place


def test_a_project_with_a_src_folder_is_imported_and_its_uv_lock_is_used(found):
    files = {"sub/pyproject.toml": "", "sub/src/tool.py": "", "sub/uv.lock": ""}
    gathered = found(files, notebook="sub/deeper/model.ipynb")
    assert (gathered.local, gathered.uv_lock) == (["sub"], "sub")


def test_a_project_without_src_and_uv_lock_is_only_read(found):
    gathered = found({"pyproject.toml": "", "src": "", "uv.lock/x": ""})
    assert (gathered.local, gathered.uv_lock) == ([], None)


def test_a_conda_environment_can_have_either_extension(found):
    text = "dependencies:\n- pip:\n  - six\n"
    assert shown(found({"environment.yaml": text})) == ["six (environment.yaml, line 3)"]


def test_a_link_conflicts_with_a_version(found):
    link = "six @ https://i.test/six-1.zip"
    gathered = found({"requirements.txt": f"{link}\n"}, '# %%\nrequirements = ["six==1"]')
    assert [str(conflict) for conflict in gathered.conflicts] == [
        (f"{link} (requirements.txt, line 1) is overridden by six==1 (model.ipynb, cell 1, line 1)")
    ]


@pytest.mark.parametrize("specifier", ["3.11", "x"])
def test_an_invalid_python_specifier_is_rejected(found, specifier):
    with pytest.raises(RequirementsError) as caught:
        found({"pyproject.toml": f'[project]\nrequires-python = "{specifier}"\n'})
    assert caught.value.message == f"requires-python is not valid: {specifier!r}"
    assert str(caught.value.place) == "pyproject.toml, line 2"


def test_a_project_for_another_python_is_rejected(found):
    with pytest.raises(RequirementsError) as caught:
        found({}, '# %%\n# /// script\n# requires-python = "<3"\n# ///')
    this = python_version()
    assert caught.value.message == f"requires-python is '<3', but this is Python {this}"
    assert str(caught.value.place) == "model.ipynb, cell 1, line 2"
    assert caught.value.remedy == (
        "widen requires-python if the notebook runs with this Python; Nachlass needs 3.11 or newer"
    )


def test_a_pre_release_of_python_counts_as_newer(found, monkeypatch):
    monkeypatch.setattr(
        "nachlass_builder.requirements.requirements.python_version", lambda: "3.15.0rc1"
    )
    files = {"pyproject.toml": '[project]\nrequires-python = ">=3.11"\n'}
    assert found(files).merged == []


def test_computed_requirements_are_taken_from_the_first_pass(tmp_path):
    write_notebook(tmp_path / "model.ipynb", "# %%\nrequirements = chosen()")
    book = read_notebook(tmp_path, "model.ipynb")
    gathered = gather(tmp_path, [book])
    [(notebook, found)] = gathered.computed
    assert (notebook, [cell.number for cell in found.computed_in]) == (book, [1])
    assert gathered.merged == []
    known = [Requirement("six", Place("model.ipynb", 1, 1))]
    assert gather(tmp_path, [book], {("model.ipynb", "requirements"): known}).merged == known


def test_the_requirements_of_all_notebooks_are_merged(tmp_path):
    names = ["a.ipynb", "b.ipynb"]
    for name in names:
        write_notebook(tmp_path / name, f'# %%\nrequirements = ["{name[0]}"]')
    gathered = gather(tmp_path, [read_notebook(tmp_path, name) for name in names])
    assert shown(gathered) == ["a (a.ipynb, cell 1, line 1)", "b (b.ipynb, cell 1, line 1)"]


def test_the_dependencies_of_a_local_folder_are_required(found):
    files = {
        "tool/pyproject.toml": '[project]\ndependencies = ["six"]\n',
        "more.txt": "attrs\n",
    }
    gathered = found(files, "# %%\n%pip install -e ./tool -e ./absent -r more.txt")
    assert shown(gathered) == ["attrs (more.txt, line 1)", "six (tool/pyproject.toml, line 2)"]


@pytest.mark.parametrize("line", ["%run other.ipynb", "  run sub/other.ipynb 1"])
def test_a_notebook_that_runs_other_notebooks_needs_nbformat(found, line):
    assert found({}, f"# %%\nx = 1\n{line}").for_kernel == ["nbformat>=5.10"]
    assert found({}, f"# %%\nx = 1\n# {line}").for_kernel == []
