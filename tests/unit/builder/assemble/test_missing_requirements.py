"""Warnings about imports that no requirement provides, with compatible versions."""

import pytest
import tomli_w

from nachlass_builder.assemble.missing_requirements import NO_VERSIONS, MissingRequirements
from nachlass_builder.foundation.errors import Place, RequirementsError
from nachlass_builder.foundation.process import Completed
from nachlass_builder.foundation.settings import Settings
from nachlass_builder.packages.pip_settings import IndexSettings
from nachlass_builder.requirements.check import check
from support.cells import write_notebook

BRINGS = {"pandas": ["pandas", "numpy"], "scikit-learn": ["scikit-learn", "scipy", "numpy"]}


class Index:
    """Replaces uv: locks the dependencies in `BRINGS`, each in version 1.0."""

    def __init__(self, failure=None):
        self.failure, self.asked = failure, []

    def resolver(self, _indexes, limit_s):
        assert 0 < limit_s < 60
        return self

    def lock(self, requirements):
        self.asked.append(requirements)
        if isinstance(self.failure, Exception):
            raise self.failure
        names = [text.partition("=")[0] for text in requirements]
        brought = dict.fromkeys(name for each in names for name in BRINGS.get(each, [each]))
        packages = [{"name": name, "version": "1.0"} for name in brought]
        return Completed(self.failure or 0, tomli_w.dumps({"packages": packages}), "")


@pytest.fixture
def missing(tmp_path):
    def missing(cells, index):
        write_notebook(tmp_path / "model.ipynb", cells)
        checked = check(tmp_path, ["model.ipynb"], Settings.from_environ({}, {}), None)
        return MissingRequirements(checked, index, IndexSettings())

    return missing


def test_all_missing_requirements_are_suggested_in_one_cell(missing):
    cells = "# %%\nimport numpy\nimport sklearn.svm, acme\nrequirements = ['pandas==1']"
    place = "(model.ipynb, cell 1, line 2)"
    assert missing(cells, Index()).warning().splitlines() == [
        f"imports that no requirement provides: `sklearn` {place} and `acme` {place}",
        "add a cell below model.ipynb, cell 1:",
        "    requirements += [",
        '        ["scikit-learn", "1.0"],',
        "    ]",
        f"add the distribution that provides `acme` {place} to `requirements`",
    ]


def test_the_index_is_not_queried_if_every_import_is_named(missing):
    index = Index()
    assert missing("# %%\nimport pandas\nrequirements = ['pandas']", index).warning() is None
    assert index.asked == []


def test_an_import_provided_by_another_requirement_is_not_missing(missing):
    index = Index()
    assert missing("# %%\nimport numpy\nrequirements = ['pandas']", index).warning() is None
    assert len(index.asked) == 1


def test_computed_requirements_are_not_checked(missing):
    cells = "# %%\nimport numpy\nrequirements = list(open('r.txt'))"
    assert missing(cells, Index()).warning() is None


def test_links_are_not_looked_up_in_the_index(missing):
    index = Index()
    cells = "# %%\nimport numpy\nrequirements = ['mine @ git+https://example.org/mine']"
    assert "names, and possibly none provides: `numpy`" in missing(cells, index).warning()
    assert not any("mine" in text for texts in index.asked for text in texts)


@pytest.mark.parametrize("failure", [2, RequirementsError("no answer")])
def test_versions_are_omitted_if_the_index_does_not_answer(missing, failure):
    lines = missing("# %%\nimport numpy", Index(failure)).warning().splitlines()
    assert lines[0].startswith(
        "imports that no requirement names, and possibly none provides: `numpy`"
    )
    assert lines[1:] == [
        NO_VERSIONS,
        "paste this as the first cell of model.ipynb:",
        "    requirements = [",
        '        "numpy",',
        "    ]",
    ]


def test_a_failed_import_is_reported_with_the_other_missing_imports(missing):
    place = Place("helpers.py", line=3)
    advice = missing("# %%\nimport numpy, pandas", Index()).advice("yaml", place, {"numpy"})
    assert advice.splitlines() == [
        "paste this as the first cell of model.ipynb:",
        "    requirements = [",
        '        ["pandas", "1.0"],',
        '        ["pyyaml", "1.0"],',
        "    ]",
    ]


def test_no_advice_is_given_if_nothing_is_missing(missing):
    place = Place("model.ipynb", 1, 1)
    assert missing("# %%\nx = 1", Index()).advice("pandas.gone", place, {"pandas"}) is None
