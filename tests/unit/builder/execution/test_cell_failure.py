from pathlib import Path

import pytest

from nachlass_builder.execution.advice import Advice
from nachlass_builder.execution.cell_failure import FailedCell, line_in_cell
from nachlass_builder.execution.raised import Frame, Raised
from nachlass_builder.foundation.excerpt import quoted_source
from nachlass_builder.notebook.notebook import read_notebook
from nachlass_builder.requirements.import_names import distributions_of, explain_missing_module
from support.cells import write_notebook

CELLS = """
# %%
def clean(x):
    return {}[x]
# %%
import helpers

clean("a")
# %%
df = 1
"""


@pytest.fixture
def notebook(tmp_path):
    write_notebook(tmp_path / "model.ipynb", CELLS)
    return read_notebook(tmp_path, "model.ipynb")


@pytest.fixture
def failed(notebook, tmp_path):
    def fail(ename, evalue="", *frames, **facts):
        raised = Raised(ename, evalue, tuple(Frame(*f) for f in frames), **facts)
        numbers = {1: 1, 2: 2}
        return FailedCell(notebook, notebook.cells[1], raised, numbers, tmp_path)

    return fail


def test_the_location_is_the_innermost_line_of_the_failing_cell(failed):
    frames = [
        ("/env/site-packages/IPython/core/shell.py", 9, "run", "exec(code)", None),
        ("/tmp/ipykernel_1/2.py", 3, "<module>", 'clean("a")', 2),
        ("/tmp/ipykernel_1/1.py", 2, "clean", "return {}[x]", 1),
        ("/env/site-packages/pandas/core/frame.py", 5, "get", "x", None),
        ("/env/site-packages/pandas/core/index.py", 6, "get", "x", None),
    ]
    error = failed("KeyError", "'a'", *frames).error()
    assert str(error) == (
        "error: model.ipynb, cell 2, line 3: KeyError: 'a'\n\n"
        "      1 | import helpers\n"
        "      2 |\n"
        '    > 3 | clean("a")\n\n'
        "      model.ipynb, cell 2, line 3\n"
        '        clean("a")\n'
        "      model.ipynb, cell 1, line 2, in clean\n"
        "        return {}[x]\n"
        "      [2 frames in pandas]\n"
        "    KeyError: 'a'"
    )


def test_a_traceback_with_only_the_marked_line_is_omitted(failed):
    frame = ("/tmp/2.py", 3, "<module>", 'clean("a")', 2)
    source = '  1 | import helpers\n  2 |\n> 3 | clean("a")'
    assert failed("KeyError", "'a'", frame).details() == source
    assert failed("E", "first\nsecond", frame).details() == f"{source}\n\nE: first\nsecond"
    assert "and then:" in failed("E", "", frame, cause=Raised("F", "")).details()
    elsewhere = ("/tmp/1.py", 2, "clean", "return {}[x]", 1)
    assert "cell 1, line 2, in clean" in failed("E", "", elsewhere).details()


def test_no_password_is_shown(notebook, failed):
    url = "https://ada:s3cret@host"
    frames = [
        ("/tmp/2.py", 3, "<module>", 'clean("a")', 2),
        ("/tmp/1.py", 2, "clean", f"get('{url}')", 7),
    ]
    text = str(failed("OSError", f"no {url}\n{url}", *frames).error())
    assert "s3cret" not in text
    assert text.count("https://***@host") == 4
    assert quoted_source(f"get('{url}')", 1) == "> 1 | get('https://***@host')"
    raised = Raised("CalledProcessError", "", text=url)
    stderr = f"cannot reach {url}"
    cell = FailedCell(notebook, notebook.cells[0], raised, {}, Path(), stderr=stderr)
    assert "s3cret" not in cell.details()


def test_the_users_modules_are_named_relative_to_the_root(failed, tmp_path):
    frames = [
        ("/tmp/1.py", 1, "<module>", "import helpers", 2),
        ("<frozen importlib._bootstrap>", 1, "_load", "", None),
        (f"{tmp_path}/lib/helpers.py", 4, "<module>", "raise X", None),
    ]
    details = failed("X", f"see {tmp_path}/lib/data.csv", *frames).details()
    assert "  lib/helpers.py, line 4\n    raise X\nX: see lib/data.csv" in details
    assert "importlib" not in details


