"""Code that works only on another platform is reported before the build."""

import pytest

from nachlass_builder.notebook.notebook import Notebook, _parse_cell
from nachlass_builder.requirements.elsewhere import found_elsewhere
from support.cells import notebook_of


def found(*sources, provided=()):
    cells = tuple(_parse_cell(n, s, may_raise=False) for n, s in enumerate(sources, start=1))
    node = notebook_of("".join(f"# %%\n{source}\n" for source in sources))
    return list(found_elsewhere(Notebook("model.ipynb", node, cells), provided))


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        ("x = 1\nfrom google.colab import drive", 2, "google.colab exists only in Colab"),
        ("import google.colab.drive as d", 1, "google.colab exists only in Colab"),
        ("from google import colab", 1, "google.colab exists only in Colab"),
        ("from kaggle_secrets import UserSecretsClient", 1, "exists only on Kaggle"),
        ("dbutils.fs.ls('/')", 1, "dbutils exists only on Databricks"),
        ("x = spark.table('t')", 1, "no cell defines `spark`"),
        ("def f():\n    return spark.sql('x')", 2, "no cell defines `spark`"),
        ("open('/kaggle/input/a.csv')", 1, "'/kaggle/input/a.csv' is a Kaggle path"),
        ("x = '/content/drive/MyDrive/a.csv'", 1, "is a Colab path: copy the data"),
        ("x = 'dbfs:/a'", 1, "a Databricks path"),
        (r"x = 'C:\\Users\\me\\a.csv'", 1, "is a Windows path: copy the data"),
        ("x = r'D:/data/a.csv'", 1, "is a Windows path"),
        (
            "x = input('Name? ')",
            1,
            "input() waits for input, but nobody answers prompts during a build",
        ),
        ("import getpass\ngetpass.getpass()", 2, "getpass() waits for input, but nobody answers"),
        (
            "%%R\nlibrary(x)",
            1,
            "nothing provides the magic %%R: remove the code that uses it, or tag",
        ),
        ("%%sql\nselect 1", 1, "nothing provides the magic %%sql"),
        ("x = 1\n%sql select 1", 2, "nothing provides the magic %sql"),
        ("%load_ext rpy2.ipython", 1, "rpy2 needs R, which builds do not have"),
        ("x = 1\n%matplotlib inline", 2, "%matplotlib needs matplotlib, which is not required"),
    ],
)
def test_platform_specific_code_is_reported(source, line, message):
    [warning] = found(source)
    assert warning.startswith(f"model.ipynb, cell 1, line {line}: ")
    assert message in warning


@pytest.mark.parametrize(
    "sources",
    [
        ["try:\n    import google.colab\nexcept ImportError:\n    pass"],
        ["from google.cloud import storage\nimport googlecolab"],
        [
            "from pyspark.sql import SparkSession\nspark = SparkSession.builder.getOrCreate()",
            "spark",
        ],
        ["def f(spark):\n    return spark.sql('x')"],
        ["from mine import *", "spark.sql('x')"],
        ["x = ['s3://a', 'https://b/c', 'a:b', 'C:', 'kaggle/input', '/contents', 'C://x']"],
        ["x.input('a')\ndef input2(): pass"],
        ["%load_ext sql", "%%sql\nselect 1", "%sql select 1"],
        ["%%time\nx = 1", "%%bash\nls", "%%writefile a.py\nx = 1", "%time x = 1"],
        ["%%time\nprint('a %% R')"],
    ],
)
def test_names_defined_in_the_notebook_are_not_reported(sources):
    assert found(*sources) == []


def test_each_feature_is_reported_once():
    assert len(found("spark.sql('x')", "spark.sql('/kaggle/input/a')", "'/kaggle/input/b'")) == 2


def test_a_required_library_is_not_reported():
    assert found("%matplotlib inline", provided={"matplotlib"}) == []


def test_skipped_cells_and_cells_that_may_fail_are_not_reported():
    for tag in ({"is_skipped": True}, {"may_raise": True}):
        cell = _parse_cell(1, "spark.sql('x')", may_raise=tag.get("may_raise", False))
        cell = type(cell)(**{**vars(cell), **tag})
        node = notebook_of("# %%\nspark\n")
        assert list(found_elsewhere(Notebook("m.ipynb", node, (cell,)), ())) == []
