"""Classes that a library may register when they are created."""

import pytest

from nachlass_builder.notebook.notebook import read_notebook
from nachlass_builder.notebook.registered_classes import registered_classes
from support.cells import write_notebook

IMPORTS = """# %%
import abc, enum, jax
import equinox as eqx
from dataclasses import dataclass
from abc import ABC as Base
from jax.tree_util import register_pytree_node_class, Tree
from sklearn.base import BaseEstimator
# %%
def own(kind):
    return kind
class Meta(type):
    pass
# %%
"""


@pytest.fixture
def found(tmp_path):
    def found(source):
        write_notebook(tmp_path / "model.ipynb", IMPORTS + source)
        classes = registered_classes(read_notebook(tmp_path, "model.ipynb"))
        return [(one.name, str(one.place), one.by) for one in classes]

    return found


@pytest.mark.parametrize(
    ("source", "by"),
    [
        ("@register_pytree_node_class\nclass P: pass", "register_pytree_node_class"),
        (
            "@jax.tree_util.register('p', 1)\n@dataclass\nclass P: pass",
            "jax.tree_util.register('p', 1)",
        ),
        ("class P(eqx.Module): pass", "eqx.Module"),
        ("class P(Tree[int]): pass", "Tree[int]"),
        ("class P(Base, metaclass=Meta): pass", "Meta"),
        ("class P(BaseEstimator): pass", "BaseEstimator"),
    ],
)
def test_classes_that_a_library_can_register_are_found(found, source, by):
    line = source[: source.index("class P")].count("\n") + 1
    assert found(source) == [("P", f"model.ipynb, cell 3, line {line}", by)]


@pytest.mark.parametrize(
    "source",
    [
        "class P: pass",
        "@dataclass(frozen=True)\nclass P: pass",
        "@own\nclass P: pass",
        "class P(Base, metaclass=abc.ABCMeta): pass",
        "class P(enum.Enum): A = 1",
        "class Q: pass\nclass P(Q): pass",
        "@(lambda kind: kind)\nclass P: pass",
        "if True:\n    @register_pytree_node_class\n    class P: pass",
    ],
)
def test_classes_of_python_and_of_the_notebook_are_ignored(found, source):
    assert found(source) == []
