"""Compiles modules to reproducible bytecode. Standard library only.

Standard input is JSON: [[folder, [source, ...]], ...], sources relative to the
working directory. The bytecode of `a/b.py` is written to `folder/a/b.pyc`; a
source that does not compile is left out.

Bytecode depends on the state of the interpreter (cpython #73894). Each list is therefore
compiled in a separate fork, in the given order, unaffected by any other list.
"""

import gc
import json
import os
import py_compile
import sys
from collections.abc import Sequence
from contextlib import suppress


def main() -> None:
    """Compile one list per core at a time; fail if any list fails."""
    gc.disable()  # it would run at times that depend on the whole input
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    lists = json.load(sys.stdin)
    running, failed = 0, False
    for folder, sources in lists:
        if running == cores:
            failed |= os.wait()[1] != 0
            running -= 1
        if not os.fork():
            compile_list(folder, sources)
            os._exit(0)
        running += 1
    for _ in range(running):
        failed |= os.wait()[1] != 0
    sys.exit(failed)


def compile_list(folder: str, sources: Sequence[str]) -> None:
    """Write bytecode that Python imports without checking the source."""
    for source in sources:
        with suppress(py_compile.PyCompileError):
            py_compile.compile(
                source,
                cfile=f"{folder}/{source}c",
                dfile=source,
                doraise=True,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )


if __name__ == "__main__":
    main()
