"""Objects that pickle rejects, or looks up by name, can be loaded where the model is served."""

import http.cookies
import json
import pickle
import subprocess
import sys
from contextvars import ContextVar
from typing import NewType
from weakref import WeakKeyDictionary, WeakValueDictionary

import cloudpickle
import pytest

from support.pickled import names_of

LOAD = """
import json, pickle, sys
assert not any("nachlass" in name or "IPython" in name for name in sys.modules)
print(json.dumps(pickle.load(sys.stdin.buffer)(3)))
"""

KINDS = {
    "a NewType": (
        """
from typing import NewType
from weakref import WeakKeyDictionary, WeakValueDictionary
Base = NewType("Base", int)
UserId = NewType("UserId", Base)
def predictor(x: UserId) -> UserId:
    return [UserId(x), UserId.__supertype__ is Base, UserId.__module__]
""",
        [3, True, "__main__"],
    ),
    "a TypeVarTuple": (
        """
from typing import Generic, TypeVarTuple, Unpack
Shape = TypeVarTuple("Shape")
class Array(Generic[Unpack[Shape]]):
    pass
def predictor(x: Array[Unpack[Shape]]):
    return [Shape.__name__, Shape.__module__]
""",
        ["Shape", "__main__"],
    ),
    "a used cached_property": (
        """
from functools import cached_property
class Table:
    @cached_property
    def rows(self):
        "How many."
        return [7]
table = Table()
table.rows.append(8)
def predictor(x):
    return [table.rows, Table().rows, Table.rows.__doc__]
""",
        [[7, 8], [7], "How many."],
    ),
    "a called function of singledispatch": (
        """
from functools import singledispatch
class Own: pass
@singledispatch
def predictor(x):
    return "any"
@predictor.register
def _(x: int):
    return [predictor("text"), predictor(Own())]
@predictor.register
def _(x: Own):
    return "own"
predictor(2)
""",
        ["any", "own"],
    ),
    "a method of singledispatch": (
        """
from functools import singledispatchmethod
class Model:
    @singledispatchmethod
    def score(self, x):
        return "any"
    @score.register
    def _(self, x: int):
        return x + 1
model = Model()
model.score(1)
def predictor(x):
    return [model.score(x), model.score("a")]
""",
        [4, "any"],
    ),
    "ContextVars with a default, a value and neither": (
        """
from contextvars import ContextVar
scale = ContextVar("scale", default=2)
offset = ContextVar("offset", default=1)
offset.set(10)
empty = ContextVar("empty")
def predictor(x):
    token = empty.set(x)
    got = [scale.get() * x + offset.get(), empty.get()]
    empty.reset(token)
    return got + [empty.get(None)]
""",
        [16, 3, None],
    ),
    "a JSON decoder with options, and a subclass": (
        """
import json
class Own(json.JSONDecoder):
    pass
plain = json.JSONDecoder(parse_float=str)
own = Own(object_pairs_hook=list)
def predictor(x):
    return [plain.decode("[1.50, 2]"), own.decode('{"a": 1}')]
""",
        [["1.50", 2], [["a", 1]]],
    ),
    "a compiled structure": (
        """
import struct
point = struct.Struct("<2h")
def predictor(x):
    return list(point.unpack(point.pack(x, x)))
""",
        [3, 3],
    ),
    "SystemRandom": (
        """
import random
source = random.SystemRandom()
def predictor(x):
    return 0 <= source.random() < 1
""",
        True,
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_objects_of_the_notebook_can_be_loaded(register, monkeypatch, kind):
    source, expected = KINDS[kind]
    register()
    names = names_of(source)
    for name, value in names.items():
        monkeypatch.setattr("__main__." + name, value, raising=False)
    pickled = cloudpickle.dumps(names["predictor"])
    done = subprocess.run(
        [sys.executable, "-c", LOAD], input=pickled, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout) == expected


def test_a_context_variable_of_a_library_is_pickled_by_reference(register, monkeypatch):
    register()
    level = ContextVar("level", default=1)
    monkeypatch.setattr(http.cookies, "level", level, raising=False)
    assert pickle.loads(cloudpickle.dumps(level)) is level


REFUSED = {
    "a nested ContextVar": ContextVar("part"),
    "a dictionary with weak keys": WeakKeyDictionary({ContextVar: "x"}),
    "a dictionary with weak keys and its method": (
        kept := WeakKeyDictionary({ContextVar: "x"}),
        kept.clear,
    ),
    "a dictionary with weak values": WeakValueDictionary({"x": ContextVar}),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_objects_that_would_lose_state_are_rejected(register, kind):
    register()
    with pytest.raises(TypeError, match="cannot pickle"):
        cloudpickle.dumps(REFUSED[kind])


def test_modules_without_attributes_are_skipped(register, monkeypatch):
    register()
    monkeypatch.setitem(sys.modules, "absent", None)
    monkeypatch.setattr("__main__.level", level := ContextVar("level", default=1), raising=False)
    assert pickle.loads(cloudpickle.dumps(level)).get() == 1


def test_an_object_of_a_module_is_pickled_by_reference(register, monkeypatch):
    register()
    made = NewType("made", int)
    made.__module__ = "http.cookies"
    monkeypatch.setattr(http.cookies, "made", made, raising=False)
    assert pickle.loads(cloudpickle.dumps(made)) is made
