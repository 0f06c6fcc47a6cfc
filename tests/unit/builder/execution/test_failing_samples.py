"""Messages about a model that fails for its samples, without a kernel."""

import ast
from dataclasses import replace

import pytest

from nachlass_builder.execution.failing_samples import FailingSample
from nachlass_builder.execution.outcome import SampleFailure
from nachlass_builder.execution.raised import Frame, Raised
from nachlass_builder.notebook.bindings import takes_one_argument
from nachlass_builder.notebook.notebook import read_notebook
from support.cells import write_notebook

CELLS = """
# %% tags=skip-execution
1 / 0
# %%
def predictor(x):
    return model.predict(x)
"""


@pytest.fixture
def failing(tmp_path):
    """Return a function for a sample that fails in line 2 of cell 2, the only executed cell."""
    write_notebook(tmp_path / "model.ipynb", CELLS)
    notebook = read_notebook(tmp_path, "model.ipynb")

    def fail(sample_type, ename, evalue, *, name="", frames=None, code="raised", count=5):
        in_cell = ["/tmp/ipykernel_1/2.py", 2, "predictor", "return model.predict(x)", 1]
        frames = tuple(Frame(*frame) for frame in ([in_cell] if frames is None else frames))
        raised = Raised(ename, evalue, frames, name, cwd=str(tmp_path)) if ename else None
        described = SampleFailure(3, code, f"{ename}: {evalue}", sample_type, raised)
        return FailingSample(described, count, "`predictor`", notebook, {1: 2}, tmp_path)

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
        ("list", "NameError", "name 'scaler' is not defined", "no cell defines `scaler`"),
        ("list", "KeyError", "'size'", "fix `predictor`"),
    ],
)
def test_a_remedy_is_given_if_it_can_be_determined(failing, sample_type, ename, evalue, hint):
    name = "scaler" if ename == "NameError" else ""
    error = failing(sample_type, ename, evalue, name=name).error(9, 9, "samples")
    assert hint in error.remedy.splitlines()[0]
    assert "S2I_SAMPLES=NAME" in error.remedy.splitlines()[1]


def test_the_location_is_the_innermost_line_in_a_cell_numbered_as_in_jupyter(failing):
    library = ["/env/site-packages/sklearn/base.py", 9, "predict", "raise", None]
    in_cell = ["/tmp/ipykernel_1/2.py", 2, "predictor", "return model.predict(x)", 1]
    sample = failing("list", "ValueError", "no", frames=[in_cell, library])
    assert sample.left_out(90) == (
        "`predictor` fails for 5 of 90 samples, which are left out; "
        "the first: model.ipynb, cell 2, line 2: sample 3: ValueError: no"
    )


def test_a_line_of_a_timed_cell_is_not_mistaken_for_one_of_another_cell(failing):
    timed = ["<timed exec>", 7, "helper", "raise", None]
    in_cell = ["/tmp/ipykernel_1/2.py", 2, "predictor", "return model.predict(x)", 1]
    error = failing("list", "ValueError", "no", frames=[in_cell, timed]).error(9, 9, "samples")
    assert str(error.place) == "model.ipynb, cell 2, line 2"
    assert "line 7" not in error.details


def test_the_location_falls_back_to_the_definition(failing):
    library = ["/env/site-packages/sklearn/base.py", 9, "predict", "raise", None]
    sample = failing("list", "ValueError", "no", frames=[library])
    assert str(sample.place()) == "model.ipynb, cell 2, line 1"


def test_the_location_of_a_stage_is_a_line_of_its_notebook(failing):
    elsewhere = ["/tmp/ipykernel_9/1.py", 4, "clean", None, None]
    sample = replace(
        failing("list", "ValueError", "no", frames=[elsewhere]),
        cells={"/tmp/ipykernel_9/1.py": "clean.ipynb, cell 1"},
    )
    assert str(sample.place()) == "clean.ipynb, cell 1, line 4"


def test_samples_rejected_by_the_validator_are_reported(failing):
    sample = failing("list", "", "", code="refused")
    assert sample.left_out(9).startswith("`validator` rejects 5 of 9 samples, which are left out")


def test_a_failure_without_an_exception_is_located_at_the_definition(failing):
    sample = failing("list", "", "", code="unserialisable")
    assert str(sample.place()) == "model.ipynb, cell 2, line 1"


@pytest.mark.parametrize(
    ("failed", "scored", "given", "message"),
    [
        (1, 1, 1, "fails for the only sample;"),
        (3, 4, 4, "fails for 3 of 4 samples;"),
        (20, 20, 200, "fails for all 20 samples tried (of 200);"),
        (10, 100, 100, "fails for 10 of 100 samples, including the first ones;"),
    ],
)
def test_the_number_of_failing_samples_is_reported(failing, failed, scored, given, message):
    error = failing("list", "ValueError", "no", count=failed).error(scored, given, "samples")
    assert message in error.message
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
def test_functions_callable_with_one_argument_are_recognized(parameters, fits):
    [function] = ast.parse(f"def predictor({parameters}): pass").body
    assert takes_one_argument(function) is fits
