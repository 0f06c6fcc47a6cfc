"""The project's folders, and whether all tests run."""

import os
import shutil
from pathlib import Path

TESTS = Path(__file__).parents[1]
PROJECT = TESTS.parent
ALL = bool(os.environ.get("NACHLASS_TEST_ALL"))
NOT_IN_GIT = shutil.ignore_patterns(".nachlass", "__pycache__", ".ipynb_checkpoints", "*.sav")
