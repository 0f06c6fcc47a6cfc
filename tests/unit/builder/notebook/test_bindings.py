"""The names that a cell's code binds, compared with Python itself."""

import ast
import dis
import inspect

import pytest

from nachlass_builder.notebook.bindings import (
    DYNAMIC_CALLS,
    binds_unseen,
    names_bound,
    names_changed,
    takes_one_argument,
)


def bound_by_python(source):
    """Return the names that compiled code stores at the top level, without those Python adds."""
    code = compile(source, "<cell>", "exec")
    stored = {one.argval for one in dis.get_instructions(code) if one.opname == "STORE_NAME"}
    return {name for name in stored if not name.startswith("__")}


@pytest.mark.parametrize(
    "source",
    [
        "a = b",
        "a, *b = c, (d, [e]) = f",
        "a.b = c[d] = e",
        "a += b",
        "a: int = 1",
        "def a(b=1):\n    d = e",
        "@b\ndef a(): pass",
        "async def a(): pass",
        "class a(b):\n    c = d",
        "import a, b.c, d.e as f",
        "from a import b, c as d",
        "if a:\n    b = 1\nelif c:\n    d = 1\nelse:\n    e = 1",
        "for a in b:\n    c = 1\nelse:\n    d = 1",
        "while (a := b):\n    c = 1",
        "with a as b, c as (d, e):\n    f = 1",
        "try:\n    a = 1\nexcept b:\n    c = 1\nelse:\n    d = 1\nfinally:\n    e = 1",
        "match a:\n    case 1:\n        b = 1\n    case _:\n        c = 1",
        "a = [b for b in c]",
        "a = {b: c for b, c in d if b}",
        "a = [[b for b in c] for c in d]",
        "a = {b for b in (c for c in d)}",
        "a = lambda b: (c := b)",
        "f(a := 1)[(b := 2)]",
        "print(a)",
        "",
    ],
)
def test_the_bound_names_match_those_of_python(source):
    assert {name for name, _ in names_bound(ast.parse(source))} == bound_by_python(source)


def test_a_comprehension_binds_only_walrus_targets():
    source = "a = [(b := c) for c in e if (f := c)]"
    assert {name for name, _ in names_bound(ast.parse(source))} == {"a", "b", "f"}


def test_names_are_in_source_order():
    source = "a = 1\nif x:\n    b = 1\n    with y as c:\n        d = 1\ndef e(): pass\nimport f"
    found = [(name, node.lineno) for name, node in names_bound(ast.parse(source))]
    assert found == [("a", 1), ("b", 3), ("c", 4), ("d", 5), ("e", 6), ("f", 7)]


@pytest.mark.parametrize(
    "parameters",
    [
        "",
        "x",
        "x, /",
        "x=1",
        "x, y",
        "x, y=1",
        "x, /, y",
        "x, /, y=1",
        "x=1, y=1",
        "*xs",
        "x, *xs",
        "x, y, *xs",
        "**kw",
        "x, **kw",
        "*, k",
        "*, k=1",
        "x, *, k",
        "x, *, k=1",
        "x, *, j=1, k",
        "*xs, k",
        "*xs, k=1",
    ],
)
def test_a_function_takes_one_argument_if_python_can_call_it_with_one(parameters):
    source = f"def function({parameters}): pass"
    scope = {}
    exec(source, scope)
    try:
        inspect.signature(scope["function"]).bind(object())
        can_be_called = True
    except TypeError:
        can_be_called = False
    assert takes_one_argument(ast.parse(source).body[0]) is can_be_called


@pytest.mark.parametrize(
    "source",
    [
        *(f"{function}(x)" for function in sorted(DYNAMIC_CALLS)),
        "if x:\n    from m import *",
        "def f():\n    exec(x)",
        "get_ipython().run_line_magic('run', 'other.py')",
        "get_ipython().run_line_magic('load', 'other.py')",
        "get_ipython().run_line_magic('pylab', '')",
        "get_ipython().run_line_magic('store', '-r')",
        "get_ipython().run_cell_magic('run', '', '')",
    ],
)
def test_code_that_can_bind_names_dynamically(source):
    assert binds_unseen(ast.parse(source))


@pytest.mark.parametrize(
    "source",
    [
        "",
        "from m import a",
        "import m",
        "x.exec(y)",
        "exec",
        "f('run')",
        "get_ipython().run_line_magic('time', 'x')",
        "get_ipython().run_line_magic()",
        "x.other_magic('run')",
        "'from m import *'",
    ],
)
def test_code_that_binds_no_names_dynamically(source):
    assert not binds_unseen(ast.parse(source))


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("a = b.c", {"a"}),
        ("a += b(c)", {"a"}),
        ("del a, b[0]", {"a", "b"}),
        ("a.append(b)", {"a"}),
        ("a.b.append(c)", set()),
        ("a[0][b] = c[1]", {"a"}),
        ("import a.b, c as d\nfrom e import f as g, h", {"a.b", "d", "g", "h"}),
        ("if a:\n    for b in c:\n        d.update(e)", {"b", "d"}),
        ("f(1)[0] = 2", set()),
        ("print(a)", set()),
    ],
)
def test_the_names_changed_by_a_statement(source, names):
    assert set().union(*map(names_changed, ast.parse(source).body)) == names
