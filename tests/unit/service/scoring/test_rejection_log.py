"""The log of rejections and its rate limit."""

from types import SimpleNamespace

import pytest

from nachlass_service.base.errors import NotJsonError, RefusedError
from nachlass_service.scoring import rejection_log
from nachlass_service.scoring.rejection_log import MAX_PER_SECOND, RejectionLog
from support.transport import Clock


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(rejection_log, "time", clock)
    return clock


@pytest.fixture
def written(monkeypatch):
    """Record the fields of each logged line."""
    lines = []

    def write(error, _bundle, **fields):
        lines.append((str(error), fields["request"], fields["row"], fields["left_out"]))

    monkeypatch.setattr(rejection_log, "log_rejection", write)
    return lines


def test_rejections_over_the_rate_limit_are_counted_and_not_logged(clock, written):
    log = RejectionLog(SimpleNamespace())
    for number in range(MAX_PER_SECOND + 5):
        log.write(NotJsonError("no"), f"r{number}")
    assert written == [("no", f"r{number}", None, None) for number in range(MAX_PER_SECOND)]
    clock.now += 1
    log.write(NotJsonError("no"), "later", 3)
    assert written[-1] == ("no", "later", 3, 5)
    log.write(NotJsonError("no"), "last")
    assert written[-1] == ("no", "last", None, None)


def test_reasons_found_only_in_the_log_have_their_own_rate_limit(clock, written):
    log, raised = RejectionLog(SimpleNamespace()), RefusedError("the validator raised")
    raised.__cause__ = ValueError("words")
    for _ in range(2 * MAX_PER_SECOND):
        log.write(NotJsonError("no"), "flood")
    for _ in range(2 * MAX_PER_SECOND):
        log.write(raised, "mine")
    assert [request for _, request, *_ in written].count("mine") == MAX_PER_SECOND
