"""The choice of the notebooks to build."""

from pathlib import PurePosixPath

import pytest

from nachlass_builder.foundation.errors import NotebookError, Place, SourceError
from nachlass_builder.foundation.settings import Settings
from nachlass_builder.notebook.choose_notebook import choose_notebooks
from support.cells import write_notebook

PREDICTOR = "# %%\ndef predictor(x):\n    return x"
OTHER = "# %%\nx = 1"
WHICH = "choose one with S2I_SOURCE_NOTEBOOK, or S2I_SOURCE_NOTEBOOK_LIST for a pipeline"


@pytest.fixture
def choose(tmp_path):
    """Return a function that chooses from these notebooks, given as names and cells."""

    def choose(notebooks, given=None, explain=lambda _name: None, **variables):
        for name, cells in notebooks.items():
            write_notebook(tmp_path / name, cells)
        settings = Settings.from_environ(variables, {})
        return choose_notebooks(tmp_path, ["README.md", *notebooks], settings, given, explain)

    return choose


def names(chosen):
    return [notebook.name for notebook in chosen.notebooks]


def test_the_default_name_is_preferred(choose):
    chosen = choose({"a.ipynb": PREDICTOR, "model.ipynb": OTHER, "sub/b.ipynb": PREDICTOR})
    assert (chosen.contract, names(chosen)) == ("function", ["model.ipynb"])
    assert chosen.reason == "the default name"


def test_the_only_notebook_at_the_root_is_preferred(choose):
    chosen = choose({"sub/model.ipynb": PREDICTOR, "a.ipynb": OTHER, "sub/b.ipynb": PREDICTOR})
    assert names(chosen) == ["a.ipynb"]
    assert chosen.reason == "the only notebook at the root"


@pytest.mark.parametrize("name", ["b.ipynb", "sub/b.ipynb", "sub/model.ipynb"])
def test_the_only_notebook_that_defines_a_predictor_is_chosen(choose, name):
    chosen = choose({"a.ipynb": OTHER, name: PREDICTOR, "c.ipynb": OTHER, "sub/d.ipynb": OTHER})
    assert names(chosen) == [name]
    assert chosen.reason == "the only notebook that defines `predictor`"


def test_the_only_notebook_of_a_folder_is_chosen_if_it_defines_a_predictor(choose):
    chosen = choose({"sub/a.ipynb": PREDICTOR})
    assert names(chosen) == ["sub/a.ipynb"]
    assert chosen.folder == PurePosixPath("sub")


def test_unreadable_candidates_are_skipped(choose, tmp_path):
    (tmp_path / "damaged.ipynb").write_text("{")
    found = {"a.ipynb": PREDICTOR, "b.ipynb": OTHER}
    for name, cells in found.items():
        write_notebook(tmp_path / name, cells)
    files = ["absent.ipynb", "damaged.ipynb", *found]
    chosen = choose_notebooks(tmp_path, files, Settings.from_environ({}, {}), None)
    assert names(chosen) == ["a.ipynb"]


def test_files_that_are_not_part_of_the_source_are_ignored(choose, tmp_path):
    write_notebook(tmp_path / "model.ipynb", PREDICTOR)
    assert names(choose({"a.ipynb": OTHER})) == ["a.ipynb"]


def test_several_notebooks_that_define_a_predictor_are_rejected(choose):
    with pytest.raises(NotebookError) as caught:
        choose({"a.ipynb": PREDICTOR, "b.ipynb": OTHER, "sub/c.ipynb": "# %%\npredictor = len"})
    assert caught.value.message == "several notebooks define `predictor`: a.ipynb, sub/c.ipynb"
    assert caught.value.remedy == WHICH
    assert caught.value.place is None


def test_the_only_notebook_is_chosen_in_any_folder(choose):
    chosen = choose({"sub/a.ipynb": OTHER})
    assert (names(chosen), chosen.reason) == (["sub/a.ipynb"], "the only notebook")


def test_the_only_notebook_that_fits_a_model_is_chosen_without_a_predictor(choose):
    chosen = choose({"a.ipynb": OTHER, "sub/b.ipynb": "# %%\nmodel.fit(X, y)", "c.ipynb": OTHER})
    assert names(chosen) == ["sub/b.ipynb"]
    assert chosen.reason == "the only notebook that fits a model"


def test_several_notebooks_without_a_predictor_are_rejected(choose):
    with pytest.raises(NotebookError) as caught:
        choose({"a.ipynb": OTHER, "b.ipynb": "# %% markdown\npredictor"})
    assert caught.value.message == "no notebook defines `predictor`: a.ipynb, b.ipynb"
    assert caught.value.remedy == (
        "define predictor(x), which scores one sample, in one of them; for a pipeline, list "
        "its notebooks in order in S2I_SOURCE_NOTEBOOK_LIST"
    )
    assert caught.value.place is None


