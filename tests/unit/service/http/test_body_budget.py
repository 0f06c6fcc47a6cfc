"""The memory that a worker uses for bodies."""

import ctypes
from types import SimpleNamespace

import pytest

from nachlass_service.base.errors import OverloadedError
from nachlass_service.base.settings import Settings
from nachlass_service.http.body_budget import (
    BODIES,
    MIN_BYTES,
    TRIM_EVERY_S,
    TRIMMED_BYTES,
    BodyBudget,
    body_memory_limit,
)
from nachlass_service.http.request import Request

LIMIT = 4 * TRIMMED_BYTES


@pytest.fixture
def trims(monkeypatch):
    """Record the calls of malloc_trim."""
    calls = []
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: SimpleNamespace(malloc_trim=calls.append))
    return calls


def holding(budget, size):
    request = Request()
    budget.take(size)
    request.counted_bytes = size
    return request


def test_bodies_of_all_requests_share_the_budget():
    budget = BodyBudget(10)
    first = holding(budget, 6)
    with pytest.raises(OverloadedError, match="limit 10 bytes") as raised:
        budget.take(5)
    assert raised.value.retry_after_s == 1
    budget.release(first)
    budget.release(first)
    assert (budget.remaining, first.counted_bytes) == (10, 0)
    budget.take(10)


def test_memory_is_returned_once_no_body_is_held(trims):
    budget = BodyBudget(LIMIT)
    first, second = holding(budget, TRIMMED_BYTES), holding(budget, 1)
    budget.release(first)
    budget.tick(1000)
    assert trims == []
    budget.release(second)
    budget.tick(1000)
    budget.tick(1000 + 2 * TRIM_EVERY_S)
    assert trims == [0]


def test_memory_is_not_returned_too_often(trims):
    budget = BodyBudget(LIMIT)
    for now, count in ((1000, 1), (1001, 1), (1000 + TRIM_EVERY_S, 1), (1001 + TRIM_EVERY_S, 2)):
        budget.release(holding(budget, TRIMMED_BYTES + 1))
        budget.tick(now)
        assert len(trims) == count


def test_a_small_amount_is_kept_for_the_next_body(trims):
    budget = BodyBudget(LIMIT)
    budget.release(holding(budget, TRIMMED_BYTES))
    budget.tick(1000)
    assert trims == []


def test_a_missing_malloc_trim_is_ignored(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    budget = BodyBudget(LIMIT)
    budget.release(holding(budget, LIMIT))
    budget.tick(1000)


def test_the_budget_depends_on_the_body_limit():
    for size, most in ((1000, MIN_BYTES), (MIN_BYTES, BODIES * MIN_BYTES)):
        settings = Settings.from_environ({"S2I_MAX_BODY_BYTES": str(size)})
        assert body_memory_limit(settings) == most
