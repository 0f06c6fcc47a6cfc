"""Says what a missing module needs.

Distributions are named from a curated table only: that one of the same name
exists says nothing (`config`, `utils`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

SAME_NAME = (
    "altair bokeh boto3 catboost cloudpickle cvxpy dask datasets duckdb fastapi flask fsspec gensim"
    " geopandas h5py hdbscan httpx huggingface_hub ipympl ipywidgets jax joblib keras librosa"
    " lifelines lightgbm lightning lxml matplotlib missingno mlflow mlxtend networkx nltk numba"
    " numpy onnx onnxruntime openpyxl optuna pandas patsy plotly pmdarima polars prophet psutil"
    " pyarrow pydantic pymongo pyspark redis requests s3fs scipy seaborn sentence_transformers"
    " shap shapely spacy sqlalchemy statsmodels sympy tabulate tensorflow textblob tokenizers torch"
    " torchaudio torchvision tqdm transformers wordcloud xgboost xlrd"
).split()
"""Very popular libraries whose import name is the distribution's name."""

OTHER_NAME = {
    "Bio": "biopython",
    "Crypto": "pycryptodome",
    "IPython": "ipython",
    "Levenshtein": "levenshtein",
    "MySQLdb": "mysqlclient",
    "OpenSSL": "pyopenssl",
    "PIL": "pillow",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "category_encoders": "category-encoders",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "faiss": "faiss-cpu",
    "feature_engine": "feature-engine",
    "fitz": "pymupdf",
    "git": "gitpython",
    "google.cloud.bigquery": "google-cloud-bigquery",
    "google.cloud.storage": "google-cloud-storage",
    "google.protobuf": "protobuf",
    "imblearn": "imbalanced-learn",
    "jose": "python-jose",
    "jwt": "pyjwt",
    "mpl_toolkits": "matplotlib",
    "pandas_profiling": "ydata-profiling",
    "pptx": "python-pptx",
    "psycopg2": "psycopg2-binary",
    "pytorch_lightning": "pytorch-lightning",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "sklearn_pandas": "sklearn-pandas",
    "skopt": "scikit-optimize",
    "sksurv": "scikit-survival",
    "snowflake.connector": "snowflake-connector-python",
    "surprise": "scikit-surprise",
    "umap": "umap-learn",
    "ydata_profiling": "ydata-profiling",
    "yaml": "pyyaml",
}
"""Libraries that are installed under another name."""

DISTRIBUTIONS = {name: name.replace("_", "-") for name in SAME_NAME} | OTHER_NAME

COLAB = "google.colab exists in Colab alone: remove what uses it, or tag the cell skip-execution"
MOST_FOLDERS = 5000
"""Folders of the repository that are searched for a local module."""


def distribution_of(module: str) -> str | None:
    """The distribution that provides a module; None when the table does not know."""
    parts = module.split(".")
    names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((DISTRIBUTIONS[name] for name in names if name in DISTRIBUTIONS), None)


def explain_missing_module(
    module: str,
    written: str,
    *,
    root: Path,
    cwd: str,
    explain_file: Callable[[str], str | None],
) -> str | None:
    """What to do about a module that was not found, where that is certain.

    `written` is the dotted name as the code has it. Asked in order: is it
    Colab's or Python's own, is it elsewhere in the repository, was it left out
    of the build, which distribution has it.
    """
    top = module.partition(".")[0]
    if written.startswith("google.colab"):
        return COLAB
    if top in sys.stdlib_module_names:
        return f"{top} is part of Python, and the Python of this build was made without it"
    path = module.replace(".", "/")
    return (
        _explain_local(top, root, cwd)
        or explain_file(f"{path}.py")
        or explain_file(f"{path}/__init__.py")
        or _explain_distribution(module, written)
    )


def _explain_distribution(module: str, written: str) -> str | None:
    """Name the distribution to require; None for a part of something that is installed."""
    known = OTHER_NAME.get(module) if "." in module else distribution_of(written)
    if known is not None:
        return f'add ["{known}"] to `requirements`'
    if "." in module or not module:
        return None
    return f"add the distribution that provides `{module}` to `requirements`"


def _explain_local(top: str, root: Path, cwd: str) -> str | None:
    """Say where in the repository the module is, if it is in one place that is not searched."""
    found = list(_folders_with(top, root))
    if len(found) != 1 or found[0] == Path(cwd):
        return None
    folder, name = found[0], top if (found[0] / top).is_dir() else f"{top}.py"
    where = "the repository's root" if folder == root else str(folder.relative_to(root))
    return (
        f"{name} is in {where}, which is not on the import path: before the import, run "
        f'`import sys; sys.path.append("{os.path.relpath(folder, cwd)}")`'
    )


def _folders_with(top: str, root: Path) -> Iterator[Path]:
    """The folders of the repository from which the module could be imported."""
    for count, (folder, names, files) in enumerate(os.walk(root)):
        if count >= MOST_FOLDERS:
            return
        names[:] = [name for name in names if not name.startswith((".", "__"))]
        package = Path(folder, top)
        if f"{top}.py" in files or (top in names and any(package.glob("*.py"))):
            yield Path(folder)