def test_causes_recursion_and_tracebacks_of_workers_are_readable(failed):
    again = ("/tmp/1.py", 2, "clean", "return {}[x]", 1)
    cause = Raised("KeyError", 'File "/tmp/1.py", line 2', files={"/tmp/1.py": 1})
    details = failed("RecursionError", "\x1b[31mtoo deep\x1b[0m", *[again] * 50, cause=cause)
    assert details.details().endswith(
        "KeyError: File model.ipynb, cell 1, line 2\n\n"
        "and then:\n\n"
        "  model.ipynb, cell 1, line 2, in clean\n"
        "    return {}[x]\n"
        "  [49 more times]\n"
        "RecursionError: too deep"
    )


def test_messages_are_truncated(failed):
    assert len(failed("E", "x" * 10_000).message()) == 300
    assert failed("E", "first\nsecond").message() == "E: first"
    assert failed("E").message() == "E"
    assert len(failed("E", "x\n" * 10_000).details().splitlines()) < 40


def test_the_error_output_of_a_failed_command_is_shown(notebook, tmp_path):
    raised = Raised("CalledProcessError", "exit status 1")
    failed = FailedCell(notebook, notebook.cells[1], raised, {}, tmp_path, stderr="no such file\n")
    assert failed.details().endswith("the end of its error output:\nno such file")


@pytest.mark.parametrize(
    ("ename", "evalue", "facts", "expected"),
    [
        (
            "NameError",
            "name 'df' is not defined",
            {"name": "df"},
            "`df` is defined in cell 3, below",
        ),
        ("NameError", "name 'clean' is not defined", {"name": "clean"}, None),
        ("NameError", "name 'pd' is not defined", {"name": "pd"}, None),
        ("NameError", "", {"name": "helper"}, "did you mean `helpers`?"),
        ("NameError", "", {"name": "DF"}, "did you mean `df`?"),
        ("NameError", "", {"name": "true"}, "did you mean `True`?"),
        ("NameError", "", {"name": "xrange"}, "did you mean `range`?"),
        ("SystemExit", "0", {}, "remove sys.exit(), exit() or quit()"),
        ("StdinNotImplementedError", "", {}, "a build cannot prompt for input"),
        ("MemoryError", "", {}, "give the build more memory"),
        ("TclError", "no display name and no $DISPLAY environment variable", {}, "no display"),
        ("ImportError", "..., as 'headless' is currently running", {}, "no display"),
        ("ValueError", "anything", {}, None),
        ("FileNotFoundError", "x", {"filename": "x"}, None),
    ],
)
def test_a_remedy_is_given_only_if_it_is_certain(failed, ename, evalue, facts, expected):
    remedy = failed(ename, evalue, **facts).remedy()
    assert (remedy is None) if expected is None else (expected in remedy)


def test_missing_files_are_identified_by_their_path_from_the_root(notebook, tmp_path):
    def ask(filename):
        raised = Raised("FileNotFoundError", "", filename=filename, cwd=str(tmp_path / "sub"))
        advice = Advice(missing_file=str)
        return FailedCell(notebook, notebook.cells[1], raised, {}, tmp_path, advice).remedy()

    assert ask("data/x.csv") == "sub/data/x.csv"
    assert ask("../x.csv") == "x.csv"
    assert ask(str(tmp_path / "x.csv")) == "x.csv"
    assert ask("/elsewhere/x.csv") == "/elsewhere/x.csv"


@pytest.mark.parametrize(
    ("evalue", "module"),
    [
        ("matplotlib is required for plotting when the default backend ...", "matplotlib"),
        ("`Import openpyxl` failed.  Use pip, conda, or your preferred ...", "openpyxl"),
        ("Missing optional dependency 'lxml'.  Use pip or conda to install lxml.", "lxml"),
        ("Unable to find a usable engine; ...\n - `Import pyarrow` failed. ...", "pyarrow"),
        ("Using a URI string requires 'sqlalchemy' version '2.0.42' or newer.", "sqlalchemy"),
        ("cannot import name 'joblib' from 'sklearn.externals'", None),
    ],
)
def test_optional_dependencies_of_libraries(notebook, tmp_path, evalue, module):
    raised = Raised("ImportError", evalue, cwd=str(tmp_path))
    advice = Advice(missing_requirements=lambda written, _place: f"add {written}")
    remedy = FailedCell(notebook, notebook.cells[1], raised, {}, tmp_path, advice).remedy()
    assert remedy == (module and f"add {module}")


def test_an_optional_dependency_is_named_by_the_cause(notebook, tmp_path):
    cause = Raised("ModuleNotFoundError", "No module named 'polars'", name="polars")
    raised = Raised("ImportError", "... requires polars to be installed", cause=cause)
    advice = Advice(missing_requirements=lambda written, _place: f"add {written}")
    failed = FailedCell(notebook, notebook.cells[1], raised, {}, tmp_path, advice)
    assert failed.remedy() == "add polars"


