import functools
from dataclasses import replace
from pathlib import Path

import pytest

from nachlass_builder.execution.capture_warnings import capture_warnings
from nachlass_builder.execution.kernel_process import IN_KERNEL
from nachlass_builder.execution.outcome import (
    AbsolutePath,
    LargestVariable,
    Pickled,
    ScoredSamples,
)
from nachlass_builder.execution.raised import Frame
from nachlass_builder.notebook.notebook import read_notebook
from support.cells import write_notebook

PICKLED = Pickled(
    pickle_bytes=321_000_000,
    validator=False,
    holds_build_path=False,
    import_folders=(),
    samples=ScoredSamples((), 0, None, 0, (), None, ()),
)


@pytest.fixture
def surveyed(tmp_path, monkeypatch):
    """Return a function that surveys the predictor of some code; the source folder is `repo`."""
    monkeypatch.syspath_prepend(IN_KERNEL)
    from nachlass_kernel import survey as surveys

    monkeypatch.setattr(surveys, "cell_files", lambda: {"cell": 1})
    monkeypatch.setattr(surveys, "LARGE", 1000)

    def look(code, size=0, **names):
        space = {"__name__": "__main__", "HERE": str(tmp_path), "functools": functools, **names}
        exec(compile(code, "cell", "exec"), space)
        return surveys.survey({"predictor": space["predictor"]}, tmp_path / "repo", size)

    return look


@pytest.mark.parametrize(
    ("code", "paths"),
    [
        ("def predictor(x):\n    return open('/home/me/d.csv')", [("/home/me/d.csv", 2)]),
        (
            "def predictor(x):\n    return open(r'C:\\Users\\me\\d.csv')",
            [("C:\\Users\\me\\d.csv", 2)],
        ),
        ("def predictor(x):\n    return [f'/Users/me/x/{y}' for y in x]", [("/Users/me/x/", 2)]),
        ("def predictor(x):\n    return x in ('a', '/root/b/')", [("/root/b/", 2)]),
        ("P = '/home/me/d.h5'\ndef helper(): return P\ndef predictor(x): return helper()", ["P"]),
        ("import pathlib\nP = pathlib.Path('/home/me/d.h5')\ndef predictor(x): return P", ["P"]),
        ("C = {'model': '/home/me/d.h5'}\ndef predictor(x): return C", ["C"]),
        ("def predictor(x, path='/home/me/d.h5'): return path", ["predictor"]),
        (
            "class M:\n  def predict(s, x):\n    return '/home/me/d.h5'\npredictor = M().predict",
            None,
        ),
        ("@functools.lru_cache\ndef predictor(x): return '/home/me/d.h5'", None),
        ("predictor = functools.partial(lambda p, x: p, '/home/me/d.h5')", ["predictor"]),
        ("def make():\n  p = '/home/me/d.h5'\n  return lambda x: p\npredictor = make()", ["p"]),
    ],
)
def test_machine_specific_paths_are_found(surveyed, code, paths):
    found = surveyed(code)["paths"]
    warnings = [
        (one["path"], one["frame"]["line"]) if one["frame"] else one["name"] for one in found
    ]
    assert warnings == paths if paths else len(warnings) == 1


@pytest.mark.parametrize(
    "text",
    [
        "/", "//", "/predict/v1", "data/x.csv", "/dev/null", "/usr/share/dict", "https://a/home/me/x",
        "/home", "a:b", "d:\\\\w+", "/etc/ssl/certs", "/tmp", "a" * 5000, "/nowhere/at/all",
        "/Users/list/all", "/home/user/profile", "/home/user/", "/root/x",
    ],
)  # fmt: skip
def test_other_strings_are_not_reported_as_paths(surveyed, text):
    code = f"T = {text!r}\ndef predictor(x): return T, {text!r}"
    assert surveyed(code)["paths"] == []


def test_an_existing_path_outside_the_source_is_machine_specific(surveyed, tmp_path):
    (tmp_path / "repo").mkdir()
    inside, outside = tmp_path / "repo" / "a.csv", tmp_path / "b.csv"
    inside.touch()
    outside.touch()
    found = surveyed("def predictor(x): return A, B", A=str(inside), B=Path(outside))
    assert found["paths"] == [{"path": str(outside), "frame": None, "name": "B"}]


@pytest.mark.parametrize("text", ["base + '/home/me/d.csv'", "f'{base}/home/me/d.csv'"])
def test_the_continuation_of_a_string_is_not_a_path(surveyed, text):
    assert surveyed(f"base = ''\ndef predictor(x): return {text}")["paths"] == []


def test_attributes_of_instances_of_local_modules_are_searched(surveyed, tmp_path, monkeypatch):
    (tmp_path / "repo").mkdir()
    text = "class Model:\n  def __init__(self): self.file = '/home/me/d.csv'\n"
    (tmp_path / "repo" / "own_models.py").write_text(text)
    (tmp_path / "other_models.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(tmp_path / "repo")
    code = "from {} import Model\nM = Model()\ndef predictor(x): return M"
    found = surveyed(code.format("own_models"))
    assert found["paths"] == [{"path": "/home/me/d.csv", "frame": None, "name": "M"}]
    assert surveyed(code.format("other_models"))["paths"] == []


def test_the_largest_variable_of_a_large_pickle_is_found(surveyed):
    code = (
        "model, train, path = bytes(3000), bytearray(7000), 'x'\n"
        "class Model:\n  def __init__(self): self.inner = model\n"
        "whole = Model()\n"
        "def helper(): return train\n"
        "def predictor(x): return whole, path, helper()"
    )
    found = surveyed(code, size=10_000)["largest"]
    assert (found["name"], found["function"]) == ("train", "helper")
    assert 7000 < found["bytes"] < 7100
    assert surveyed(code, size=100)["largest"] is None


def test_warnings_name_cell_and_line(tmp_path):
    cells = "# %%\ntrain = 1\n# %%\nP = '/home/me/d'\ndef predictor(x):\n    return '/home/me/e'"
    write_notebook(tmp_path / "model.ipynb", cells)
    frame = Frame("cell", 3, "predictor", "return '/home/me/e'", 2)
    paths = (AbsolutePath("/home/me/d", name="P"), AbsolutePath("/home/me/e", frame))
    outcome = replace(
        PICKLED, paths=paths, largest=LargestVariable("train", "predictor", 320_400_000)
    )
    notebook = read_notebook(tmp_path, "model.ipynb")
    warnings = list(capture_warnings(outcome, notebook, {1: 1, 2: 2}, tmp_path))
    assert [text.partition(": ")[0] for text in warnings] == [
        "model.ipynb, cell 2, line 1",
        "model.ipynb, cell 2, line 3",
        "model.ipynb, cell 1, line 1",
    ]
    assert "the pickle has 321 MB, of which 320 MB are `train`, used by `predictor`" in warnings[2]
    assert list(capture_warnings(PICKLED, notebook, {}, tmp_path)) == []


def test_the_advice_differs_for_folders_and_files(tmp_path):
    write_notebook(tmp_path / "model.ipynb", "# %%\nA = B = 1")
    named = (("/home/me/d/", "A"), (str(tmp_path), "B"), ("/home/me/d.csv", "A"))
    outcome = replace(PICKLED, paths=tuple(AbsolutePath(path, name=name) for path, name in named))
    warnings = capture_warnings(outcome, read_notebook(tmp_path, "model.ipynb"), {}, tmp_path)
    assert [("its files" in text, "the file and" in text) for text in warnings] == [
        (True, False),
        (True, False),
        (False, True),
    ]
