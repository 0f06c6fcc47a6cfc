import pickle
import sys
import zipfile
from collections import Counter, OrderedDict, defaultdict, deque
from datetime import timedelta
from fractions import Fraction
from pathlib import PurePosixPath
from types import ModuleType

import cloudpickle
import pytest

from nachlass_builder.packages.installed import installed
from nachlass_builder.packages.provided import Provided, first_names
from nachlass_builder.slim import references
from nachlass_builder.slim.references import MAX_DEPTH, MAX_ENTRIES, MAX_NAME_LENGTH, References
from support.wheels import make_wheel

WHEELS = (
    {"name": "big-lib", "files": {"big_lib/__init__.py": "", "big_lib/core/deep.py": ""}},
    {"name": "top", "files": {"top.cpython-311-x86_64-linux-gnu.so": "", "_top/x.py": ""}},
    {"name": "near", "files": {"ns/near/__init__.py": ""}},
    {"name": "far", "files": {"ns/far.py": "", "ns/far-data.py": "", "far.data/x.py": ""}},
    {"name": "plugin", "entry_points": "[some.group]\na = plugin\n[other.group]\nb = plugin\n"},
    {"name": "twin", "files": {"shared/__init__.py": "", "twin.py": ""}},
    {"name": "blobs", "files": {"space/blobs/lib/blob.so.2": "", "space/blobs/include/b.h": ""}},
    {"name": "sibling", "files": {"shared/__init__.py": "", "sibling.py": ""}},
)


@pytest.fixture(scope="module")
def provided(tmp_path_factory):
    folder = tmp_path_factory.mktemp("provided")
    site = folder / "site-packages"
    for wheel in WHEELS:
        with zipfile.ZipFile(make_wheel(folder / "wheels", **wheel)) as archive:
            archive.extractall(site)
    return Provided(installed(site))


@pytest.fixture
def read(provided, tmp_path):
    """Return a function that writes a bundle's pickle and modules, and finds their references."""

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
    """Return a notebook's function, which is pickled by value."""
    names = {"__name__": "__main__"}
    exec(text, names)
    return names["f"]


def test_modules_are_found_by_their_own_names(provided):
    assert provided.modules["big-lib"] == ("big_lib",)
    assert provided.modules["top"] == ("_top.x", "top")
    assert provided.modules["near"] == ("ns.near",)
    assert provided.modules["far"] == ("ns.far",)
    assert provided.modules["blobs"] == ("space.blobs.include", "space.blobs.lib")
    assert provided.owners("space.blobs.lib") == {"blobs"}
    assert provided.owners("big_lib.core.deep") == {"big-lib"}
    assert provided.owners("big_library") == set()
    assert provided.owners("ns") == set()
    assert provided.owners("ns.near.inner") == {"near"}
    assert provided.owners("shared.x") == {"twin", "sibling"}
    assert provided.below("ns") == {"near", "far"}
    assert provided.sizes["big-lib"] > 0


def test_first_names_omit_names_below_another():
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
def test_a_string_can_name_distributions(provided, text, meant):
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


def test_an_import_after_many_names_is_found(read):
    names = ", ".join(f"name{number}" for number in range(300))
    text = f"def f(x):\n    from ns.far import {names}\n    from ns.near import a"
    assert read(function(text)).imports == {"near", "far"}


def test_strings_in_code_globals_closures_and_objects_are_found(read):
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


def test_local_modules_are_followed(read):
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


def test_nothing_in_the_pickle_is_executed(read, tmp_path):
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


# Strings.


@pytest.fixture
def named(provided):
    """Return a function that finds the distributions named by the strings in a value."""

    def name(value):
        found = References(provided, [])
        found.add_strings(value)
        assert found.imports == set()
        return found.named

    return name


@pytest.mark.parametrize(
    "value",
    [
        "top",
        ("top",),
        ["top"],
        {"top"},
        frozenset({"top"}),
        {"top": 1},
        {1: "top"},
        [1, None, {"a": [("b", {"top"})]}],
    ],
)
def test_strings_are_found_in_containers(named, value):
    assert named(value) == {"top"}