@pytest.mark.parametrize(
    ("ename", "evalue", "is_explained"),
    [
        ("AttributeError", "'DataFrame' object has no attribute 'append'", True),
        ("AttributeError", "module 'numpy' has no attribute 'bool'", True),
        ("ImportError", "cannot import name 'joblib' from 'sklearn.externals'", True),
        ("ModuleNotFoundError", "No module named 'pandas.util.testing'", True),
        ("TypeError", "fit() got an unexpected keyword argument 'verbose'", True),
        ("TypeError", "unsupported operand type(s)", False),
        ("ModuleNotFoundError", "No module named 'pandas'", False),
        ("ValueError", "a message has no attribute of its own", False),
    ],
)
def test_removed_features_of_a_library_suggest_older_versions(
    notebook, tmp_path, ename, evalue, is_explained
):
    raised = Raised(ename, evalue, cwd=str(tmp_path))
    advice = Advice(newer_versions=lambda: "take older ones")
    failed = FailedCell(notebook, notebook.cells[1], raised, {}, tmp_path, advice)
    assert (failed.remedy() == "take older ones") == is_explained


@pytest.mark.parametrize(
    ("source", "frame", "line"),
    [
        ("a\nb", ("/tmp/1.py", 2, "", "b", 1), 2),
        ("\n\na\nb", ("/tmp/1.py", 2, "", "b", 1), 4),
        ("%%time\na\nb", ("<timed exec>", 2, "", "", None), 3),
        ("%%capture out\na\nb", ("/tmp/1.py", 2, "", "b", 1), 3),
        ("!ls\nb", ("/tmp/1.py", 1, "", "get_ipython().system('ls')", 1), 1),
        ("a", ("/tmp/1.py", 7, "", "x", 1), None),
        ("a", ("/tmp/1.py", None, "", "x", 1), None),
    ],
)
def test_line_numbers_are_relative_to_the_cell(source, frame, line):
    assert line_in_cell(source, Frame(*frame)) == line


def test_long_cells_are_shortened_around_the_line_or_in_the_middle():
    source = "\n".join(f"x{i}" for i in range(1, 41))
    around = quoted_source(source, 20).splitlines()
    assert around[0] == around[-1] == "  ..."
    assert around[1] == "  15 | x15"
    assert around[6] == "> 20 | x20"
    ends = quoted_source(source, None).splitlines()
    assert ends[4:7] == ["   5 | x5", "  ...", "  36 | x36"]
    assert quoted_source(source, 1).splitlines()[0] == "> 1 | x1"


def test_distributions_come_only_from_the_table():
    assert distributions_of("sklearn.cluster") == ("scikit-learn",)
    assert distributions_of("google.cloud.storage.blob") == ("google-cloud-storage",)
    assert distributions_of("huggingface_hub") == ("huggingface-hub",)
    assert distributions_of("config") == ()


@pytest.mark.parametrize(
    ("module", "written", "expected"),
    [
        ("sklearn", "sklearn.cluster", 'add ["scikit-learn"] to `requirements`'),
        ("config", "config", "add the distribution that provides `config` to `requirements`"),
        ("numpy.nothing", "numpy.nothing", None),
        ("google", "google.colab", "google.colab exists only in Colab"),
        ("tkinter", "tkinter", "tkinter is part of Python"),
        ("left_out", "left_out", "left_out.py was left out"),
        ("deep", "deep", "deep.py is in lib, which is not on the import path: before the import"),
        ("twice", "twice", "twice.py is in lib and in old, none of which is on the import path"),
        ("torch", "torch", 'add ["torch"]'),
        ("seaborn", "seaborn", "seaborn is in old, which is not on"),
        ("spaces", "spaces", "spaces is in lib, which is not on"),
    ],
)
def test_missing_modules_are_explained(tmp_path, module, written, expected):
    names = "lib/deep.py lib/twice.py old/twice.py old/torch/train.py old/seaborn/__init__.py"
    for name in (*names.split(), "lib/spaces/a.py", "notebooks/x.txt"):
        Path(tmp_path, name).parent.mkdir(exist_ok=True, parents=True)
        Path(tmp_path, name).write_text("")
    explanation = explain_missing_module(
        module,
        written,
        root=tmp_path,
        cwd=str(tmp_path / "notebooks"),
        explain_file=lambda name: f"{name} was left out" if name == "left_out.py" else None,
        missing_requirements=lambda written: None,
    )
    assert (explanation is None) if expected is None else explanation.startswith(expected)
    if module == "deep":
        assert 'sys.path.append("../lib")' in explanation
