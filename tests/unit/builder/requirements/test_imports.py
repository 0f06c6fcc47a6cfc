"""The imports of cells, and the local modules that they reach."""

import pytest

from nachlass_builder.notebook.notebook import read_notebook
from nachlass_builder.requirements.imports import find_imports
from nachlass_builder.requirements.own_modules import OwnModules
from support.cells import write_notebook


@pytest.fixture
def found(tmp_path):
    """Return a function for the imports of a notebook and their locations."""

    def found(cells, name="model.ipynb", local=(), files=None):
        write_notebook(tmp_path / name, cells)
        for path, text in (files or {}).items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        imports = find_imports(
            [read_notebook(tmp_path, name)], tmp_path, OwnModules(files or ()), local
        )
        return [(one.module, str(one.place)) for one in imports]

    return found


def modules(found):
    return [module for module, _place in found]


def test_imports_at_every_depth_are_found_with_their_first_location(found):
    source = """# %%
import numpy as np, pandas.io
from sklearn.cluster import KMeans, DBSCAN
# %%
import numpy
def predictor(x):
    if x:
        with open("f"):
            from scipy import stats
    class Inner:
        import yaml
"""
    assert found(source) == [
        ("numpy", "model.ipynb, cell 1, line 1"),
        ("pandas.io", "model.ipynb, cell 1, line 1"),
        ("sklearn.cluster.KMeans", "model.ipynb, cell 1, line 2"),
        ("sklearn.cluster.DBSCAN", "model.ipynb, cell 1, line 2"),
        ("scipy.stats", "model.ipynb, cell 2, line 5"),
        ("yaml", "model.ipynb, cell 2, line 7"),
    ]


def test_optional_imports_are_ignored(found):
    source = """# %%
try:
    import torch
except ImportError:
    import tensorflow
else:
    import a
finally:
    import b
with contextlib.suppress(ImportError):
    import c
if typing.TYPE_CHECKING:
    import d
else:
    import e
from . import f
# %% tags=skip-execution
import g
# %% tags=raises-exception
import h
# %%
%%bash
import i
"""
    assert modules(found(source)) == ["a", "b", "e"]


def test_local_modules_are_followed(found):
    source = "# %%\nimport helpers.text\nfrom config import LIMIT\nfrom pkg import *\n"
    files = {
        "helpers/__init__.py": "import one",
        "helpers/text.py": "from . import inner\nfrom .other import x\nimport two",
        "helpers/inner.py": "import three\nimport helpers.text",
        "helpers/other.py": "import four\nimport one",
        "helpers/unused.py": "import never",
        "config.py": "import five\n(",
        "pkg/__init__.py": "import six",
    }
    assert found(source, files=files) == [
        ("one", "helpers/__init__.py, line 1"),
        ("two", "helpers/text.py, line 3"),
        ("six", "pkg/__init__.py, line 1"),
        ("three", "helpers/inner.py, line 1"),
        ("four", "helpers/other.py, line 1"),
    ]


def test_modules_are_searched_beside_the_notebook_and_in_package_folders(found):
    source = "# %%\nimport beside, packaged, above\n"
    files = {
        "nb/beside.py": "import one",
        "src/packaged.py": "import two",
        "above.py": "import three",
    }
    assert modules(found(source, "nb/model.ipynb", ["src"], files)) == ["one", "two", "three"]
