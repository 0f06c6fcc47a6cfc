"""Cell lines that install packages, and the arguments they pass to pip."""

import pytest

from nachlass_builder.foundation.errors import RequirementsError
from nachlass_builder.notebook.notebook import read_notebook
from nachlass_builder.requirements.cell_requirements import read_pip_lines, read_script_block
from support.cells import write_notebook


@pytest.fixture
def listed(tmp_path):
    """Return a function for the requirements in the pip lines of these cells."""

    def read(*cells, name="model.ipynb"):
        write_notebook(tmp_path / name, "".join(f"# %%\n{cell}\n" for cell in cells))
        return read_pip_lines(tmp_path, read_notebook(tmp_path, name))

    return read


def shown(listed):
    return [str(requirement) for requirement in listed.requirements]


@pytest.mark.parametrize(
    "rest",
    [
        *("&& echo", "|| true", "| tail -1", "; ls", "& ls", "> log", ">> log", "2>&1", "< in"),
        *(">log", "1>log", "2>/dev/null", "&>/dev/null", ">& log", "; echo it's done"),
    ],
)
def test_shell_syntax_is_not_passed_to_pip(listed, rest):
    assert shown(listed(f"!pip install six {rest}")) == ["six (model.ipynb, cell 1, line 1)"]


@pytest.mark.parametrize("rest", ["; ls", "|tail -1", "&& ls", "&"])
def test_shell_operators_need_no_spaces(listed, rest):
    assert shown(listed(f"!pip install six>=1{rest}")) == ["six>=1 (model.ipynb, cell 1, line 1)"]


def test_quoted_text_is_passed_to_pip(listed):
    [requirement] = listed("%pip install \"six; python_version > '3'\" | tail").requirements
    assert requirement.text == "six; python_version > '3'"
    [requirement] = listed("!pip install six'>='1").requirements
    assert requirement.text == "six>=1"


@pytest.mark.parametrize("magic", ["%%bash", "%%sh", "%%script bash", "%%!", "\n  %%bash -e"])
@pytest.mark.parametrize("pip", ["python3 -m pip", "  pip3", "uv pip"])
def test_shell_cells_need_no_exclamation_mark(listed, magic, pip):
    assert [one.text for one in listed(f"{magic}\nset -e\n\n{pip} install six\n").requirements] == [
        "six"
    ]


@pytest.mark.parametrize(
    "line",
    [
        *("!pip install six;pip install attrs", "!cd x && pip install six attrs"),
        *("!yes | pip install six attrs", "!(pip install six; pip install attrs)"),
        *("!pip -q install six attrs", "%pip -q install six attrs", "!!pip install six attrs"),
        *("out = !pip install six attrs", "!sudo -H pip3 install six attrs"),
        *('!"{sys.executable}" -m pip install six attrs', "!py -m pip --quiet install six attrs"),
        *("!/opt/conda/bin/pip install six attrs", "!uv add six attrs"),
        *("!X=1 pip install six attrs", "!test -d x || pip install six attrs"),
        *("pip install six attrs", "  !pip install six attrs>/dev/null"),
        "%%bash\nif true; then pip install six; fi\nyes | pip install attrs",
    ],
)
def test_every_install_command_of_a_line_is_read(listed, line):
    assert [one.text for one in listed(line).requirements] == ["six", "attrs"]


@pytest.mark.parametrize(
    "line",
    [
        *("!echo pip install six", "!pip download six", "!pip uninstall -y six"),
        *("!pipenv install six", "x = pip", "!", "!conda run -n x pip install six", "!echo it's"),
        "%%bash\ncat <<EOF\npip install six\nEOF",
    ],
)
def test_other_commands_are_ignored(listed, line):
    found = listed(line)
    assert (shown(found), found.notes) == ([], [])


def test_pip_commands_are_ignored_in_other_cells(listed):
    assert shown(listed("x = 1\npip3 install six = 2", "%%writefile a.sh\npip3 install six")) == []


