"""Installs packages into a virtual environment with uv, using this machine's pip settings.

    python tests/install.py ENVIRONMENT OPTION...

ENVIRONMENT is the folder of a virtual environment; the options are those of
`uv pip install`. pip takes five times as long, and cannot choose the oldest versions.
The Python that runs this needs only uv.
"""

import os
import sys
from pathlib import Path

from nachlass_builder.foundation.process import Deadline
from nachlass_builder.packages.pip_settings import IndexSettings
from nachlass_builder.packages.uv_program import run_uv

if __name__ == "__main__":
    folder, *options = sys.argv[1:]
    done = run_uv(
        ["pip", "install", "--quiet", "--python", f"{folder}/bin/python", *options],
        indexes=IndexSettings.read(os.environ, None),
        deadline=Deadline(),
        doing="installing packages",
        cwd=Path(__file__).parent.parent,
    )
    sys.exit(done.stderr if done.status else 0)
