import pytest

from nachlass_service.base.errors import OverloadedError
from nachlass_service.scoring.admission import Admission, overloaded, queued_too_long


def test_calls_that_would_wait_beyond_the_limit_are_rejected():
    admission = Admission(limit_s=2)
    for _ in range(100):
        admission.note(0.1)
    assert admission.wait_s(10, 1, 0) == pytest.approx(1, rel=0.01)
    assert admission.wait_s(10, 2, 0.5) == pytest.approx(1, rel=0.01)
    admission.reject_if_overloaded(19, 1, 0)
    with pytest.raises(
        OverloadedError, match="21 requests are queued, with an estimated wait of 2 s"
    ) as rejection:
        admission.reject_if_overloaded(21, 1, 0)
    assert rejection.value.retry_after_s == 1


def test_a_batch_counts_as_its_samples():
    admission = Admission(limit_s=60)
    for _ in range(100):
        admission.note(0.64, samples=64)
    assert admission.wait_s(100, 1, 0) == pytest.approx(1, rel=0.01)


def test_the_average_follows_the_latest_calls():
    admission = Admission(limit_s=10)
    assert admission.average_s == 0
    averages = []
    for took_s in (5, 5, 0):
        admission.note(took_s)
        averages.append(admission.average_s)
    assert averages == pytest.approx([1, 1.8, 1.44])


def test_the_duration_of_a_call_is_capped_at_the_limit():
    admission = Admission(limit_s=10)
    admission.note(1000)
    assert admission.average_s == 2


def test_threads_share_the_queue_but_not_running_calls():
    admission = Admission(limit_s=10)
    admission.note(5)
    assert admission.wait_s(ahead=6, threads=4, running_s=0.25) == 1.75


@pytest.mark.parametrize(("limit_s", "longest_s"), [(0.25, 1), (1, 1), (3, 3)])
def test_a_call_can_wait_for_the_limit_or_at_least_a_second(limit_s, longest_s):
    admission = Admission(limit_s)
    admission.reject_if_overloaded(0, 1, longest_s)
    with pytest.raises(OverloadedError):
        admission.reject_if_overloaded(0, 1, longest_s + 0.01)


def test_queued_and_running_calls_count_towards_the_limit():
    admission = Admission(limit_s=10)
    admission.note(5)
    admission.reject_if_overloaded(16, 2, 2)
    with pytest.raises(
        OverloadedError, match="18 requests are queued, with an estimated wait of 11 s"
    ):
        admission.reject_if_overloaded(18, 2, 2)


@pytest.mark.parametrize(
    ("wait_s", "message", "retry_after_s"),
    [
        (0.4, "3 requests are queued, with an estimated wait of 0 s", 1),
        (7, "3 requests are queued, with an estimated wait of 7 s", 4),
        (20, "3 requests are queued, with an estimated wait of 20 s", 10),
    ],
)
def test_a_rejected_client_retries_after_half_of_the_queue(wait_s, message, retry_after_s):
    rejection = overloaded(3, wait_s)
    assert (str(rejection), rejection.retry_after_s) == (message, retry_after_s)


@pytest.mark.parametrize(
    ("limit_s", "shown", "retry_after_s"), [(0.25, "0.25", 1), (7.6, "7.6", 8)]
)
def test_a_client_that_was_queued_too_long_retries_after_the_limit(limit_s, shown, retry_after_s):
    rejection = queued_too_long(limit_s)
    assert str(rejection) == f"the request was queued too long (limit {shown} s)"
    assert rejection.retry_after_s == retry_after_s
