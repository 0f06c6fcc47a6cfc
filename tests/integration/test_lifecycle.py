"""A service from startup to shutdown: readiness, lost workers, overload, reload."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.cells import write_notebook
from support.command import NACHLASS
from support.project import TESTS
from support.served import LOOPS, Served, free_port, python_of, served, start

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def bundle(unruly, tmp_path):
    """Return a copy of the bundle that a test may change."""
    return Path(shutil.copytree(unruly, tmp_path / "bundle", symlinks=True))


@pytest.fixture
def rebuild(nachlass, tmp_path):
    """Return a function that replaces a bundle with a build of another notebook."""

    def build(bundle, cells):
        source = tmp_path / "source"
        write_notebook(source / "model.ipynb", cells)
        done = nachlass("build", source, "-o", bundle)
        assert done.returncode == 0, done.stderr

    return build


def constant(value, requirements="[]"):
    """Return the cells of a notebook with a constant prediction."""
    return f"""# %%
requirements = {requirements}
import os
# %%
def predictor(x):
    return {value!r}
# %%
samples = [1, 2]
"""


SLOW_TO_LOAD = """# %%
import os, time
class Slow:
    def __call__(self, x):
        return x
    def __setstate__(self, state):
        if "SERVED" in os.environ:
            time.sleep({seconds})
    def __getstate__(self):
        return {{"a": 1}}
predictor = Slow()
samples = [1]
"""


class Clients:
    """Clients that send requests over persistent connections and record the responses."""

    def __init__(self, service, sample, count=4):
        self.service, self.body, self.stopping = service, json.dumps(sample), False
        self.answers, self.lost = [], []
        self.threads = [threading.Thread(target=self.send) for _ in range(count)]

    def send(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.service.port, timeout=30)
        while not self.stopping:
            try:
                connection.request("POST", "/predict", self.body, JSON)
                with connection.getresponse() as response:
                    self.answers.append((response.status, json.loads(response.read())))
                time.sleep(0.01)  # the build needs the cores, too
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.lost.append(repr(error))
                connection.close()
        connection.close()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_error):
        self.stopping = True
        for thread in self.threads:
            thread.join()


@pytest.mark.parametrize(("endless", "quick_calls"), [("spin", 0), ("forever", 100)])
def test_a_prediction_timeout_replaces_one_worker(bundle, environ, endless, quick_calls):
    with served(bundle, environ, S2I_PREDICT_TIMEOUT="1", WEB_CONCURRENCY="2") as service:
        before = service.workers
        for _ in range(quick_calls):  # then the model is called in the loop's own thread
            assert service.predict("quick")[0] == 200
        status, problem = service.predict(endless)
        assert (status, problem["type"]) == (504, "urn:nachlass:problem:time_limit")
        assert service.predict("meanwhile") == (200, {"seen": "meanwhile"})
        service.wait_until(lambda: len(set(service.workers) - set(before)) == 1, "no new worker")
        service.wait_until(lambda: len(service.workers) == 2, "the old worker is still running")
        assert len(set(service.workers) & set(before)) == 1
        assert service.predict("afterwards") == (200, {"seen": "afterwards"})
        assert service.events("worker_replaced")
        metrics = service.metrics()
        assert metrics["nachlass_failures_total"] == 1
        assert metrics['nachlass_workers_ended_total{reason="time_limit"}'] == 1
        assert metrics['nachlass_workers_ended_total{reason="crash"}'] == 0
        assert service.stop() == 0


def test_a_crashed_worker_is_replaced_and_its_counts_are_kept(bundle, environ):
    with served(bundle, environ, WEB_CONCURRENCY="2") as service:
        for _ in range(20):
            assert service.predict("a")[0] == 200
        for _ in range(4):
            with pytest.raises((OSError, http.client.HTTPException)):
                service.predict("crash")
        service.wait_until(lambda: len(service.events("worker_crashed")) == 4, "no crash")
        service.wait_until(lambda: len(service.workers) == 2, "no new worker")
        os.kill(service.workers[0], signal.SIGKILL)
        service.wait_until(lambda: len(service.workers) == 2, "no new worker")
        for _ in range(20):
            assert service.predict("a")[0] == 200
        assert service.metrics()['nachlass_predictions_total{field="seen",value="a"}'] == 40
        assert service.is_ready()
        check_crashes(service, crashes=5, lost=4)


def test_health_is_answered_during_slow_predictions_and_excess_requests_are_rejected(
    bundle, environ
):
    with served(bundle, environ, WEB_CONCURRENCY="1", S2I_PREDICT_TIMEOUT="20") as service:
        with ThreadPoolExecutor(100) as clients:
            slow = [clients.submit(service.predict, {"sleep": 0.3}) for _ in range(100)]
            time.sleep(1.5)
            started = time.monotonic()
            assert service.request("GET", "/livez")[0] == 200
            assert time.monotonic() - started < 15
            answers = [answer.result()[0] for answer in slow]
        assert set(answers) == {200, 503}
        rejected = answers.count(503)
        assert service.metrics()['nachlass_rejected_total{reason="overloaded"}'] == rejected
        slow_ones = service.metrics()["nachlass_processing_seconds_count"]
        assert slow_ones == 100 - rejected
        assert service.stop() == 0


def test_a_worker_exit_with_the_status_of_a_failed_start_does_not_stop_the_service(bundle, environ):
    with served(bundle, environ, WEB_CONCURRENCY="2") as service:
        for _ in range(3):
            with pytest.raises((OSError, http.client.HTTPException)):
                service.predict("three")
        service.wait_until(lambda: len(service.workers) == 2, "no new worker")
        assert service.predict("a") == (200, {"seen": "a"})
        check_crashes(service, crashes=3, lost=3)


def check_crashes(service, *, crashes, lost):
    """Check the numbers of crashed workers and lost requests in the metrics and the log."""
    ended = 'nachlass_workers_ended_total{reason="crash"}'
    service.wait_until(lambda: service.metrics()[ended] == crashes, "a crash is not counted")
    assert service.metrics()["nachlass_requests_lost_total"] == lost
    logged = [event["requests_lost"] for event in service.events("worker_crashed")]
    assert (len(logged), sum(logged)) == (crashes, lost)
    assert service.stop() == 0
    assert len(service.events("worker_crashed")) == crashes, "a shutdown counts as a crash"


def test_the_timeout_applies_to_each_prediction_of_the_warm_up(rebuild, environ, tmp_path):
    bundle = tmp_path / "slow"
    rebuild(
        bundle,
        """# %%
