"""Stands in for pip in a locked environment. Notebook's kernel.

`pip install` of an installed package succeeds and does nothing. Anything else fails and is
recorded for the builder, which fails the cell. The file named by NACHLASS_PIP_MISSING gets one
JSON object per line:

    {"requirement": "seaborn==0.13", "word": as on pip's command line,
     "remedy": as written in `requirements`}

Standard library and packaging only. A pip that the user requires stays importable beneath this
one (`pip._internal`); its commands do not run.
"""

from __future__ import annotations

import pkgutil

__path__ = pkgutil.extend_path(__path__, __name__)
__version__ = "0+nachlass"


def main(args: list[str] | None = None) -> int:
    """Run the command line, and return its exit status."""
    from pip.nachlass_commands import run

    return run(args)
