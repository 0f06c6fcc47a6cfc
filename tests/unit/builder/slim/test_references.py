import pickle
import zipfile
from collections import Counter, OrderedDict, defaultdict, deque
from datetime import timedelta
from fractions import Fraction
from pathlib import PurePosixPath

import cloudpickle
import pytest

from nachlass_builder.packages.installed import installed
from nachlass_builder.packages.provided import Provided, first_names
from nachlass_builder.slim.references import References
from support.wheels import make_wheel

WHEELS = (
    {"name": "big-lib", "files": {"big_lib/__init__.py": "", "big_lib/core/deep.py": ""}},
    {"name": "top", "files": {"top.cpython-311-x86_64-linux-gnu.so": "", "_top/x.py": ""}},
    {"name": "near", "files": {"ns/near/__init__.py": ""}},
    {"name": "far", "files": {"ns/far.py": "", "ns/far-data.py": "", "far.data/x.py": ""}},
    {"name": "plugin", "entry_points": "[some.group]\na = plugin\n[other.group]\nb = plugin\n"},
    {"name": "twin", "files": {"shared/__init__.py": "", "twin.py": ""}},
    {"name": "sibling", "files": {"shared/__init__.py": "", "sibling.py": ""}},
)


@pytest.fixture
def provided(tmp_path):
    site = tmp_path / "site-packages"
    for wheel in WHEELS:
        with zipfile.ZipFile(make_wheel(tmp_path / "wheels", **wheel)) as archive:
            archive.extractall(site)
    return Provided(installed(site))


@pytest.fixture
def read(provided, tmp_path):
    """Write a bundle's pickle and the repository's modules; what they refer to."""

    def read(value, modules=(), protocol=None):
        source = tmp_path / "src"
        for name, text in dict(modules).items():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_text(text)
        (tmp_path / "model.pickle").write_bytes(cloudpickle.dumps(value, protocol=protocol))
        found = References(provided, [source])
        found.read_bundle(tmp_path)
        return found

    return read


def function(text):
    """A function of a notebook, which is pickled by value."""
    names = {"__name__": "__main__"}
    exec(text, names)
    return names["f"]


def test_modules_are_known_by_their_own_names(provided):
    assert provided.modules["big-lib"] == ("big_lib",)
    assert provided.modules["top"] == ("_top.x", "top")
    assert provided.modules["near"] == ("ns.near",)
    assert provided.modules["far"] == ("ns.far",)
    assert provided.owners("big_lib.core.deep") == {"big-lib"}
    assert provided.owners("big_library") == set()
    assert provided.owners("ns") == set()
    assert provided.owners("ns.near.inner") == {"near"}
    assert provided.owners("shared.x") == {"twin", "sibling"}
    assert provided.below("ns") == {"near", "far"}
    assert provided.sizes["big-lib"] > 0


def test_first_names_leave_out_what_is_below_another():
    assert first_names({"a", "a.b", "ab", "c.d.e", "c.d.e.f"}) == ("a", "ab", "c.d.e")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("big_lib", {"big-lib"}),
        ("big_lib.core", {"big-lib"}),
        ("Big.Lib", {"big-lib"}),
        ("some.group", {"plugin"}),
        ("ns", set()),
        ("a big_lib", set()),
        ("", set()),
        (".", set()),
    ],
)
def test_what_a_string_may_mean(provided, text, meant):
    assert provided.meant_by(text) == meant


@pytest.mark.parametrize(
    ("text", "imports"),
    [
        ("def f(x):\n    import big_lib", {"big-lib"}),
        ("def f(x):\n    import big_lib.core.deep as d", {"big-lib"}),
        ("def f(x):\n    from ns import near", {"near"}),
        ("def f(x):\n    from ns.far import anything", {"far"}),
        ("def f(x):\n    import ns", {"near", "far"}),
        ("def f(x):\n    import top", {"top"}),
        ("f = lambda x: (lambda: __import__('json'))()", set()),
        ("def f(x):\n    class A:\n        import top\n        g = lambda s: 1", {"top"}),
        ("def f(x):\n    def g():\n        import ns.far\n    return g", {"far"}),
        ("def f(x):\n    if x:\n        import top\n    import twin", {"top", "twin"}),
        ("def f(x):\n    return [y for y in x if __import__]", set()),
        ("def f(x):\n    import no_such_module, json", set()),
    ],
)  # fmt: skip
def test_imports_are_read_from_bytecode(read, text, imports):
    found = read((None, function(text)))
    assert (found.imports, found.named) == (imports, set())


def test_many_names_before_an_import(read):
    names = ", ".join(f"name{number}" for number in range(300))
    text = f"def f(x):\n    from ns.far import {names}\n    from ns.near import a"
    assert read(function(text)).imports == {"near", "far"}


def test_strings_in_code_globals_closures_and_objects(read):
    text = """
TABLE = [{"deep": ("big_lib", 1)}]

class Holder:
    def __init__(self):
        self.engine = "top"

holder = Holder()

def outer(group="some.group"):
    engine = "ns.far"
    def f(x, other={"twin": None}):
        return TABLE, holder, engine, group, x in ("ns.near", "b")
    return f

f = outer()
"""
    found = read(function(text))
    assert found.named == {"big-lib", "top", "plugin", "far", "twin", "near"}
    assert found.imports == set()


def test_modules_of_the_repository_are_followed(read):
    modules = {
        "tools/__init__.py": "from . import scoring",
        "tools/scoring.py": "from .inner import base\nimport circle",
        "tools/inner/base.py": "from ... import above_the_top\nfrom ..lazy import x",
        "tools/lazy.py": "def g():\n    import big_lib\nNAME = 'ns.near'",
        "circle.py": "import tools, circle, ns.far",
        "unused.py": "import top",
        "broken.py": "import twin\n(",
    }
    found = read(function("def f(x):\n    import tools.scoring, broken"), modules)
    assert (found.imports, found.named) == ({"big-lib", "far"}, {"near"})


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_nothing_in_the_pickle_is_run(read, tmp_path):
    read([Evil(str(tmp_path / "evil"))])
    assert not (tmp_path / "evil").exists()


class Plain:
    pass


class Sub(dict):
    pass


def everything():
    plain = Plain()
    plain.me = plain
    sub = Sub(a=plain)
    sub.more = {plain, Fraction(1, 3)}
    standard = [Counter("aab"), OrderedDict(a=1), defaultdict(list, a=[1]), deque([1, plain])]
    return [*standard, plain, sub, timedelta(1), PurePosixPath("a"), b"x", 1.5j]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_objects_of_all_kinds_are_read(provided, tmp_path, protocol):
    text = pickle.dumps(everything(), protocol=protocol)
    (tmp_path / "model.pickle").write_bytes(text)
    References(provided, []).read_bundle(tmp_path)


def test_a_pipeline_is_read_stage_by_stage(provided, tmp_path):
    (tmp_path / "stages.json").write_text('[["a.ipynb", "a.sav"], ["b.ipynb", "b.sav"]]')
    for name, module in (("a", "top"), ("b", "big_lib")):
        stage = cloudpickle.dumps(function(f"def f(x):\n    import {module}"))
        (tmp_path / f"{name}.sav").write_bytes(stage)
    found = References(provided, [])
    found.read_bundle(tmp_path)
    assert found.imports == {"top", "big-lib"}
