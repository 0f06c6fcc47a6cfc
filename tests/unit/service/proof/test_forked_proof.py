"""A model loaded before a fork is called after it, in children that always exit."""

import os
import signal
import time
from types import SimpleNamespace

import pytest

from nachlass_service.proof import forked_proof
from nachlass_service.proof.forked_proof import ForkedProof
from support.forked import TIME_LIMIT_S, in_child


class Samples:
    """A bundle with two samples, each equal to its prediction."""

    random_fields = frozenset()

    def samples(self):
        return iter([(1, 1), (2, 2)])


def batches_differ(samples):
    raise ValueError(samples)


def proof(predict, as_a_batch=list):
    return ForkedProof(
        Samples(), SimpleNamespace(predict=predict, validate_and_predict_batch=as_a_batch)
    )


def killed(sample):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    ("predict", "problem"),
    [
        (lambda x: x, None),
        (lambda x: x + 1, "a forked worker's predictions differ"),
        (lambda x: 1 / 0, "a forked worker's predictions differ"),
        (killed, "a forked worker was killed by signal 9"),
    ],
)
def test_the_problem_is_reported(predict, problem):
    def check():
        tried = proof(predict)
        assert tried.problem(0.0, batch=False) == problem
        tried.end()

    in_child(check)


def test_a_hanging_child_is_waited_for_ten_times_as_long_as_the_parent_took(monkeypatch):
    monkeypatch.setattr(forked_proof, "ALLOWANCE_S", 0.0)

    def check():
        tried = proof(lambda x: time.sleep(TIME_LIMIT_S))
        problem = tried.problem(0.1, batch=False)
        assert problem == "a forked worker did not answer in time (limit 1 s)"
        tried.end()

    in_child(check)


def test_batches_are_tried_only_if_they_may_be_used():
    def check():
        for batch, problem in ((False, None), (True, "a forked worker's predictions differ")):
            tried = proof(lambda x: x, batches_differ)
            assert tried.problem(0.0, batch=batch) == problem
            tried.end()

    in_child(check)


@pytest.mark.parametrize(
    ("as_a_batch", "problem"),
    [
        (lambda samples: samples, None),
        (lambda samples: samples[::-1], "a forked worker's predictions differ"),
    ],
)
def test_batches_of_a_forked_process_are_compared(as_a_batch, problem):
    def check():
        tried = proof(lambda x: x, as_a_batch)
        assert tried.problem(0.0, batch=True) == problem
        tried.end()

    in_child(check)


def test_unused_children_exit():
    def check():
        proof(lambda x: x).end()
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, 0)

    in_child(check)


def test_children_exit_with_their_parent():
    read, write = os.pipe()

    def check():
        os.close(read)
        proof(lambda x: x)  # the children have the write end, too

    in_child(check)
    os.close(write)
    assert os.read(read, 1) == b""
    os.close(read)
