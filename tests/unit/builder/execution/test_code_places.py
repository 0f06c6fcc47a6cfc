"""Locations in the notebook in pickled code, with any version of cloudpickle."""

import pickle
import subprocess
import sys
from types import CodeType

import cloudpickle
import pytest

from nachlass_builder.packages.provided import Provided
from nachlass_builder.slim.references import References
from support.pickled import CELL, names_of

NOTEBOOK = """
import contextlib, dataclasses, functools

def fail(x):
    return 1 / 0

def nested(x):
    def inner(y):
        return [fail(z) for z in y]
    return inner([x])

anonymous = lambda x: fail(x)

class Scorer:
    limit = property(lambda self: fail(0))
    def score(self, x):
        return fail(x)
    @staticmethod
    def plain(x):
        return fail(x)

def of_a_class(x):
    return Scorer().score(x)

def of_a_property(x):
    return Scorer().limit

method = Scorer().score

def make():
    rate = 2
    def predictor(x):
        return fail(x * rate)
    return predictor

closure = make()

def generate(x):
    yield fail(x)

def generator(x):
    return list(generate(x))

def decorate(function):
    @functools.wraps(function)
    def wrapper(x):
        return function(x)
    return wrapper

@decorate
def decorated(x):
    return fail(x)

@functools.lru_cache
def cached(x):
    return fail(x)

partial = functools.partial(fail)

@contextlib.contextmanager
def managed():
    yield fail(0)

def manager(x):
    with managed():
        pass

@dataclasses.dataclass
class Row:
    x: int
    def __post_init__(self):
        fail(self.x)

def of_a_dataclass(x):
    return Row(x)
"""

PREDICTORS = (
    "fail nested anonymous of_a_class of_a_property method closure generator decorated cached "
    "partial manager of_a_dataclass"
)

LOAD = """
import pickle, sys, traceback
assert not any("nachlass" in name for name in sys.modules)
try:
    pickle.load(sys.stdin.buffer)(1)
except ZeroDivisionError as error:
    for frame in traceback.extract_tb(error.__traceback__)[1:]:
        print(frame.filename, frame.lineno)
"""


@pytest.mark.parametrize("predictor", PREDICTORS.split())
def test_tracebacks_of_loaded_code_point_to_the_notebook(register, predictor):
    register()
    pickled = cloudpickle.dumps(names_of(NOTEBOOK)[predictor])
    done = subprocess.run(
        [sys.executable, "-c", LOAD], input=pickled, capture_output=True, check=True
    )
    frames = [line.split() for line in done.stdout.decode().splitlines()]
    assert frames[-1] == [CELL, "5"]
    others = {file for file, _line in frames if "/contextlib.py" not in file}
    # dataclasses generate a method without a location.
    assert others <= {CELL, "<string>", "<dynamic-code>"}


def test_code_is_otherwise_unchanged(keep_places):
    keep_places()
    function = names_of(NOTEBOOK)["nested"]
    loaded = pickle.loads(cloudpickle.dumps(function))
    assert loaded.__code__ == function.__code__
    assert loaded.__code__.co_consts == function.__code__.co_consts


def test_functions_still_share_their_code(keep_places):
    keep_places()
    make = names_of(NOTEBOOK)["make"]
    first, second = pickle.loads(cloudpickle.dumps((make(), make())))
    assert first.__code__ is second.__code__


def test_other_code_is_left_to_cloudpickle(keep_places):
    function = names_of(NOTEBOOK, "/the/build/helpers.py")["closure"]
    before = cloudpickle.dumps(function)
    keep_places()
    assert len(cloudpickle.dumps(function)) == len(before)


def test_a_file_name_is_pickled_once_and_each_code_object_adds_few_bytes(keep_places):
    source = "\n".join(f"def f{number}(x): return x + {number}" for number in range(100))
    functions = [value for name, value in names_of(source).items() if name.startswith("f")]
    before = len(cloudpickle.dumps(functions))
    keep_places()
    keep_places()  # a second call has no effect
    pickled = cloudpickle.dumps(functions)
    assert len(pickled) - before < 200 + 10 * len(functions)
    assert b"nachlass_kernel" not in pickled


def test_references_are_still_found(keep_places, tmp_path):
    source = """
import json
TABLE = {"engine": "pytest"}
def f(x):
    def inner(y):
        import pytest, cloudpickle
        return TABLE, json
    return inner(x)
"""
    provided = Provided({})
    found = []
    for _ in range(2):
        seen = Recorder(provided, [])
        (tmp_path / "model.pickle").write_bytes(cloudpickle.dumps(names_of(source)["f"]))
        seen.read_bundle(tmp_path)
        found.append(seen)
        keep_places()
    without, kept = found
    assert {"pytest", "cloudpickle", "json"} <= without.modules <= kept.modules
    assert kept.modules - without.modules <= {"functools", "operator", "_operator"}
    assert without.strings <= kept.strings
    assert "engine" in kept.strings


class Recorder(References):
    """References that record all modules and strings."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.modules, self.strings = set(), set()

    def add(self, module, taken=()):
        self.modules |= {module, *taken}
        super().add(module, taken)

    def add_strings(self, value, *depth):
        if isinstance(value, str):
            self.strings.add(value)
        super().add_strings(value, *depth)


def test_an_incompatible_cloudpickle_is_left_unchanged(keep_places, monkeypatch):
    from nachlass_kernel import code_places

    monkeypatch.setattr(code_places, "_reduce_bare", None)
    before = cloudpickle.Pickler.dispatch_table[CodeType]
    keep_places()
    assert cloudpickle.Pickler.dispatch_table[CodeType] is before
