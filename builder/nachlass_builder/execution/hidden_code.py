"""Code that runs in the kernel unseen by the notebook."""

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

# `!command` runs on a pseudo-terminal, where a question would wait for ever.
def system(command, piped=zmqshell.system):
    return piped("exec </dev/null\\n" + command)
zmqshell.system = system

# IPython's own `open` is pickled by value, with the path of this environment.
get_ipython().user_ns.pop("open", None)
interactiveshell._modified_open = open  # which `%reset` would bring back
"""
"""What a kernel has to do before the first cell."""

DESCRIBE = (
    "__import__('nachlass_kernel.exception', fromlist=['write_last_exception'])"
    ".write_last_exception({path!r})"
)
"""Writes what the kernel knows of its last exception to a file."""

MARK = "\n# nachlass"
"""How hidden code ends."""

NAME_CELLS = (
    "__import__('nachlass_kernel.cells', fromlist=['name_cells'])"
    ".name_cells({notebook!r}, {mark!r})"
)
"""Gives the files of cells names that are the same in every run."""

NAME_CLASSES = "__import__('nachlass_kernel.class_ids', fromlist=['name_classes'])"
NAME_CLASSES += ".name_classes({built!r})"
"""Gives classes ids in pickles that are the same in every run; where cloudpickle is installed."""

WATCH_READS = "__import__('nachlass_kernel.reads', fromlist=['watch']).watch({root!r})"
"""Begins to observe which files are read."""

WATCH_WARNINGS = "__import__('nachlass_kernel.warned', fromlist=['watch']).watch({path!r})"
"""Begins to write warnings that cells show to a file."""

REPORT_READS = "__import__('nachlass_kernel.reads', fromlist=['write_reads']).write_reads({path!r})"
"""Writes what has been read to a file."""

REGISTER_REDUCERS = "__import__('nachlass_kernel.reducers', fromlist=['register']).register()"
"""Teaches what cells pickle with what pickle lacks; only where cloudpickle is installed."""


class CodeError(ExecutionError):
    """Hidden code raised in the kernel: the exception's type, its value and its traceback."""

    def __init__(self, doing: str, ename: str, evalue: str, traceback: str) -> None:
        super().__init__(f"{ename}: {evalue}, while {doing}", details=traceback)
        self.ename = ename
        self.evalue = evalue
        self.traceback = traceback

    @classmethod
    def from_reply(cls, reply: Mapping[str, Any], doing: str) -> CodeError:
        """The failure that a kernel's reply tells of."""
        traceback = redact(plain("\n".join(reply.get("traceback") or [])), ())
        evalue = redact(plain(reply.get("evalue", "")), ())
        return cls(doing, reply.get("ename", "unknown"), evalue, traceback)


def isolated(code: str) -> str:
    """Wrap hidden code so that it neither sees nor changes the notebook's names."""
    return f"__import__('builtins').exec({code!r}, {{}})"
