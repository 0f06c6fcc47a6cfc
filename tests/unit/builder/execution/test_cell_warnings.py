import json
from dataclasses import asdict

import pytest

from nachlass_builder.execution.cell_warnings import CellWarnings
from nachlass_builder.execution.raised import Frame
from nachlass_builder.notebook.notebook import read_notebook
from support.cells import write_notebook

CELLS = "# %%\nimport lib\nlib.load()\n# %% tags=skip-execution\n1\n# %%\n%%time\nlib.score()"


@pytest.fixture
def warned(tmp_path):
    """Return a function that writes warnings like a kernel, and returns their messages."""
    write_notebook(tmp_path / "model.ipynb", CELLS)
    notebook = read_notebook(tmp_path, "model.ipynb")
    environment = {"API_TOKEN": "open-sesame"}
    warnings = CellWarnings(tmp_path / "warnings", notebook, {1: 1, 2: 3}, environment)

    def say(*entries):
        with warnings.path.open("a") as file:
            for kinds, message, count, frame in entries:
                known = {"kinds": kinds, "message": message, "count": count}
                known["frame"] = frame and asdict(frame)
                file.write(json.dumps(known) + "\n")
        return list(warnings.new())

    say.all = warnings
    return say


def user(message, count=1, frame=None):
    return (["UserWarning", "Warning"], message, count, frame)


def test_a_missing_file_means_no_warnings(warned):
    assert list(warned.all.new()) == []
    assert warned.all.summary() is None


def test_a_warning_is_reported_once_with_its_line(warned):
    frame = Frame("/tmp/ipykernel_1/2.py", 2, "<module>", "lib.load()", 1)
    messages = warned(user("loaded from 1.0, and this is 1.5:\ninvalid results", frame=frame))
    place = "model.ipynb, cell 1, line 2"
    assert messages == [f"{place}: UserWarning: loaded from 1.0, and this is 1.5:"]
    assert warned() == []


def test_cell_numbers_include_skipped_cells_and_lines_include_magics(warned):
    frame = Frame("<timed exec>", 1, "<module>", None, None)
    assert warned(user("a", 2), user("b", 2, frame), user("c", 3)) == [
        "model.ipynb, cell 3: UserWarning: a",
        "model.ipynb, cell 3, line 2: UserWarning: b",
        "model.ipynb, cell 3: UserWarning: c",
    ]


def kinds(count, number, execution=1):
    return [
        ([f"Kind{kind}", "Warning"], text, execution, None)
        for kind in range(count)
        for text in "abc"[:number]
    ]


def test_warnings_after_the_fifth_kind_of_a_cell_are_counted(warned):
    messages = warned(*kinds(8, 2))
    assert len(messages) == 6
    assert messages[-1] == "model.ipynb, cell 1: 6 more warnings, see the executed notebook"
    messages = warned(*kinds(6, 1, execution=3))
    assert messages[-1] == "model.ipynb, cell 3: 1 more warning after the cells"


def test_repeated_warnings_of_a_line_are_counted(warned):
    odd = [
        user(f"sample {n} is odd", 3, Frame("cell", 2, "predictor", None, 1)) for n in range(1, 302)
    ]
    other = (["RuntimeWarning", "Warning"], "overflow", 3, Frame("cell", 2, "predictor", None, 1))
    assert warned(*odd, other) == [
        "model.ipynb, cell 1, line 2: UserWarning: sample 1 is odd (and 300 more like it)",
        "model.ipynb, cell 1, line 2: RuntimeWarning: overflow",
    ]


def test_warnings_about_later_versions_are_counted_in_one_line(warned):
    later = [
        (["FutureWarning", "Warning"], "will change", 2, None),
        (["VisibleDeprecationWarning", "UserWarning", "Warning"], "old", 1, None),
    ]
    assert warned(*later) == []
    assert warned.all.summary() == (
        "model.ipynb, cells 1, 3: 2 warnings about changes in later versions; "
        "the lock keeps the current ones"
    )


def test_warnings_common_to_every_build_are_omitted(warned):
    assert warned(user("IProgress not found. Please update jupyter")) == []
    assert warned(user("FigureCanvasAgg is non-interactive, and thus cannot be shown")) == []


def test_credentials_are_hidden(warned):
    messages = warned(user("retry https://me:pw@example.org/x with open-sesame"))
    assert messages == [
        "model.ipynb, cell 1: UserWarning: retry https://***@example.org/x with ***"
    ]