import time
def predictor(x):
    time.sleep(0.2)
    return x
samples = [1] * 9
""",
    )
    with served(bundle, environ, WEB_CONCURRENCY="1", S2I_PREDICT_TIMEOUT="0.8") as service:
        assert service.predict(5) == (200, 5)
        assert not service.events("worker_replaced")


def test_a_model_writes_into_a_copy_of_its_source(bundle, environ):
    with served(bundle, environ, "--local", WEB_CONCURRENCY="1") as service:
        assert "written.txt" in service.predict("write")[1]
    assert not (bundle / "src/written.txt").exists()
    assert (bundle / "src/model.ipynb").stat().st_nlink == 1


def test_an_overloaded_response_has_retry_after(bundle, environ):
    with served(bundle, environ, WEB_CONCURRENCY="1", S2I_PREDICT_TIMEOUT="1") as service:
        with ThreadPoolExecutor(8) as clients:
            body = json.dumps({"sleep": 0.7})
            futures = [
                clients.submit(service.request, "POST", "/predict", body, JSON) for _ in range(8)
            ]
            answers = [future.result() for future in futures]
        rejected = [answer for answer in answers if answer[0] == 503]
        assert rejected
        assert all(int(answer[1]["Retry-After"]) >= 1 for answer in rejected)
        assert len(service.workers) == 1
        assert not service.events("worker_replaced")


@pytest.mark.parametrize(("loop", "sent"), [("uvloop", signal.SIGINT), ("asyncio", signal.SIGTERM)])
def test_shutdown_is_immediate_when_idle(bundle, environ, loop, sent):
    with served(bundle, environ, **LOOPS[loop]) as service:
        idle = socket.create_connection(("127.0.0.1", service.port))
        started = time.monotonic()
        assert service.stop(sent) == 0
        assert time.monotonic() - started < 15
        idle.close()


def test_shutdown_is_immediate_while_the_model_loads(rebuild, environ, tmp_path):
    bundle = tmp_path / "slow"
    rebuild(bundle, SLOW_TO_LOAD.format(seconds=20))
    set_preload(bundle, True)
    service = start(bundle, environ, tmp_path / "log", "--local", SERVED="1")
    service.wait_until(
        lambda: list(tmp_path.glob(".slow.served/*/bundle/src")), "the service does not start"
    )
    time.sleep(1)
    started = time.monotonic()
    assert service.stop() == 0
    assert time.monotonic() - started < 15
    assert not (tmp_path / ".slow.served").exists()


def test_shutdown_is_immediate_while_a_worker_starts(bundle, environ, tmp_path):
    slow_forks = tmp_path / "slow_forks/sitecustomize.py"
    slow_forks.parent.mkdir()
    slow_forks.write_text(
        "import os, time\nos.register_at_fork(after_in_child=lambda: time.sleep(1))"
    )
    set_preload(bundle, True)
    service = start(bundle, environ, tmp_path / "log", PYTHONPATH=str(slow_forks.parent))
    service.wait_until(lambda: service.workers and service.events("serving"), "no worker")
    started = time.monotonic()
    assert service.stop() == 0
    assert time.monotonic() - started < 15


def test_requests_in_progress_are_answered_before_shutdown(bundle, environ):
    with served(bundle, environ, WEB_CONCURRENCY="2") as service:
        idle = http.client.HTTPConnection("127.0.0.1", service.port)
        idle.request("GET", "/livez")
        idle.getresponse().read()
        with ThreadPoolExecutor(2) as clients:
            futures = [clients.submit(service.predict, {"sleep": 2}) for _ in range(2)]
            time.sleep(0.5)
            started = time.monotonic()
            assert service.stop() == 0
            assert time.monotonic() - started < 10
            assert [future.result()[0] for future in futures] == [200, 200]
        idle.close()


def test_the_service_is_ready_when_every_worker_has_loaded(rebuild, environ, tmp_path):
    bundle = tmp_path / "slow"
    rebuild(bundle, SLOW_TO_LOAD.format(seconds=2))
    set_preload(bundle, False)
    service = start(bundle, environ, tmp_path / "log", WEB_CONCURRENCY="2", SERVED="1")
    try:
        assert not service.is_ready()
        service.wait_until(service.is_ready, "the service is not ready")
        ready = service.event("ready")
        assert ready["seconds"] >= 2
        assert len(service.workers) == 2
        assert service.predict(5) == (200, 5)
    finally:
        service.kill()


def test_a_model_whose_warm_up_fails_is_live_but_not_ready(rebuild, environ, tmp_path):
    bundle, needed = tmp_path / "needy", tmp_path / "needed"
    needed.touch()
    rebuild(
        bundle,
        f"""# %%
