"""Where the project is, and how much of it is to be tested."""

import os
import shutil
from pathlib import Path

TESTS = Path(__file__).parents[1]
PROJECT = TESTS.parent
ALL = bool(os.environ.get("NACHLASS_TEST_ALL"))
NOT_IN_GIT = shutil.ignore_patterns(".nachlass", "__pycache__", ".ipynb_checkpoints", "*.sav")
