"""What is said of a model that fails for its samples, without a kernel."""

import ast

import pytest

from cells import write_notebook
from nachlass_builder.bindings import takes_one_argument
from nachlass_builder.failing_samples import FailingSample
from nachlass_builder.notebook import read_notebook

CELLS = """
# %% tags=skip-execution
1 / 0
# %%
def predictor(x):
    return model.predict(x)
"""


@pytest.fixture
def failing(tmp_path):
    """A sample for which the only cell that runs, the second, fails in its line 2."""
    write_notebook(tmp_path / "model.ipynb", CELLS)
    notebook = read_notebook(tmp_path, "model.ipynb")

    def fail(sample_type, ename, evalue, *, name="", frames=None, code="raised"):
        in_cell = ["/tmp/ipykernel_1/2.py", 2, "predictor", "return model.predict(x)", 1]
        facts = {"filename": "", "cwd": str(tmp_path), "cause": None, "files": {}}
        frames = [in_cell] if frames is None else frames
        raised = {"ename": ename, "evalue": evalue, "name": name, "frames": frames, **facts}
        described = {"index": 3, "code": code, "message": f"{ename}: {evalue}"}
        described |= {"sample_type": sample_type, "raised": raised if ename else None}
        return FailingSample(described, "`predictor`", notebook, {1: 2}, tmp_path)

    return fail


@pytest.mark.parametrize(
    ("sample_type", "ename", "evalue", "hint"),
    [
        (
            "dict",
            "AttributeError",
            "'dict' object has no attribute 'shape'",
            "pd.DataFrame([x])",
        ),
        ("dict", "ValueError", "Expected 2D array, got scalar array instead:", "pd.DataFrame([x])"),
        ("dict", "ValueError", "If using all scalar values, you must pass an index", "[x]"),
        ("list", "ValueError", "Expected 2D array, got 1D array instead:", "model.predict([x])[0]"),
        ("float", "ValueError", "Expected 2D array, got scalar array instead:", "[[x]]"),
        ("list", "AttributeError", "'list' object has no attribute 'reshape'", "np.array(x)"),
        ("list", "TypeError", "'int' object is not iterable", "batch_predictor([x])[0]"),
        ("str", "ValueError", "could not convert string to float: 'a'", "text where the model"),
        ("list", "NameError", "name 'scaler' is not defined", "no cell leaves `scaler` defined"),
        ("list", "KeyError", "'size'", "mend `predictor`"),
    ],
)
def test_what_to_do_is_said_where_it_can_be_known(failing, sample_type, ename, evalue, hint):
    name = "scaler" if ename == "NameError" else ""
    error = failing(sample_type, ename, evalue, name=name).error(2, 9, 9, "samples")
    assert hint in error.remedy.splitlines()[0]
    assert "S2I_SAMPLES=NAME" in error.remedy.splitlines()[1]


def test_the_place_is_the_innermost_line_in_a_cell_by_its_number_in_jupyter(failing):
    library = ["/env/site-packages/sklearn/base.py", 9, "predict", "raise", None]
    in_cell = ["/tmp/ipykernel_1/2.py", 2, "predictor", "return model.predict(x)", 1]
    sample = failing("list", "ValueError", "no", frames=[in_cell, library])
    assert str(sample) == "model.ipynb, cell 2, line 2: sample 3: ValueError: no"


def test_a_refusal_that_raised_nothing_is_placed_at_the_definition(failing):
    sample = failing("list", "", "", code="unserialisable")
    assert str(sample.place()) == "model.ipynb, cell 2, line 1"


@pytest.mark.parametrize(
    ("failed", "scored", "given", "said"),
    [
        (1, 1, 1, "fails for the only sample;"),
        (3, 4, 4, "fails for 3 of 4 samples;"),
        (10, 10, 200, "fails for all 10 samples tried of 200;"),
    ],
)
def test_how_many_samples_fail(failing, failed, scored, given, said):
    error = failing("list", "ValueError", "no").error(failed, scored, given, "samples")
    assert said in error.message
    assert error.exit_code == 8


@pytest.mark.parametrize(
    ("parameters", "fits"),
    [
        ("x", True),
        ("x, /", True),
        ("x, y=1", True),
        ("*xs", True),
        ("x=1, *, depth=2", True),
        ("x, **rest", True),
        ("", False),
        ("x, y", False),
        ("*, x", False),
        ("x, *, depth", False),
        ("**rest", False),
    ],
)
def test_functions_that_can_be_called_with_one_argument(parameters, fits):
    [function] = ast.parse(f"def predictor({parameters}): pass").body
    assert takes_one_argument(function) is fits
