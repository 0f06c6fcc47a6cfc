import json
from dataclasses import asdict, replace

import pytest

from nachlass_builder.diff.code import CodeChange, changed_code
from nachlass_builder.diff.markdown import as_markdown
from nachlass_builder.diff.model import Change, Difference, FileState, Side
from nachlass_builder.diff.text import as_text
from nachlass_builder.proof.compare import Example, Predictions
from support.cells import write_notebook

OLD = """\
# %%
import numpy as np
depth = 3
# %% markdown
Words
# %%
model = fit(depth)
# %%
plot(model)
# %%
def predictor(x):
    return model(x)
"""


@pytest.fixture
def changes(tmp_path):
    """Return a function for the code changes between two sources, given as files and texts."""

    def run(old, new, old_names=("model.ipynb",), new_names=("model.ipynb",)):
        for side, files in (("old", old), ("new", new)):
            for name, text in files.items():
                path = tmp_path / side / name
                path.parent.mkdir(parents=True, exist_ok=True)
                if name.endswith(".ipynb"):
                    write_notebook(path, text)
                else:
                    path.write_text(text)
        found = changed_code(tmp_path / "old", tmp_path / "new", old_names, new_names)
        return [(change.place, change.change, change.diff) for change in found]

    return run


def test_equal_code_has_no_changes(changes):
    new = OLD.replace("Words", "Other words, which are no code")
    assert changes({"model.ipynb": OLD, "a.py": "1"}, {"model.ipynb": new, "a.py": "1"}) == []


def test_cells_are_paired_with_their_changed_versions(changes):
    new = OLD.replace("depth = 3", "depth = 4").replace("# %%\nplot(model)\n", "")
    new = "# %%\nrequirements = []\n" + new
    assert changes({"model.ipynb": OLD}, {"model.ipynb": new}) == [
        ("model.ipynb, cell 1", "added", "+requirements = []"),
        (
            "model.ipynb, cell 2 (was cell 1)",
            "changed",
            "@@ -1,2 +1,2 @@\n import numpy as np\n-depth = 3\n+depth = 4",
        ),
        ("model.ipynb, former cell 3", "removed", "-plot(model)"),
    ]


def test_a_rewritten_cell_counts_as_removed_and_added(changes):
    new = OLD.replace("plot(model)", "samples = [[1, 2], [3, 4]]")
    assert [change[:2] for change in changes({"model.ipynb": OLD}, {"model.ipynb": new})] == [
        ("model.ipynb, former cell 3", "removed"),
        ("model.ipynb, cell 3", "added"),
    ]


def test_added_and_removed_notebooks_and_modules_are_listed(changes):
    old = {"a.ipynb": "# %%\n1\n", "tools/a.py": "x = 1\n", "tools/b.py": "y = 1\n"}
    new = {"b.ipynb": "# %%\n2\n", "tools/a.py": "x = 2\n", "tools/__init__.py": ""}
    assert changes(old, new, ["a.ipynb"], ["b.ipynb"]) == [
        ("b.ipynb, cell 1", "added", "+2"),
        ("a.ipynb, former cell 1", "removed", "-1"),
        ("tools/__init__.py", "added", ""),
        ("tools/a.py", "changed", "@@ -1 +1 @@\n-x = 1\n+x = 2"),
        ("tools/b.py", "removed", "-y = 1"),
    ]


def test_a_diff_shows_no_credentials_and_no_terminal_sequences(changes):
    old = {"model.ipynb": "# %%\n1\n"}
    new = {"model.ipynb": "# %%\nurl = 'https://me:hunter2@example.org' # \x1b[2J\n"}
    [_, (_, _, diff)] = changes(old, new)
    assert diff == "+url = 'https://***@example.org' # \N{REPLACEMENT CHARACTER}[2J"


def side(**facts):
    made = {
        "bundle": "/b",
        "name": "kmeans",
        "version": "v1.0",
        "commit": "0" * 40,
        "dirty": False,
        "created": "2026-11-21T08:45:53+00:00",
        "built_by": "nachlass 0.1.0",
        "digest": "0123456789ab" + "0" * 52,
    }
    return Side(**{**made, **facts})


SAME = Difference(
    old=side(),
    new=side(version="v1.1", digest="ab" * 32),
    code=(),
    data=(),
    packages=(),
    training_packages=(),
    python=(),
    parameters=(),
    predictions=Predictions(None, count=200, identical=198, close=2),
)


def file(count, digest, **facts):
    return FileState(count, digest, **{"inside": True, "written": False, **facts})


OTHER = replace(
    SAME,
    code=(
        CodeChange("model.ipynb", "changed", 3, 3, "@@ -1 +1 @@\n-'''```'''\n+k = 5"),
        CodeChange("my_tools.py", "added", None, None, "\n".join(f"+{n}" for n in range(60))),
    ),
    data=(
        Change("data/train.csv", "changed", file(54_891, "a"), file(1, "b")),
        Change("/data/a|b`c.csv", "added", None, file(2_500_000, "c", inside=False)),
        Change("made.csv", "changed", file(1, "a", written=True), file(1, "b", written=True)),
        Change(".netrc", "removed", file(None, None), None),
    ),
    packages=(
        Change("numpy", "changed", "2.4.5", "2.4.6"),
        Change("mine", "added", None, ""),
    ),
    training_packages=(Change("seaborn", "removed", "0.13.2", None),),
    python=(Change("python", "changed", "3.11.7", "3.12.1"),),
    parameters=(Change("DEPTH", "changed", "3", "4"),),
    predictions=Predictions(
        None,
        count=200,
        identical=186,
        close=1,
        different=12,
        failed=1,
        largest=0.4,
        examples=(
            Example(5, 100.0000001, 140.00000000001, None),
            Example(7, {"a": 1.23456789}, {"a": "x" * 80}, None),
            Example(9, "a|`b", None, "ValueError: no <b>"),
        ),
    ),
)
VERDICT = (
    "different: of 200 samples, 12 different, 1 failed, 1 equal within the tolerance, "
    "186 identical; numbers differ by up to 40 % of the larger"
)