@pytest.mark.parametrize("value", [b"top", 1, None, object(), deque(["top"]), "big_lib top"])
def test_strings_are_found_nowhere_else(named, value):
    assert named(value) == set()


def test_a_string_can_be_as_long_as_a_name(tmp_path):
    for name, letters in (("just", "m" * MAX_NAME_LENGTH), ("long", "n" * (MAX_NAME_LENGTH + 1))):
        wheel = make_wheel(tmp_path / "wheels", name=name, files={f"{letters}.py": ""})
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(tmp_path / "site")
    found = References(Provided(installed(tmp_path / "site")), [])
    found.add_strings(["m" * MAX_NAME_LENGTH, "n" * (MAX_NAME_LENGTH + 1)])
    assert found.named == {"just"}


def test_the_depth_of_the_search_is_limited(named):
    def nested(depth):
        value = "top"
        for _ in range(depth):
            value = [value]
        return value

    assert named(nested(MAX_DEPTH)) == {"top"}
    assert named(nested(MAX_DEPTH + 1)) == set()


def test_the_number_of_searched_entries_is_limited(named):
    assert named([0] * (MAX_ENTRIES - 1) + ["top"]) == {"top"}
    assert named([0] * MAX_ENTRIES + ["top"]) == set()


def test_the_number_of_searched_containers_is_limited(named, monkeypatch):
    monkeypatch.setattr(references, "MAX_CONTAINERS", 10)
    assert named([[] for _ in range(8)] + [["top"]]) == {"top"}
    assert named([[] for _ in range(12)] + [["top"]]) == set()


def test_a_container_can_contain_itself(named):
    value = ["top"]
    value += [value, value]
    assert named(value) == {"top"}


# Imports.


@pytest.mark.parametrize(
    ("module", "imported_names", "imports"),
    [
        ("top", (), {"top"}),
        ("ns", ("near",), {"near"}),
        ("ns", ("near", "far"), {"near", "far"}),
        ("ns", ("other",), {"near", "far"}),
        ("ns", (), {"near", "far"}),
        ("big_lib", ("twin",), {"big-lib"}),
        ("json", ("top",), set()),
    ],
)
def test_an_import_refers_to_a_module_or_to_its_imported_names(
    provided, module, imported_names, imports
):
    found = References(provided, [])
    found.add(module, imported_names)
    assert (found.imports, found.named) == (imports, set())


def test_installed_modules_take_precedence_over_local_ones(provided, tmp_path):
    (tmp_path / "top.py").write_text("import twin")
    (tmp_path / "own.py").write_text("import sibling")
    found = References(provided, [tmp_path])
    found.add("top")
    assert found.imports == {"top"}
    found.add("own")
    assert found.imports == {"top", "sibling"}


def test_modules_are_read_from_every_folder_of_the_source(provided, tmp_path):
    for folder, text in (("a", "import top"), ("b", "import twin")):
        (tmp_path / folder / "pack").mkdir(parents=True)
        (tmp_path / folder / "pack/inner.py").write_text(text)
    (tmp_path / "b/pack/__init__.py").write_text("from .near import x\nfrom .. import y")
    (tmp_path / "b/pack/near.py").write_text("import ns.far")
    found = References(provided, [tmp_path / "a", tmp_path / "b"])
    found.add("pack.inner")
    assert found.imports == {"top", "twin", "far"}


def test_names_imported_from_a_module_are_not_strings(provided, tmp_path):
    (tmp_path / "own.py").write_text("from json import top\nENGINE = 'twin'")
    found = References(provided, [tmp_path])
    found.add("own")
    assert (found.imports, found.named) == (set(), {"twin"})


def test_an_import_after_many_names_keeps_its_own_names(read):
    names = ", ".join(f"name{number}" for number in range(300))
    text = f"def f(x):\n    from json import {names}\n    from ns import near"
    assert read(function(text)).imports == {"near"}


def test_functions_of_a_package_can_import_from_it(read):
    modules = {
        "tools/__init__.py": "",
        "tools/scoring.py": "def g():\n    def h():\n        from .inner import x",
        "tools/inner.py": "import top",
    }
    assert read(function("def f(x):\n    import tools.scoring"), modules).imports == {"top"}


