"""A real Prometheus, with the rules that `nachlass monitoring` writes, notices what has moved."""

import json
import random
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from contextlib import ExitStack, contextmanager

import pytest
import yaml
from conftest import PROJECT

from cells import write_notebook
from nachlass_builder.dashboard import queries
from served import free_port, served

needs_prometheus = pytest.mark.needs("promtool", "apt-get install prometheus")

NUMBERS = """\
# %%
import random
requirements = []
draw = random.Random(1)
samples = [[draw.gauss(0, 1), draw.choice("ab")] for _ in range(400)]
# %%
def predictor(row):
    return 3.0 * row[0] + (row[1] == "a")
"""


@pytest.fixture(scope="session")
def spam(built):
    return built(PROJECT / "examples/spam")


@pytest.fixture(scope="session")
def numbers(built, tmp_path_factory):
    source = tmp_path_factory.mktemp("numbers") / "numbers"
    source.mkdir()
    write_notebook(source / "model.ipynb", NUMBERS)
    return built(source)


def write_monitoring(nachlass, bundle, folder, *words):
    done = nachlass("monitoring", bundle, "-o", folder, *words)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split()) == sorted(str(path) for path in folder.iterdir())
    return folder


def promtool(folder, *words):
    done = subprocess.run(
        ["promtool", *words], cwd=folder, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_prometheus
@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--window", "1m"],
        ["--window", "1d", "--false-alarms", "0.01", "--least", "1000", "--latency", "5"],
        ["-e", "S2I_APP_METRICS_PREFIX=mine"],
    ],
)
def test_promtool_accepts_the_rules_and_their_tests(words, nachlass, numbers, tmp_path):
    folder = write_monitoring(nachlass, numbers, tmp_path / "monitoring", *words)
    promtool(folder, "check", "rules", "rules.yml")
    promtool(folder, "check", "config", "prometheus.yml")
    assert "SUCCESS" in promtool(folder, "test", "rules", "rules_test.yml")


def test_the_operator_gets_the_same_rules(nachlass, numbers, tmp_path):
    folder = write_monitoring(nachlass, numbers, tmp_path / "monitoring")
    rules = yaml.safe_load((folder / "rules.yml").read_text())
    rule, monitor = yaml.safe_load_all((folder / "kubernetes.yaml").read_text())
    assert rule["kind"] == "PrometheusRule"
    assert rule["spec"] == rules
    assert monitor["kind"] == "ServiceMonitor"
    assert monitor["spec"]["selector"] == {"matchLabels": {"app": "numbers"}}


@pytest.mark.parametrize("window", ["0s", "1", "an hour", "30s", "-1h", "1h30m"])
def test_a_window_that_is_none_is_refused(window, nachlass, numbers, tmp_path):
    done = nachlass("monitoring", numbers, "-o", tmp_path / "monitoring", "--window", window)
    assert done.returncode == 2
    assert "--window is a duration" in done.stderr
    assert not (tmp_path / "monitoring").exists()


def test_a_folder_that_cannot_be_written_is_named(nachlass, numbers, tmp_path):
    (tmp_path / "file").write_text("")
    done = nachlass("monitoring", numbers, "-o", tmp_path / "file" / "folder")
    assert done.returncode == 3
    assert "cannot be written" in done.stderr


class Prometheus:
    """A Prometheus that scrapes the services of each job, with the rules in a folder."""

    def __init__(self, folder, jobs):
        self.port = free_port()
        self._folder = folder
        path = folder / "prometheus.yml"
        config = yaml.safe_load(path.read_text())
        config["scrape_configs"] = [
            {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{p}" for p in ports]}]}
            for job, ports in jobs.items()
        ]
        path.write_text(yaml.safe_dump(config))

    @contextmanager
    def running(self):
        words = [
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]
        with (self._folder / "prometheus.log").open("w") as log:
            process = subprocess.Popen(
                ["prometheus", *words], cwd=self._folder, stdout=log, stderr=log
            )
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)

    def query(self, expression):
        """What an expression is now: values by their labels."""
        asked = urllib.parse.urlencode({"query": expression})
        url = f"http://127.0.0.1:{self.port}/api/v1/query?{asked}"
        with urllib.request.urlopen(url, timeout=10) as response:
            answer = json.load(response)
        assert answer["status"] == "success", answer
        return [(entry["metric"], float(entry["value"][1])) for entry in answer["data"]["result"]]

    def firing(self, job):
        found = self.query(f'ALERTS{{alertstate="firing", job="{job}"}}')
        return {labels["alertname"] for labels, _value in found}

    def wait_for(self, job, alerts, within_s):
        """Wait until at least these alerts fire: after how many seconds they do."""
        started = time.monotonic()
        while not alerts <= self.firing(job):
            assert time.monotonic() < started + within_s, (alerts, self.firing(job))
            time.sleep(0.5)
        return time.monotonic() - started


@contextmanager
def asked(service, shift):
    """Ask a service for numbers, of samples that `shift()` moves."""
    ended = threading.Event()

    def ask():
        while not ended.wait(0.02):
            status, _body = service.predict([random.gauss(0, 1) + shift(), random.choice("ab")])
            assert status == 200

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def replay(bundle, services, *words):
    command = [sys.executable, PROJECT / "examples/spam/replay.py", bundle]
    return [*map(str, [*command, *(service.url for service in services), *words])]


@needs_prometheus
@pytest.mark.only_all("it takes three minutes")
def test_prometheus_notices_when_predictions_move(nachlass, environ, spam, numbers, tmp_path):
    folder = write_monitoring(nachlass, spam, tmp_path / "monitoring", "--window", "1m")
    moved = 0.0
    with ExitStack() as stack:
        options = {"WEB_CONCURRENCY": "2", "S2I_INPUT_METRICS_RATE": "1"}
        replicas = [stack.enter_context(served(spam, environ, **options)) for _ in range(2)]
        other = stack.enter_context(served(numbers, environ, **options))
        ports = {"spam": [replica.port for replica in replicas], "numbers": [other.port]}
        prometheus = Prometheus(folder, ports)
        stack.enter_context(prometheus.running())
        stack.enter_context(asked(other, lambda: moved))
        subprocess.run(replay(spam, replicas, "--spam", "0.53", "--seconds", "90"), check=True)
        moving = [
            labels
            for labels, _value in prometheus.query("max_over_time(ALERTS[5m])")
            if "Moved" in labels["alertname"]
        ]
        assert moving == [], "nothing has moved yet"
        assert prometheus.query('nachlass:drift_live:size{job="spam"}')[0][1] > 1000

        moved = 2.0
        shifted = subprocess.Popen(replay(spam, replicas, "--spam", "0.95", "--seconds", "75"))
        seconds = prometheus.wait_for("spam", {"PredictionsMoved"}, 60)
        print(f"the alert fired after {seconds:.0f} s")
        expected = {"PredictionsMoved", "PredictionsMovedInValue", "InputMoved"}
        prometheus.wait_for("numbers", expected, 60)
        assert prometheus.firing("spam") == {"PredictionsMoved"}
        assert shifted.wait(90) == 0

        # Prometheus and the service say the same; it has seen all since the start, and not 1 min.
        by_service = json.loads(replicas[0].ask("GET", "/drift")[2])
        assert by_service["verdict"] == "moved"
        asked_for = queries(json.loads((folder / "dashboard.json").read_text()))
        empty = {
            job: [q for q in asked_for if not prometheus.query(q.replace("$job", job))]
            for job in ("spam", "numbers")
        }
        assert not {*empty["spam"]} & {*empty["numbers"]}
        assert len(asked_for) > 10