import os
def predictor(x):
    os.stat({str(needed)!r})
    return x
samples = [1]
""",
    )
    needed.unlink()
    service = start(bundle, environ, tmp_path / "log", WEB_CONCURRENCY="1")
    try:
        service.wait_until(lambda: service.events("failed"), "nothing is logged")
        assert service.request("GET", "/livez")[0] == 200
        status, _headers, body = service.request("GET", "/readyz")
        assert status == 503
        assert "the warm-up failed" in json.loads(body)["detail"]
        [first, *_] = service.events("failed")
        assert first["during"] == "the warm-up"
        assert first["where"] == "model.ipynb, cell 1, line 3"
        needed.touch()
        service.wait_until(service.is_ready, "the warm-up is not retried")
        assert service.predict(5) == (200, 5)
        assert service.stop() == 0
    finally:
        service.kill()


@pytest.mark.parametrize("preload", [True, False])
def test_startup_fails_if_the_model_cannot_be_loaded(bundle, environ, tmp_path, preload):
    (bundle / "model.pickle").write_bytes(b"\x80\x04cno_such_module\nname\n.")
    manifest = json.loads((bundle / "manifest.json").read_text())
    (bundle / "manifest.json").write_text(json.dumps({**manifest, "preload": preload}))
    service = start(bundle, environ, tmp_path / "log", WEB_CONCURRENCY="6")
    assert service.process.wait(30) == 11
    assert "no_such_module" in service.events("failed")[0]["error"]


@pytest.mark.parametrize(("loop", "preload"), [("uvloop", True), ("asyncio", False)])
def test_a_reload_serves_the_new_bundle_and_loses_no_request(
    bundle, rebuild, environ, loop, preload, tmp_path
):
    rebuild(bundle, constant("old"))
    set_preload(bundle, preload)
    variables = {"WEB_CONCURRENCY": "2", **LOOPS[loop]}
    with served(bundle, environ, "--local", **variables) as service:
        with Clients(service, 1) as clients:
            time.sleep(0.5)
            rebuild(bundle, constant("new"))
            set_preload(bundle, preload)
            time.sleep(0.5)
            assert service.predict(1) == (200, "old")
            for expected in ("new", "newer"):
                os.kill(service.pid, signal.SIGHUP)
                service.wait_until(
                    lambda expected=expected: service.predict(1)[1] == expected, "no reload"
                )
                rebuild(bundle, constant("newer"))
                set_preload(bundle, preload)
        assert clients.lost == []
        assert {answer for _status, answer in clients.answers} <= {"old", "new", "newer"}
        assert {status for status, _answer in clients.answers} == {200}
        assert len(service.workers) == 2
        assert len(list((bundle.parent / ".bundle.served").iterdir())) == 1
        assert service.stop() == 0
    assert not (bundle.parent / ".bundle.served").exists()


def set_preload(bundle, preload):
    manifest = json.loads((bundle / "manifest.json").read_text())
    (bundle / "manifest.json").write_text(json.dumps({**manifest, "preload": preload}))


def test_a_reload_imports_the_new_modules_of_the_source(nachlass, environ, tmp_path):
    source, bundle = tmp_path / "modular", tmp_path / "bundle"
    cells = "# %%\nimport helper\ndef predictor(x):\n    return helper.answer()\nsamples = [1]\n"
    write_notebook(source / "model.ipynb", cells)

    def build(answer):
        (source / "helper.py").write_text(f"def answer():\n    return {answer!r}\n")
        done = nachlass("build", source, "-o", bundle)
        assert done.returncode == 0, done.stderr

    build("old")
    assert json.loads((bundle / "manifest.json").read_text())["preload"] is True
    with served(bundle, environ, "--local") as service:
        assert service.predict(1) == (200, "old")
        build("new")
        assert service.predict(1) == (200, "old")
        os.kill(service.pid, signal.SIGHUP)
        service.wait_until(lambda: service.predict(1) == (200, "new"), "no reload")


def test_a_reload_keeps_only_counts_with_the_same_meaning(bundle, rebuild, environ):
    rebuild(bundle, constant("same"))
    with served(bundle, environ, "--local", WEB_CONCURRENCY="1") as service:
        for expected, count in (("same", 2), ("other", 1)):
            assert service.predict(1) == (200, "same")
            rebuild(bundle, constant(expected) + "# %%\nchanged = True\n")
            os.kill(service.pid, signal.SIGHUP)
            service.wait_until(lambda: reloaded(service, bundle), "no reload")
            assert service.predict(1)[1] == expected
            series = f'nachlass_predictions_total{{field="",value="{expected}"}}'
            assert service.metrics()[series] == count


def reloaded(service, bundle):
    version = json.loads((bundle / "manifest.json").read_text())["version"]
    return json.loads(service.request("GET", "/model")[2])["version"] == version


def test_a_bundle_with_another_lock_is_rejected_and_the_previous_one_stays(
    bundle, rebuild, environ
):
    rebuild(bundle, constant("old"))
    with served(bundle, environ, "--local", WEB_CONCURRENCY="2") as service:
        before = service.workers
        kept = '# %%\nserving_requirements = ["six"]\n'
        rebuild(bundle, constant("new", '["six"]') + kept)
        os.kill(service.pid, signal.SIGHUP)
        service.wait_until(lambda: service.events("reload_refused"), "nothing is logged")
        assert "restart the service" in service.events("reload_refused")[0]["error"]
        assert service.predict(1) == (200, "old")
        assert service.workers == before
        os.kill(before[0], signal.SIGKILL)  # the new worker loads the previous bundle, too
        service.wait_until(lambda: len(set(service.workers) - set(before)) == 1, "no new worker")
        for _ in range(10):
            assert service.predict(1) == (200, "old")


@pytest.mark.parametrize("manifest", ["{}", '{"schema_version": 1}', "no json", None])
def test_an_invalid_bundle_is_rejected_and_the_previous_one_stays(bundle, environ, manifest):
    with served(bundle, environ, "--local", WEB_CONCURRENCY="2") as service:
        before = service.workers
        (bundle / "manifest.json").unlink()
        if manifest is None:
            shutil.rmtree(bundle)
        else:
            (bundle / "manifest.json").write_text(manifest)
        os.kill(service.pid, signal.SIGHUP)
        service.wait_until(lambda: service.events("reload_refused"), "nothing is logged")
        assert service.predict("a") == (200, {"seen": "a"})
        assert service.workers == before


def test_samples_are_shown_only_on_loopback_unless_configured(unruly, environ):
    for words, variables, shown in (
        (["--local"], {}, True),
        (["--local", "--host", "0.0.0.0"], {}, False),
        (["--local"], {"GUNICORN_CMD_ARGS": "--workers 1"}, True),
        ([], {}, False),
        ([], {"S2I_SHOW_SAMPLES": "1"}, True),
        (["--local"], {"S2I_SHOW_SAMPLES": "0"}, False),
    ):
        with served(unruly, environ, *words, **variables) as service:
            model = json.loads(service.request("GET", "/model")[2])
            assert ("example" in model["input"]) == shown
            assert (service.request("GET", "/notebook/1")[0] == 200) == shown


def test_a_bundle_that_fails_to_load_is_rejected_and_the_previous_one_stays(bundle, environ):
    with served(bundle, environ, "--local", WEB_CONCURRENCY="2") as service:
        before = service.workers
        pickled = bundle / "model.pickle"
        pickled.unlink()
        pickled.write_bytes(b"no pickle")
        os.kill(service.pid, signal.SIGHUP)
        service.wait_until(lambda: service.events("reload_refused"), "nothing is logged")
        assert service.predict("a") == (200, {"seen": "a"})
        assert service.workers == before


def test_output_of_the_model_is_logged_immediately(bundle, environ):
    with served(bundle, environ, WEB_CONCURRENCY="1") as service:
        assert service.predict("print")[0] == 200
        text = service.log_file.read_text
        service.wait_until(lambda: "this is printed\n" in text(), "the output is not logged")


def test_an_address_in_use_or_an_invalid_port_is_reported_at_startup(
    unruly, environ, tmp_path, nachlass
):
    python = python_of(unruly, environ)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        rejected = nachlass("serve", unruly, "--port", port)
        assert rejected.returncode == 11
        assert f"error: cannot listen on 127.0.0.1:{port}: Address already in use" in (
            rejected.stderr
        )
        for arguments in ("", "--keep-alive 2"):
            command = [python, "-P", "-m", "nachlass_service", "serve", unruly]
            variables = {"PORT": str(port), "GUNICORN_CMD_ARGS": arguments}
            done = subprocess.run(
                command, env={**environ, **variables}, capture_output=True, text=True, check=False
            )
            assert done.returncode == 11
            assert f"cannot listen on 127.0.0.1:{port}: Address already in" in done.stderr
    done = subprocess.run(
        [python, "-P", "-m", "nachlass_service", "serve", unruly],
        env={**environ, "PORT": "http"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (11, "")
    assert done.stderr == "error: PORT is 'http': use a whole number from 0 to 65535\n"


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"GUNICORN_CMD_ARGS": "--nope"}, "GUNICORN_CMD_ARGS is invalid"),
        ({"GUNICORN_CMD_ARGS": "--workers x"}, "GUNICORN_CMD_ARGS is invalid"),
        ({"GUNICORN_CMD_ARGS": "--workers 0"}, "sets no workers"),
        (
            {"GUNICORN_CMD_ARGS": "--statsd-host localhost:8125"},
            "sets --statsd-host, which has no effect here: the service sends no metrics",
        ),
        ({"GUNICORN_CMD_ARGS": "-k nosuch"}, "gunicorn cannot start"),
        ({"GUNICORN_CMD_ARGS": "--worker-tmp-dir nope"}, "nope is not a writable folder"),
        ({"GUNICORN_CMD_ARGS": "--certfile no.pem"}, 'cannot start: certfile "/no.pem" does not'),
        ({"WEB_CONCURRENCY": "0"}, "WEB_CONCURRENCY is '0'"),
        ({"S2I_LOG_FORMAT": "xml"}, "S2I_LOG_FORMAT is 'xml'"),
        ({"S2I_APP_METRICS_PREFIX": "a-b"}, "S2I_APP_METRICS_PREFIX is 'a-b'"),
    ],
)
def test_an_invalid_setting_is_reported_at_startup(unruly, environ, tmp_path, variables, message):
    service = start(unruly, environ, tmp_path / "log", **variables)
    assert service.process.wait(30) == 11
    log_text = service.log_file.read_text()
    assert message in log_text
    assert "Traceback" not in log_text


@pytest.mark.parametrize(
    ("variables", "workers"),
    [
        ({"WEB_CONCURRENCY": "3"}, 3),
        ({"WEB_CONCURRENCY": '"3"'}, 3),
        ({"GUNICORN_CMD_ARGS": "--workers 3"}, 3),
        ({"GUNICORN_CMD_ARGS": "--workers 3", "WEB_CONCURRENCY": "1"}, 3),
    ],
)
def test_the_number_of_workers_is_configurable(unruly, environ, variables, workers):
    with served(unruly, environ, **variables) as service:
        assert len(service.workers) == workers


@pytest.mark.parametrize(
    ("variables", "threads"),
    [
        ({"WEB_CONCURRENCY": "64"}, "1"),
        ({"WEB_CONCURRENCY": "1"}, str(len(os.sched_getaffinity(0)))),
        ({"WEB_CONCURRENCY": "1", "OMP_NUM_THREADS": "7"}, "7"),
    ],
)
def test_threads_of_libraries_share_the_cores(bundle, rebuild, environ, variables, threads):
    rebuild(bundle, "# %%\nimport os\ndef predictor(x):\n    return os.environ.get(x)\n")
    with served(bundle, environ, **variables) as service:
        assert service.predict("OMP_NUM_THREADS") == (200, threads)


def test_workers_draw_different_random_numbers(built, environ, tmp_path):
    cells = """# %%
