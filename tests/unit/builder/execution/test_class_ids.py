"""The ids of classes in pickles are the same in every run."""

import pickle
import re

import cloudpickle
import pytest

from nachlass_builder.execution.kernel_process import IN_KERNEL

ID = re.compile(rb"nachlass-[0-9a-f]{23}")


@pytest.fixture
def settle(monkeypatch):
    """The kernel's functions, in a process that is no kernel."""
    monkeypatch.syspath_prepend(str(IN_KERNEL))
    from nachlass_kernel import class_ids

    return class_ids


def pickled(rate=2):
    """A pickle of two new classes, which hold each other."""

    class Scorer:
        def score(self, x):
            return x * rate

    class Model:
        scorer = Scorer

        def predict(self, x):
            return self.scorer().score(x)

    Scorer.__module__ = Model.__module__ = "__main__"
    return cloudpickle.dumps((Model, Scorer))


def test_pickles_of_equal_classes_are_equal(settle):
    first, second = pickled(), pickled()
    assert first != second
    assert settle.settle_class_ids(first) == settle.settle_class_ids(second)
    assert len(set(ID.findall(settle.settle_class_ids(first)))) == 2


def test_classes_that_differ_share_no_id(settle):
    first, second = settle.settle_class_ids(pickled()), settle.settle_class_ids(pickled(rate=3))
    assert not set(ID.findall(first)) & set(ID.findall(second))
    (one, _), (other, _) = pickle.loads(first), pickle.loads(second)
    assert (one().predict(1), other().predict(1)) == (2, 3)


def test_classes_of_an_earlier_pickle_keep_their_ids(settle):
    first = settle.settle_class_ids(pickled())
    again = settle.settle_class_ids(cloudpickle.dumps(pickle.loads(first)))
    assert set(ID.findall(again)) == set(ID.findall(first))


def test_what_has_no_classes_is_left_alone(settle, tmp_path):
    pickled()
    for other in (b"", cloudpickle.dumps([1, "a" * 32]), pickle.dumps({"a": 1.5})):
        assert settle.settle_class_ids(other) == other
        path = tmp_path / "stage.sav"
        path.write_bytes(other)
        settle.settle_file(path)
        assert path.read_bytes() == other


def test_a_file_is_settled(settle, tmp_path):
    path = tmp_path / "stage.sav"
    path.write_bytes(pickled())
    settle.settle_file(path)
    assert ID.search(path.read_bytes())
    model, scorer = pickle.loads(path.read_bytes())
    assert model.scorer is scorer