def test_a_nested_package_can_import_from_itself(read):
    modules = {
        "tools/__init__.py": "",
        "tools/deep/__init__.py": "from . import leaf\nfrom ..near import x",
        "tools/deep/leaf.py": "import top",
        "tools/near.py": "import twin",
    }
    found = read(function("def f(x):\n    import tools.deep"), modules)
    assert found.imports == {"top", "twin"}


def test_annotations_of_a_module_are_not_strings(read):
    found = read(function("def f(x):\n    import own"), {"own.py": "def g(a: top) -> top: pass"})
    assert (found.imports, found.named) == (set(), set())


# Pickles.


@pytest.fixture
def unpickled(provided, tmp_path):
    """Return a function that finds the references of a pickle."""

    def read(text):
        (tmp_path / "model.pickle").write_bytes(text)
        found = References(provided, [])
        found.read_bundle(tmp_path)
        return found.imports, found.named

    return read


def test_the_module_of_a_class_counts_as_imported(unpickled):
    assert unpickled(b"cbig_lib.core.deep\nThing\n.") == ({"big-lib"}, set())


@pytest.mark.parametrize(
    ("module", "name", "argument", "found"),
    [
        ("cloudpickle.cloudpickle", "subimport", "top", ({"top"}, set())),
        ("cloudpickle", "subimport", "top", ({"top"}, set())),
        ("cloudpickle.cloudpickle", "_builtin_type", "top", (set(), set())),
        ("cloudpickle.cloudpickle", "other", "top", (set(), {"top"})),
        ("big_lib", "subimport", "top", ({"big-lib"}, {"top"})),
        ("big_lib", "_builtin_type", "top", ({"big-lib"}, {"top"})),
    ],
)
def test_only_calls_of_cloudpickle_import_modules(unpickled, module, name, argument, found):
    assert unpickled(f"c{module}\n{name}\n(S'{argument}'\ntR.".encode()) == found


@pytest.mark.parametrize("text", [b"Ptop\n.", b"S'top'\nQ.", b"Ptop\n(S'twin'\ntR."])
def test_persistent_ids_are_replaced_by_a_placeholder(unpickled, text):
    assert unpickled(text) == (set(), {"twin"} if b"twin" in text else set())


def test_a_type_made_by_cloudpickle_is_a_placeholder(unpickled):
    text = b"ccloudpickle.cloudpickle\n_builtin_type\n(S'ModuleType'\ntR(S'twin'\ntR."
    assert unpickled(text) == (set(), {"twin"})


def test_every_part_of_an_object_is_searched(unpickled, monkeypatch):
    module = ModuleType("big_lib")
    text = """
class Whole(list):
    def __reduce__(self):
        items = iter([("ns.far", "twin")])
        return Whole, ("top",), {"group": "some.group"}, iter(["ns.near", "x"]), items

class New:
    def __new__(cls, *args, **kwargs):
        return object.__new__(cls)
    def __getnewargs_ex__(self):
        return ("top",), {"ns.far": "twin"}
"""
    exec(text, module.__dict__)
    monkeypatch.setitem(sys.modules, "big_lib", module)
    whole, new = pickle.dumps(module.Whole()), pickle.dumps(module.New())
    assert unpickled(whole) == ({"big-lib"}, {"top", "plugin", "near", "far", "twin"})
    assert unpickled(new) == ({"big-lib"}, {"top", "far", "twin"})


def test_a_pipeline_needs_the_library_that_chains_its_stages(tmp_path):
    files = {"sklearn/__init__.py": "", "sklearn/pipeline.py": ""}
    wheel = make_wheel(tmp_path / "wheels", name="scikit-learn", files=files)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    provided = Provided(installed(tmp_path / "site"))
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(None))
    alone, stages = References(provided, []), References(provided, [])
    alone.read_bundle(tmp_path)
    (tmp_path / "stages.json").write_text('[["a.ipynb", "model.pickle"]]')
    stages.read_bundle(tmp_path)
    assert (alone.imports, stages.imports) == (set(), {"scikit-learn"})