requirements = ["numpy"]
import os, random
import numpy as np
def predictor(x):
    return [f"{os.getpid()} {random.random()}", np.random.random()]
samples = [1]
"""
    source = tmp_path / "random"
    write_notebook(source / "model.ipynb", cells)
    bundle = built(source)
    assert json.loads((bundle / "manifest.json").read_text())["preload"] is True
    with served(bundle, environ, WEB_CONCURRENCY="4") as service:
        drawn = [service.predict(1)[1] for _ in range(100)]
    pids, numbers = zip(*(text.split() for text, _ in drawn), strict=True)
    assert len(set(pids)) > 1
    assert len(set(numbers)) == 100
    assert len({number for _, number in drawn}) == 100


def test_the_serve_command_builds_and_serves_a_source(nachlass, environ, tmp_path):
    source = tmp_path / "source"
    write_notebook(source / "model.ipynb", (TESTS / "support/unruly.nb.txt").read_text())
    port, log = free_port(), tmp_path / "log"
    command = [NACHLASS, "serve", source, "--port", str(port)]
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environ, stdout=out, stderr=out)
    service = Served(process, port, log)
    try:
        service.wait_until(service.is_ready, "the service is not ready", 120)
        ready = service.event("ready")
        done = subprocess.run(ready["curl"], shell=True, capture_output=True, text=True, check=True)
        assert json.loads(done.stdout) == {"seen": "a"}
        url = f"http://127.0.0.1:{port}"
        for address in (url, f"{url}/", f"{url}/predict", f"127.0.0.1:{port}"):
            predicted = nachlass("predict", "--url", address, '["x"]')
            assert (predicted.returncode, predicted.stdout) == (0, '{"seen": ["x"]}\n'), (
                predicted.stderr
            )
        rejected = nachlass("predict", "--url", url, '"bad"')
        assert (rejected.returncode, rejected.stdout) == (10, "")
        assert "the validator raised ValueError: only the service's log has" in rejected.stderr
        [logged] = [event for event in service.events("rejected") if "raised" in event["error"]]
        assert logged["error"] == "the validator raised ValueError: bad is not good"
        assert f"look for {logged['request']} in the service's log" in rejected.stderr
        assert "service's log" in nachlass("predict", "--url", url, '"raise"').stderr
        status, headers, page = service.request("GET", "/notebook/1")
        assert (status, headers.get_content_type()) == (200, "text/html")
        assert b"predictor" in page
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    assert sorted(path.name for path in (source / ".nachlass").iterdir()) == [
        ".gitignore",
        "bundle",
    ]
    gone = nachlass("predict", "--url", url, "1")
    assert gone.returncode == 11
    assert "no model service at" in gone.stderr
