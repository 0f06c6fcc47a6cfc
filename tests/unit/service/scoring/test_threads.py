import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager

import pytest

from nachlass_service.base.errors import OverloadedError, TimeLimitError
from nachlass_service.scoring.threads import SHORT_WAIT_S, Pool


def pool_of(threads=1, *, limit_s=10.0, longest_queue=56, on_lost=lambda: None):
    return Pool(threads, limit_s=limit_s, longest_queue=longest_queue, on_lost=on_lost)


def predictors():
    """Return the running threads of all pools."""
    return {thread for thread in threading.enumerate() if thread.name == "predictor"}


@contextmanager
def callers(count):
    with ThreadPoolExecutor(count) as executor:
        yield executor


@contextmanager
def busy(pool, threads=1):
    """Keep all threads of the pool busy until the block ends."""
    begun, leave = threading.Semaphore(0), threading.Event()

    def work():
        begun.release()
        return leave.wait(20)

    with callers(threads) as executor:
        running = [executor.submit(pool.run, work) for _ in range(threads)]
        try:
            for _ in running:
                assert begun.acquire(timeout=10)
            yield
        finally:
            leave.set()
            wait(running)


def wait_until(reached):
    ends_at = time.monotonic() + 10
    while not reached():
        assert time.monotonic() < ends_at
        time.sleep(0.002)


def test_values_are_returned():
    pool = pool_of()
    sample = {"a": 1}
    assert pool.run(lambda: sample) is sample
    assert pool.run(lambda: None) is None


@pytest.mark.parametrize("kind", [ValueError, SystemExit, KeyboardInterrupt, StopIteration])
def test_any_exception_is_raised_and_the_thread_continues(kind):
    before = predictors()
    pool = pool_of()
    mine = predictors() - before
    raised = kind("why")

    def work():
        raise raised

    with pytest.raises(kind) as caught:
        pool.run(work)
    assert caught.value is raised
    assert pool.run(threading.current_thread) in mine
    assert predictors() - before == mine


def test_a_timeout_of_the_work_is_not_mistaken_for_one_of_the_pool():
    lost = []
    pool = pool_of(on_lost=lambda: lost.append(1))

    def work():
        raise TimeoutError

    with pytest.raises(TimeoutError):
        pool.run(work)
    assert not lost


def test_work_runs_concurrently_in_the_threads_of_the_pool():
    pool = pool_of(3)
    meet = threading.Barrier(3, timeout=10)

    def work():
        meet.wait()
        return threading.current_thread()

    with callers(3) as executor:
        found = {future.result() for future in [executor.submit(pool.run, work) for _ in range(3)]}
    assert len(found) == 3
    assert all(thread.name == "predictor" and thread.daemon for thread in found)


def test_a_single_thread_runs_one_call_at_a_time():
    pool = pool_of()
    inside = threading.Lock()

    def work():
        assert inside.acquire(blocking=False)
        time.sleep(0.001)
        inside.release()

    with callers(20) as executor:
        for future in [executor.submit(pool.run, work) for _ in range(40)]:
            future.result()


def test_a_call_over_the_limit_is_abandoned_and_its_thread_is_replaced():
    before = predictors()
    lost = []
    pool = pool_of(limit_s=0.3, on_lost=lambda: lost.append(threading.current_thread()))
    leave = threading.Event()
    started = time.monotonic()
    with pytest.raises(TimeLimitError, match=r"in time \(limit 0\.3 s\)"):
        pool.run(lambda: leave.wait(20))
    assert 0.3 <= time.monotonic() - started < 5
    assert lost == [threading.current_thread()]
    assert len(predictors() - before) == 2
    for number in range(5):
        assert pool.run(lambda number=number: number) == number
    leave.set()
    wait_until(lambda: len(predictors() - before) == 1)
    assert pool.run(lambda: "still") == "still"
    assert len(lost) == 1


def test_many_abandoned_calls_leave_the_original_number_of_threads():
    before = predictors()
    lost = []
    pool = pool_of(2, limit_s=0.15, on_lost=lambda: lost.append(1))
    leave = threading.Event()
    with callers(2) as executor:
        for _ in range(4):
            calls = [executor.submit(pool.run, lambda: leave.wait(20)) for _ in range(2)]
            assert {type(job.exception()) for job in calls} == {TimeLimitError}
    assert len(lost) == 8
    assert len(predictors() - before) == 10
    leave.set()
    wait_until(lambda: len(predictors() - before) == 2)


