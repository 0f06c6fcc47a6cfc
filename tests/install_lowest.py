"""Installs both packages, and what the tests need, in the oldest versions that the bounds allow.

    python tests/install_lowest.py PYTHON

PYTHON is that of an empty virtual environment. pip cannot choose the oldest
versions, so uv does, with pip's settings as Nachlass translates them.
"""

import os
import sys
from pathlib import Path

from nachlass_builder.pip_settings import IndexSettings
from nachlass_builder.process import Deadline
from nachlass_builder.uv_program import run_uv

PROJECT = Path(__file__).parent.parent
LOWEST = ("--resolution", "lowest-direct")
WANTED = ("--group", "test", "--editable", ".", "--editable", "service")

if __name__ == "__main__":
    done = run_uv(
        ["pip", "install", "--quiet", "--python", sys.argv[1], *LOWEST, *WANTED],
        indexes=IndexSettings.read(os.environ, None),
        deadline=Deadline(),
        doing="installing the oldest versions",
        cwd=PROJECT,
    )
    sys.exit(done.stderr if done.status else 0)
