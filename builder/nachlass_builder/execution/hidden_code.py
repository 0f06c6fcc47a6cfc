"""Code that runs in the kernel, hidden from the notebook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nachlass_builder.foundation.credentials import redact
from nachlass_builder.foundation.errors import ExecutionError
from nachlass_builder.foundation.excerpt import plain

PREPARE = """
import os, sys
from IPython import get_ipython
from IPython.core import interactiveshell
from ipykernel import zmqshell

# Where IPython itself puts the working directory: behind the standard library.
ends = [os.path.basename(folder) for folder in sys.path]
if "" not in sys.path:
    sys.path.insert(ends.index("site-packages") if "site-packages" in ends else 0, "")

# `!command` runs on a pseudo-terminal, where a prompt would hang.
def system(command, piped=zmqshell.system):
    return piped("exec </dev/null\\n" + command)
zmqshell.system = system

# IPython's own `open` is pickled by value, with the path of this environment.
get_ipython().user_ns.pop("open", None)
interactiveshell._modified_open = open  # `%reset` would restore it
"""
"""The kernel's setup before the first cell."""

DESCRIBE = (
    "__import__('nachlass_kernel.exception', fromlist=['write_last_exception'])"
    ".write_last_exception({path!r})"
)
"""Writes a description of the kernel's last exception to a file."""

MARK = "\n# nachlass"
"""The end of hidden code."""

NAME_CELLS = (
    "__import__('nachlass_kernel.cells', fromlist=['name_cells'])"
    ".name_cells({notebook!r}, {mark!r})"
)
"""Gives cells file names that are the same in every run."""

NAME_CLASSES = "__import__('nachlass_kernel.class_ids', fromlist=['name_classes'])"
NAME_CLASSES += ".name_classes({built!r})"
"""Gives pickled classes ids that are the same in every run; needs cloudpickle."""

WATCH_READS = "__import__('nachlass_kernel.reads', fromlist=['watch']).watch({root!r})"
"""Starts observing which files are read."""

WATCH_WARNINGS = "__import__('nachlass_kernel.warned', fromlist=['watch']).watch({path!r})"
"""Starts writing the cells' warnings to a file."""

REPORT_READS = "__import__('nachlass_kernel.reads', fromlist=['write_reads']).write_reads({path!r})"
"""Writes the observed reads to a file."""

REGISTER_REDUCERS = "__import__('nachlass_kernel.reducers', fromlist=['register']).register()"
"""Registers extra reducers for the cells' own pickling; needs cloudpickle."""


class CodeError(ExecutionError):
    """An exception of hidden code in the kernel: its type, value and traceback."""

    def __init__(self, doing: str, ename: str, evalue: str, traceback: str) -> None:
        super().__init__(f"{ename}: {evalue}, while {doing}", details=traceback)
        self.ename = ename
        self.evalue = evalue
        self.traceback = traceback

    @classmethod
    def from_reply(cls, reply: Mapping[str, Any], doing: str) -> CodeError:
        """Return the error that a kernel's reply reports."""
        traceback = redact(plain("\n".join(reply.get("traceback") or [])), ())
        evalue = redact(plain(reply.get("evalue", "")), ())
        return cls(doing, reply.get("ename", "unknown"), evalue, traceback)


def isolated(code: str) -> str:
    """Wrap hidden code to keep it from seeing or changing the notebook's names."""
    return f"__import__('builtins').exec({code!r}, {{}})"
