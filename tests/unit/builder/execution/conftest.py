"""What the kernel teaches pickle, in a process that is no kernel."""

import copyreg
from types import CodeType

import cloudpickle
import pytest

from nachlass_builder.execution.kernel_process import IN_KERNEL
from support.pickled import CELL


@pytest.fixture
def keep_places(monkeypatch):
    """The kernel's function, in a process that is no kernel; undone after the test."""
    monkeypatch.syspath_prepend(str(IN_KERNEL))
    from nachlass_kernel import code_places

    table = cloudpickle.Pickler.dispatch_table
    monkeypatch.setitem(table, CodeType, table[CodeType])
    monkeypatch.setattr(code_places, "cell_files", lambda: {CELL: 1})
    return code_places.keep_places


@pytest.fixture
def register(keep_places, monkeypatch):
    """All that a capture teaches pickle; undone after the test."""
    from nachlass_kernel import reducers

    # Set to what it is, so that it is put back.
    name = "_function_getnewargs"
    monkeypatch.setattr(cloudpickle.Pickler, name, getattr(cloudpickle.Pickler, name))
    monkeypatch.setattr(copyreg, "dispatch_table", copyreg.dispatch_table)
    before = dict(copyreg.dispatch_table)
    yield reducers.register
    for kind in copyreg.dispatch_table.keys() - before:
        del copyreg.dispatch_table[kind]
