"""Nachlass builds a proven, servable bundle from a Jupyter notebook.

It runs in an environment of its own. The code that runs elsewhere is
`execution/in_kernel` (in the notebook's kernel), `requirements/first_pass_child.py`
(in a clean interpreter) and the sibling distribution nachlass-service (in the
model's environment).
"""

from pathlib import Path


def _version() -> str:
    """Return the version that the service's source has: in our wheel, or in a checkout."""
    here = Path(__file__).resolve().parent
    for folder in (here, here.parent.parent):
        file = folder / "service/nachlass_service/__init__.py"
        if file.is_file():
            text = file.read_text(encoding="utf-8")
            return text.partition('__version__ = "')[2].partition('"')[0]
    return "unknown"  # building the service's wheel fails, and says why


__version__ = _version()