def test_an_abandoned_call_that_ends_late_does_not_make_the_pool_slow():
    pool = pool_of(limit_s=0.1)
    leave = threading.Event()
    with pytest.raises(TimeLimitError):
        pool.run(lambda: leave.wait(20))
    time.sleep(0.4)
    leave.set()
    wait_until(lambda: pool._admission.average_s > 0)
    assert pool._admission.average_s < 0.05


def test_the_time_in_the_queue_does_not_count_as_predictor_time():
    pool = pool_of(limit_s=0.5)
    with callers(2) as executor:
        calls = [executor.submit(pool.run, lambda: time.sleep(0.35)) for _ in range(2)]
        assert [job.result() for job in calls] == [None, None]


def test_a_call_queued_too_long_is_rejected_and_never_run():
    pool = pool_of(limit_s=0.6)
    done, turns = [], [threading.Event(), threading.Event()]
    with callers(3) as executor:
        ahead = [executor.submit(pool.run, lambda turn=turn: turn.wait(20)) for turn in turns]
        wait_until(lambda: pool._waiting == 1)
        queued = executor.submit(pool.run, lambda: done.append("queued"))
        time.sleep(0.3)
        turns[0].set()
        error = queued.exception()
        turns[1].set()
        assert [job.result() for job in ahead] == [True, True]
    assert isinstance(error, OverloadedError)
    assert error.retry_after_s >= 1
    assert "0.6 s" in str(error)
    assert pool.run(lambda: "next") == "next"
    assert not done
    assert pool._waiting == 0


def test_every_call_is_run_once_or_rejected_under_concurrency():
    before = predictors()
    lost, done = [], []
    limit_s = 0.01
    pool = pool_of(2, limit_s=limit_s, on_lost=lambda: lost.append(1))

    def job(number):
        def work():
            done.append(number)
            time.sleep(limit_s * (number % 9) / 6)
            return number

        try:
            return pool.run(work)
        except (OverloadedError, TimeLimitError) as error:
            return type(error)

    with callers(12) as executor:
        outcomes = list(executor.map(job, range(600)))
    wait_until(lambda: len(predictors() - before) == 2)
    wait_until(lambda: (pool._waiting, pool._running) == (0, {}))
    turned_away = {n for n, outcome in enumerate(outcomes) if outcome is OverloadedError}
    assert all(
        outcome in (n, OverloadedError, TimeLimitError) for n, outcome in enumerate(outcomes)
    )
    assert sorted(done) == sorted(set(range(600)) - turned_away)
    assert len(lost) == outcomes.count(TimeLimitError)
    assert 0 < len(lost) < 600
    assert turned_away


def test_the_length_of_the_queue_is_limited_if_the_model_is_slow():
    pool = pool_of(longest_queue=3)
    with callers(3) as executor:
        with busy(pool):
            time.sleep(SHORT_WAIT_S + 0.1)
            queued = [executor.submit(pool.run, lambda n=n: n) for n in range(3)]
            wait_until(lambda: pool._waiting == 3)
            started = time.monotonic()
            with pytest.raises(OverloadedError, match="3 requests are queued") as caught:
                pool.run(lambda: "one more")
            assert time.monotonic() - started < 5
            assert caught.value.retry_after_s >= 1
        assert [job.result() for job in queued] == [0, 1, 2]
    assert pool.run(lambda: "later") == "later"


def test_a_call_that_would_wait_beyond_the_limit_is_rejected_at_once():
    pool = pool_of(limit_s=3)
    with callers(1) as executor, busy(pool):
        pool._admission.average_s = 4.0
        queued = executor.submit(pool.run, lambda: "queued")
        wait_until(lambda: pool._waiting == 1)
        with pytest.raises(OverloadedError, match="wait of 4 s") as caught:
            pool.run(lambda: "one more")
        assert caught.value.retry_after_s == 2
    assert queued.result() == "queued"


def test_hundreds_of_concurrent_callers_get_their_own_result_from_a_fast_model():
    pool = pool_of(longest_queue=3)
    pool.run(lambda: "warm")
    count = 300
    together = threading.Barrier(count, timeout=20)

    def ask(number):
        together.wait()
        return pool.run(lambda: (number, threading.current_thread()))

    with callers(count) as executor:
        answers = list(executor.map(ask, range(count)))
    assert [number for number, _thread in answers] == list(range(count))
    assert len({thread for _number, thread in answers}) == 1
