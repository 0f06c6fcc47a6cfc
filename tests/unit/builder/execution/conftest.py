"""The kernel's changes to pickling, in a process without a kernel."""

import copyreg
from types import CodeType

import cloudpickle
import pytest

from nachlass_builder.execution.kernel_process import IN_KERNEL
from support.pickled import CELL


@pytest.fixture
def keep_places(monkeypatch):
    """Return the kernel's function, for use without a kernel; undo its changes after the test."""
    monkeypatch.syspath_prepend(str(IN_KERNEL))
    from nachlass_kernel import code_places

    table = cloudpickle.Pickler.dispatch_table
    monkeypatch.setitem(table, CodeType, table[CodeType])
    monkeypatch.setattr(code_places, "cell_files", lambda: {CELL: 1})
    return code_places.keep_places


@pytest.fixture
def register(keep_places, monkeypatch):
    """Yield the function that registers a capture's reducers; undo its changes after the test."""
    from nachlass_kernel import reducers

    # Set to the same value, for monkeypatch to restore it.
    name = "_function_getnewargs"
    monkeypatch.setattr(cloudpickle.Pickler, name, getattr(cloudpickle.Pickler, name))
    monkeypatch.setattr(copyreg, "dispatch_table", copyreg.dispatch_table)
    before = dict(copyreg.dispatch_table)
    yield reducers.register
    for kind in copyreg.dispatch_table.keys() - before:
        del copyreg.dispatch_table[kind]
