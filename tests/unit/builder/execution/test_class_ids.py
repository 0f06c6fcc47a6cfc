"""The ids of classes in pickles are the same in every run."""

import pickle
import sys

import cloudpickle
import pytest

from nachlass_builder.execution.kernel_process import IN_KERNEL
from support.forked import in_child

MODULE = cloudpickle.cloudpickle


@pytest.fixture
def name_classes(monkeypatch):
    """Return the kernel's function, for use without a kernel; undo its changes after the test."""
    monkeypatch.syspath_prepend(str(IN_KERNEL))
    random = MODULE._get_or_create_tracker_id
    for module in {MODULE, sys.modules[cloudpickle.Pickler.__module__]}:
        monkeypatch.setattr(module, "_get_or_create_tracker_id", random)
    from nachlass_kernel import class_ids

    def name(built):
        MODULE._get_or_create_tracker_id = random
        class_ids.name_classes(built)

    return name


def classes(rate=2):
    """Return two new classes, one of which refers to the other."""

    class Scorer:
        def score(self, x):
            return x * rate

    class Model:
        scorer = Scorer

    Scorer.__module__ = Model.__module__ = "__main__"
    return Model, Scorer


def ids(made):
    return [MODULE._DYNAMIC_CLASS_TRACKER_BY_CLASS[one] for one in made]


def test_pickles_of_equal_classes_are_equal(name_classes):
    pickled = []
    for _ in range(2):
        MODULE._DYNAMIC_CLASS_TRACKER_BY_ID.clear()  # as in a new kernel
        name_classes("a build")
        pickled.append(cloudpickle.dumps(classes()))
    assert pickled[0] == pickled[1]
    name_classes("another build")
    assert cloudpickle.dumps(classes()) != pickled[0]


def test_each_class_has_a_unique_and_stable_id(name_classes):
    name_classes("a build")
    first, second = classes(), classes()
    pickled = cloudpickle.dumps((first, second))
    assert len({*ids(first), *ids(second)}) == 4
    assert cloudpickle.dumps((first, second)) == pickled
    # Loading any pickle with them gives the same classes.
    assert pickle.loads(cloudpickle.dumps(first)) == first
    assert pickle.loads(cloudpickle.dumps([second[1]])) == [second[1]]


def test_a_forked_process_does_not_reuse_the_ids_of_its_parent(name_classes, tmp_path):
    name_classes("a build")
    mine = classes()
    in_child(lambda: (tmp_path / "theirs").write_bytes(cloudpickle.dumps(classes(rate=3))))
    cloudpickle.dumps(mine)
    theirs = pickle.loads((tmp_path / "theirs").read_bytes())
    assert theirs[1]().score(1) == 3
    assert mine[1]().score(1) == 2


def test_a_class_of_an_earlier_run_is_not_mistaken_for_another(name_classes):
    name_classes("a build")
    left = cloudpickle.dumps(classes(rate=5))
    MODULE._DYNAMIC_CLASS_TRACKER_BY_ID.clear()
    earlier = pickle.loads(left)
    name_classes("a build")
    mine = pickle.loads(cloudpickle.dumps(classes()))
    assert earlier[1]().score(1) == 5
    assert mine[1]().score(1) == 2
