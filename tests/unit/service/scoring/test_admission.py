import pytest

from nachlass_service.base.errors import OverloadedError
from nachlass_service.scoring.admission import SLOW_S, WINDOW, Admission


def test_nothing_is_fast_until_it_has_shown_it():
    pace = Admission(60)
    assert pace.is_slow
    pace.note(SLOW_S / 10)
    assert not pace.is_slow


def test_a_busy_machine_does_not_make_calls_slow_but_slow_calls_do():
    pace = Admission(60)
    for _ in range(3):
        pace.note(SLOW_S / 10)
        for _ in range(WINDOW - 1):
            pace.note(SLOW_S * 10)
        assert not pace.is_slow
    pace.note(SLOW_S)
    assert pace.is_slow


def test_calls_are_refused_that_would_wait_beyond_the_limit():
    pace = Admission(limit_s=2)
    for _ in range(100):
        pace.note(0.1)
    assert pace.wait_s(10, 1, 0) == pytest.approx(1, rel=0.01)
    assert pace.wait_s(10, 2, 0.5) == pytest.approx(1, rel=0.01)
    pace.reject_if_overloaded(19, 1, 0)
    with pytest.raises(OverloadedError, match="21 requests are waiting, for about 2 s") as refused:
        pace.reject_if_overloaded(21, 1, 0)
    assert refused.value.retry_after_s == 1


def test_a_batch_counts_as_its_samples():
    pace = Admission(limit_s=60)
    for _ in range(100):
        pace.note(0.64, samples=64)
    assert pace.wait_s(100, 1, 0) == pytest.approx(1, rel=0.01)