def test_continued_lines_are_joined_and_located_at_the_first(listed):
    cell = "x = 1\n!pip install six \\\n  attrs\\  \n\n%pip install dill"
    assert shown(listed(cell)) == [
        "six (model.ipynb, cell 1, line 2)",
        "attrs (model.ipynb, cell 1, line 2)",
        "dill (model.ipynb, cell 1, line 5)",
    ]


def test_files_are_relative_to_the_notebook(listed, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/more.txt").write_text("attrs\n")
    found = listed("%pip install -r more.txt -e .", name="sub/model.ipynb")
    assert shown(found) == ["attrs (sub/more.txt, line 1)"]
    assert found.local == ["sub"]


@pytest.mark.parametrize("word", ["{name}", "$NAME", "`cat name`", "${NAME}"])
def test_words_known_only_at_run_time_are_reported_and_other_lines_are_read(listed, word):
    found = listed(f"%pip install six {word}\n%pip install attrs")
    assert shown(found) == ["attrs (model.ipynb, cell 1, line 2)"]
    assert found.notes == [
        "model.ipynb, cell 1, line 1: the packages of this pip line are known only at build time"
    ]


def test_an_unclosed_quote_is_rejected(listed):
    with pytest.raises(RequirementsError) as caught:
        listed("\n%pip install 'six")
    assert caught.value.message == "cannot parse the pip line: No closing quotation"
    assert str(caught.value.place) == "model.ipynb, cell 1, line 1"


@pytest.mark.parametrize("program", ["conda", "mamba", "apt", "apt-get", "yum", "dnf", "brew"])
@pytest.mark.parametrize("line", ["!{} install x", "%{} install x", "! sudo {} install -y x"])
def test_other_installers_have_no_effect_and_are_reported(listed, program, line):
    assert listed(line.format(program)).notes == [
        (
            f"model.ipynb, cell 1, line 1: `{program} install` has no effect in a build; "
            "add PyPI packages to `requirements`"
        )
    ]


# Blocks of PEP 723.


def block(text):
    return "".join(f"# {line}".rstrip() + "\n" for line in ["/// script", *text, "///"])


@pytest.fixture
def read(tmp_path):
    """Return a function for the blocks of cells: requirements, Python, its location, and notes."""

    def read(*cells):
        write_notebook(tmp_path / "model.ipynb", "".join(f"# %%\n{cell}\n" for cell in cells))
        notes = []
        block, python, place = read_script_block(read_notebook(tmp_path, "model.ipynb"), notes)
        return [str(one) for one in block], python, str(place), notes

    return read


def test_a_block_and_its_python_are_located(read):
    text = ["dependencies = [", '  "six",', "", "]", 'requires-python = ">=3.8"']
    assert read("x = 1", f"# why\n{block(text)}", block(['dependencies = ["attrs"]'])) == (
        ["six (model.ipynb, cell 2, line 2)", "attrs (model.ipynb, cell 3, line 1)"],
        ">=3.8",
        "model.ipynb, cell 2, line 7",
        [],
    )


def test_a_notebook_without_a_block_has_no_requirements(read):
    assert read("x = 1", block([]).replace("script", "other")) == ([], None, "model.ipynb", [])


def test_a_block_that_is_not_toml_is_rejected(read):
    with pytest.raises(
        RequirementsError, match="the `# /// script` block is not valid TOML: "
    ) as caught:
        read(f"x = 1\n{block(['dependencies'])}")
    assert str(caught.value.place) == "model.ipynb, cell 1, line 2"


def test_settings_of_a_block_without_effect_are_reported(read):
    [note] = read(block(["[tool.uv]", 'prerelease = "allow"']))[3]
    assert note.startswith(
        "model.ipynb, cell 1, line 1: [tool.uv] has no effect in a block (prerelease)"
    )