@pytest.mark.parametrize(("count", "end"), [(10, ", 9.ipynb"), (12, ", 9.ipynb and 2 more")])
def test_ten_candidates_are_listed_and_the_others_are_counted(tmp_path, count, end):
    files = [f"{number}.ipynb" for number in range(count)]
    with pytest.raises(NotebookError) as caught:
        choose_notebooks(tmp_path, files, Settings.from_environ({}, {}), None)
    assert caught.value.message.startswith("no notebook defines `predictor`: 0.ipynb, 1.ipynb, ")
    assert caught.value.message.endswith(f"8.ipynb{end}")


def test_a_source_without_notebooks_is_rejected(choose):
    with pytest.raises(SourceError) as caught:
        choose({})
    assert caught.value.message == "there is no notebook in the source"
    assert caught.value.remedy == (
        "name a folder or git URL with a notebook (.ipynb), or the notebook itself"
    )


def test_an_excluded_default_notebook_is_explained(choose):
    with pytest.raises(SourceError) as caught:
        choose({}, explain=lambda name: f"{name} is ignored by git")
    assert (caught.value.message, caught.value.remedy) == ("model.ipynb is ignored by git", None)


def test_nothing_is_explained_if_a_notebook_is_found(choose):
    chosen = choose({"a.ipynb": OTHER}, explain=lambda name: f"{name} is ignored by git")
    assert names(chosen) == ["a.ipynb"]


@pytest.mark.parametrize(
    ("given", "variables", "name", "reason"),
    [
        (None, {"S2I_SOURCE_NOTEBOOK": "sub/a.ipynb"}, "sub/a.ipynb", "S2I_SOURCE_NOTEBOOK"),
        ("sub/a.ipynb", {}, "sub/a.ipynb", "named as the source"),
        ("b.ipynb", {"S2I_SOURCE_NOTEBOOK": "sub/a.ipynb"}, "b.ipynb", "named as the source"),
        ("b.ipynb", {"S2I_SOURCE_NOTEBOOK_LIST": "sub/a.ipynb"}, "b.ipynb", "named as the source"),
    ],
)
def test_a_named_notebook_is_chosen_and_the_source_takes_precedence(
    choose, given, variables, name, reason
):
    found = {"model.ipynb": PREDICTOR, "sub/a.ipynb": OTHER, "b.ipynb": OTHER}
    chosen = choose(found, given, **variables)
    assert (chosen.contract, names(chosen), chosen.reason) == ("function", [name], reason)
    assert chosen.folder == PurePosixPath(name).parent


@pytest.mark.parametrize("notebook", ["", "model.ipynb"])
def test_the_notebooks_of_a_pipeline_keep_their_order_and_run_at_the_root(choose, notebook):
    chosen = choose(
        {"model.ipynb": PREDICTOR, "sub/a.ipynb": OTHER, "b.ipynb": OTHER},
        S2I_SOURCE_NOTEBOOK_LIST="sub/a.ipynb, b.ipynb",
        S2I_SOURCE_NOTEBOOK=notebook,
    )
    assert (chosen.contract, names(chosen)) == ("pipeline", ["sub/a.ipynb", "b.ipynb"])
    assert chosen.reason == "S2I_SOURCE_NOTEBOOK_LIST"
    assert chosen.folder == PurePosixPath()


def test_a_path_is_normalized(choose):
    chosen = choose({"sub/a.ipynb": OTHER}, S2I_SOURCE_NOTEBOOK="./sub//a.ipynb")
    assert chosen.folder == PurePosixPath("sub")


@pytest.mark.parametrize(
    ("given", "variables", "message"),
    [
        ("x.ipynb", {}, "SOURCE names x.ipynb"),
        (None, {"S2I_SOURCE_NOTEBOOK": "x.ipynb"}, "S2I_SOURCE_NOTEBOOK names x.ipynb"),
        (
            None,
            {"S2I_SOURCE_NOTEBOOK_LIST": "a.ipynb,x.ipynb"},
            "S2I_SOURCE_NOTEBOOK_LIST names x.ipynb",
        ),
    ],
)
def test_a_missing_named_notebook_is_rejected(choose, given, variables, message):
    found = {"a.ipynb": OTHER, "sub/model.ipynb": OTHER}
    with pytest.raises(SourceError) as caught:
        choose(found, given, **variables)
    assert caught.value.message == f"{message}, but there is no such file in the source"
    assert caught.value.remedy == "the source has a.ipynb, sub/model.ipynb"
    with pytest.raises(SourceError) as caught:
        choose(found, given, lambda name: f"{name} is ignored by git", **variables)
    assert caught.value.message == f"{message}: x.ipynb is ignored by git"
    assert caught.value.remedy is None


def test_a_named_notebook_is_rejected_in_a_source_without_notebooks(choose):
    with pytest.raises(SourceError) as caught:
        choose({}, S2I_SOURCE_NOTEBOOK="x.ipynb")
    assert caught.value.remedy == "the source has no notebooks"


def test_an_unreadable_notebook_is_rejected_with_its_location(tmp_path):
    (tmp_path / "model.ipynb").write_text("{")
    with pytest.raises(NotebookError) as caught:
        choose_notebooks(tmp_path, ["model.ipynb"], Settings.from_environ({}, {}), None)
    assert caught.value.place == Place("model.ipynb", line=1)
    assert caught.value.remedy == "save it from Jupyter again, or restore it from git"