def test_the_text_shows_every_difference():
    assert as_text(OTHER).replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines() == [
        "old  kmeans v1.0, digest 0123456789ab",
        "new  kmeans v1.1, digest abababababab",
        "",
        "code",
        "  model.ipynb, cell 3: changed",
        "      \x1b[36m@@ -1 +1 @@",
        "      \x1b[31m-'''```'''",
        "      \x1b[32m+k = 5",
        "  my_tools.py: added",
        *(f"      \x1b[32m+{n}" for n in range(40)),
        "      ... 20 more lines",
        "",
        "data",
        "  data/train.csv   changed                              54.9 kB → 1 byte",
        "  /data/a|b`c.csv  added                                2.5 MB",
        "  made.csv         written differently by the notebook  1 byte",
        "  .netrc           removed",
        "",
        "packages",
        "  numpy    2.4.5 → 2.4.6",
        "  mine     added",
        "  seaborn  removed: 0.13.2  training only",
        "",
        "Python",
        "  3.11.7 → 3.12.1",
        "",
        "parameters",
        "  DEPTH  3 → 4",
        "",
        "predictions",
        f"  {VERDICT}",
        "  sample  old              new",
        f"  5       100.0            140.0{' ' * 57}+40 %",
        f'  7       {{"a": 1.234568}}  {{"a": "{"x" * 50}...',
        '  9       "a|`b"           fails: ValueError: no <b>',
        "  ... and 10 more",
    ]


def test_the_text_lists_the_unchanged_parts():
    text = as_text(SAME).replace("\x1b[1m", "").replace("\x1b[0m", "")
    assert text.splitlines()[2:] == [
        "",
        "predictions",
        "  equal within the tolerance: of 200 samples, 2 equal within the tolerance, 198 identical",
        "",
        "unchanged: code, data, packages, Python, parameters",
    ]


def test_the_markdown_shows_every_difference():
    text = as_markdown(OTHER)
    overview, *details = text.split("\n\n<details>")
    assert overview.splitlines() == [
        "### kmeans v1.0, digest 0123456789ab → kmeans v1.1, digest abababababab",
        "",
        "|  | old → new |",
        "| --- | --- |",
        f"| Predictions | {VERDICT} |",
        "| Code | 1 cell changed, 1 module added |",
        "| Data | 2 files changed, 1 file added, 1 file removed |",
        "| Packages | 1 package changed, 1 package added, 1 package removed |",
        "| Python | 3.11.7 → 3.12.1 |",
        "| Parameters | 1 parameter changed |",
    ]
    predictions, code, data, packages, parameters = details
    assert '| 9 | `` "a\\|`b" `` | `fails: ValueError: no <b>` |  |' in predictions
    assert "model.ipynb, cell 3: changed\n\n````diff\n@@ -1 +1 @@\n" in code
    assert "my\\_tools.py: added\n\n```diff\n+0\n" in code
    assert "\n... 20 more lines\n```\n\n</details>" in code
    assert "| `` /data/a\\|b`c.csv `` | added | 2.5 MB |" in data
    assert "| `seaborn` | removed: 0.13.2 | yes |" in packages
    assert "| `DEPTH` | `3 → 4` |" in parameters


def test_markdown_fits_into_a_comment():
    change = CodeChange("model.ipynb", "added", None, 1, "\n".join(["+" + "x" * 500] * 40))
    data = Change("x.csv", "added", None, file(1, "a"))
    text = as_markdown(replace(OTHER, code=(change,) * 100, data=(data,) * 1000))
    assert len(text) < 65_536
    assert "... and 950 more" in text
    assert text.count("model.ipynb, cell 1: added") == 100


def test_identical_bundles_are_reported_as_identical():
    same = replace(SAME, new=side(bundle="/copy"))
    sentence = "the bundles are identical: same digest"
    assert as_text(same).splitlines()[2:4] == ["", sentence]
    assert as_markdown(same).splitlines()[1:4] == ["", sentence, ""]
    for form in (as_text, as_markdown):
        assert sentence not in form(SAME)


def test_the_json_has_the_documented_keys():
    facts = json.loads(OTHER.as_json())
    assert (facts["format_version"], facts["identical"]) == (1, False)
    assert facts["new"]["digest"] == "ab" * 32
    assert facts["code"][0].keys() == {"file", "change", "old", "new", "diff"}
    assert facts["packages"][1] == {"name": "mine", "change": "added", "old": None, "new": ""}
    assert facts["data"][0]["old"] == asdict(file(54_891, "a"))
    assert facts["predictions"]["examples"][2]["error"] == "ValueError: no <b>"
    assert json.loads(SAME.as_json())["identical"]


@pytest.mark.parametrize("facts", [{"different": 1}, {"failed": 1}])
def test_changed_predictions_are_a_difference(facts):
    assert SAME.identical
    assert not replace(SAME, predictions=replace(SAME.predictions, **facts)).identical


def test_bundles_without_samples_can_be_identical():
    found = replace(SAME, predictions=Predictions("there are none"))
    assert found.identical
    assert "not compared: there are none" in as_text(found)


def test_a_random_model_is_reported_as_random():
    predictions = replace(SAME.predictions, random_fields=("low", "high"))
    text = as_text(replace(SAME, predictions=predictions))
    assert "`low`, `high` are random: only the types are compared" in text
