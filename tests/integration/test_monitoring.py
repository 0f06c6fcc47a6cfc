"""A real Prometheus with the rules of `nachlass monitoring` detects drift."""

import json
import math
import random
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from contextlib import ExitStack, contextmanager

import pytest
import yaml

from nachlass_builder.monitoring.dashboard import queries
from support.project import PROJECT
from support.served import free_port, served

needs_prometheus = pytest.mark.needs("promtool", "apt-get install prometheus")

NAMES = ["Ada Lovelace", 'Grace "\\" {{Hopper}} $job']
NUMBERS = f"""\
# %%
import random
requirements = []
draw = random.Random(1)
names = {NAMES!r}
samples = [[draw.gauss(0, 1), draw.choice(names)] for _ in range(400)]
# %%
def predictor(row):
    return [3.0 * row[0] + names.index(row[1]), row[1].upper() + chr(10)]
"""


@pytest.fixture(scope="session")
def numbers(built_cells):
    return built_cells("numbers", NUMBERS)


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


DURATION = r"(\d+y)?(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?"
RULE = {"expr": str, "for": str, "labels": dict, "annotations": dict}
ENDPOINT = {"targetPort": int, "path": str, "interval": str}


def test_the_kubernetes_objects_have_the_same_rules(nachlass, numbers, tmp_path):
    """Check that the objects have the form in the operator's API reference.

    This checks the kinds, valid Kubernetes names, that there are no other fields than those
    documented and used here, their types, durations, that each rule either records or alerts, and
    that groups have different names. promtool checks the expressions. The operator's own schema,
    which we cannot ship, has accepted the same objects (0.93.0).
    """
    folder = write_monitoring(nachlass, numbers, tmp_path / "monitoring")
    rules = yaml.safe_load((folder / "rules.yml").read_text())
    rule, monitor = yaml.safe_load_all((folder / "kubernetes.yaml").read_text())
    assert rule["spec"] == rules
    for made, kind in ((rule, "PrometheusRule"), (monitor, "ServiceMonitor")):
        assert made.keys() == {"apiVersion", "kind", "metadata", "spec"}
        assert (made["apiVersion"], made["kind"]) == ("monitoring.coreos.com/v1", kind)
        assert made["metadata"] == {"name": "numbers", "labels": {"app": "numbers"}}
    assert rule["spec"].keys() == {"groups"}
    groups = rule["spec"]["groups"]
    assert len({group["name"] for group in groups}) == len(groups) > 1
    for group in groups:
        assert group.keys() == {"name", "interval", "rules"}
        assert re.fullmatch(DURATION, group["interval"])
        for one in group["rules"]:
            [name] = one.keys() - RULE.keys()
            assert name in ("record", "alert")
            assert re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*", one[name])
            assert all(isinstance(one[field], RULE[field]) for field in one.keys() - {name})
            assert re.fullmatch(DURATION, one.get("for", "1m"))
            if name == "alert":
                texts = {**one["labels"], **one["annotations"]}
                assert all(isinstance(text, str) for text in texts.values())
    assert monitor["spec"].keys() == {"selector", "endpoints"}
    assert monitor["spec"]["selector"] == {"matchLabels": {"app": "numbers"}}
    [endpoint] = monitor["spec"]["endpoints"]
    assert {field: type(value) for field, value in endpoint.items()} == ENDPOINT
    assert re.fullmatch(DURATION, endpoint["interval"])


@pytest.mark.parametrize("window", ["0s", "1", "an hour", "30s", "-1h", "1h30m"])
def test_an_invalid_window_is_rejected(window, nachlass, numbers, tmp_path):
    done = nachlass("monitoring", numbers, "-o", tmp_path / "monitoring", "--window", window)
    assert done.returncode == 2
    assert "--window must be a duration" in done.stderr
    assert not (tmp_path / "monitoring").exists()


@pytest.mark.parametrize("prefix", ["1st", "my-model", 'a"b', "{{x}}"])
def test_an_invalid_metrics_prefix_is_rejected(prefix, nachlass, numbers, tmp_path):
    words = ["-e", f"S2I_APP_METRICS_PREFIX={prefix}"]
    done = nachlass("monitoring", numbers, "-o", tmp_path / "monitoring", *words)
    assert done.returncode == 3
    assert f"S2I_APP_METRICS_PREFIX is {prefix!r}" in done.stderr


def test_the_metrics_prefix_is_read_from_the_environment(nachlass, numbers, tmp_path):
    variables = {"S2I_APP_METRICS_PREFIX": "mine"}
    done = nachlass("monitoring", numbers, "-o", tmp_path, environment=variables)
    assert done.returncode == 0, done.stderr
    assert "mine_predictions_total" in (tmp_path / "rules.yml").read_text()


def test_an_unwritable_folder_is_reported(nachlass, numbers, tmp_path):
    (tmp_path / "file").write_text("")
    done = nachlass("monitoring", numbers, "-o", tmp_path / "file" / "folder")
    assert done.returncode == 3
    assert "cannot be written" in done.stderr


def test_sample_values_are_shown_only_with_local(numbers, environ):
    for words, shown in (((), False), (("--local",), True)):
        with served(numbers, environ, *words, S2I_INPUT_METRICS_RATE="1") as service:
            assert service.predict([0.0, NAMES[0]])[0] == 200
            pages = [("/metrics", "*/*"), ("/drift", "*/*"), ("/", "text/html"), ("/model", "*/*")]
            texts = {
                path: service.request("GET", path, headers={"Accept": accept})[2].decode()
                for path, accept in pages
            }
        assert {path for path, text in texts.items() if "Lovelace" in text} == (
            {"/metrics", "/drift", "/", "/model"} if shown else set()
        )
        name = NAMES[0] if shown else "#1"
        assert f'nachlass_inputs_total{{field="1",value="{name}"}} 1.0' in texts["/metrics"]


def test_a_bundle_without_a_baseline_is_served(numbers, environ, tmp_path):
    bundle = shutil.copytree(numbers, tmp_path / "bundle", symlinks=True)
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["baseline"] = {"predictions": {}, "inputs": {}}
    manifest["input"]["features"] = {"labels": {}, "buckets": {}}
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    with served(bundle, environ) as service:
        assert service.predict([0.0, NAMES[0]])[0] == 200
        assert json.loads(service.request("GET", "/drift")[2])["verdict"] == "no baseline"
        page = service.request("GET", "/", headers={"Accept": "text/html"})[2].decode()
        assert "The bundle has no baseline to compare predictions with." in page
        assert not [name for name in service.metrics() if "baseline" in name or "inputs" in name]


class Prometheus:
    """A Prometheus with the rules in a folder, which scrapes the services of each job."""

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
        """Return an expression's current values by their labels."""
        parameters = urllib.parse.urlencode({"query": expression})
        url = f"http://127.0.0.1:{self.port}/api/v1/query?{parameters}"
        with urllib.request.urlopen(url, timeout=10) as response:
            answer = json.load(response)
        assert answer["status"] == "success", answer
        return [(entry["metric"], float(entry["value"][1])) for entry in answer["data"]["result"]]

    def firing(self, job):
        found = self.query(f'ALERTS{{alertstate="firing", job="{job}"}}')
        return {labels["alertname"] for labels, _value in found}

    def value(self, expression):
        [(_labels, value)] = self.query(expression)
        return value

    def wait_until(self, reached, within_s):
        """Wait until a condition holds; return the seconds it took."""
        started = time.monotonic()
        while not reached():
            assert time.monotonic() < started + within_s, self.query("ALERTS")
            time.sleep(0.5)
        return time.monotonic() - started


@contextmanager
def traffic(service, shift):
    """Send samples moved by `shift()` to a service, one by one and in batches."""
    ended = threading.Event()
    lines = {"Content-Type": "application/x-ndjson"}

    def send():
        while not ended.wait(0.02):
            sample = [random.gauss(0, 1) + shift(), random.choice(NAMES)]
            if random.random() < 0.1:
                status = service.request("POST", "/predict", json.dumps(sample), lines)[0]
            else:
                status, _body = service.predict(sample)
            assert status == 200

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def replayed(bundle, services, share):
    """Send mail with a share of spam to the services."""
    command = [sys.executable, PROJECT / "examples/spam/replay.py", bundle]
    words = [*(service.url for service in services), "--spam", share, "--seconds", 300]
    process = subprocess.Popen(list(map(str, [*command, *words])))
    try:
        yield
        assert process.poll() is None
    finally:
        process.terminate()
        process.wait(30)


@needs_prometheus
@pytest.mark.only_all("it takes three minutes")
def test_prometheus_detects_drift(nachlass, environ, spam, numbers, tmp_path):
    """Repeat the original's experiment with two replicas of two workers and a 1 min window."""
    folder = write_monitoring(nachlass, spam, tmp_path / "monitoring", "--window", "1m")
    moved = 0.0
    with ExitStack() as stack:
        options = {
            "WEB_CONCURRENCY": "2",
            "S2I_INPUT_METRICS_RATE": "1",
            "S2I_SHOW_SAMPLES": "1",
            "S2I_DRIFT_WINDOW": "60",
        }
        replicas = [stack.enter_context(served(spam, environ, **options)) for _ in range(2)]
        other = stack.enter_context(served(numbers, environ, **options))
        ports = {"spam": [replica.port for replica in replicas], "numbers": [other.port]}
        prometheus = Prometheus(folder, ports)
        stack.enter_context(prometheus.running())
        stack.enter_context(traffic(other, lambda: moved))

        def fires(job, *alerts):
            return lambda: {*alerts} <= prometheus.firing(job)

        def share_of_spam():
            share = 'nachlass:drift_live:share{job="spam", value="spam"}'
            return prometheus.value(share)

        # As in training: nothing fires in more than a window.
        with replayed(spam, replicas, 0.53):
            time.sleep(70)
        assert not prometheus.query('max_over_time(ALERTS{alertstate="firing"}[5m])')
        assert prometheus.value('nachlass:drift_live:size{job="spam"}') > 1000
        assert prometheus.query("nachlass:drift:judged{job='numbers'}")

        # 5 % legitimate: the alert fires within a minute.
        moved = 2.0
        with replayed(spam, replicas, 0.95):
            seconds = prometheus.wait_until(fires("spam", "PredictionsMoved"), 60)
            print(f"the alert fired after {seconds:.0f} s")
            expected = ("PredictionsMoved", "PredictionsMovedInValue", "InputMoved")
            prometheus.wait_until(fires("numbers", *expected), 60)

        # 25 % legitimate, closer to training: the alert keeps firing.
        with replayed(spam, replicas, 0.75):
            time.sleep(30)
            assert prometheus.firing("spam") == {"PredictionsMoved"}
            assert 0.65 < share_of_spam() < 0.95

        # All legitimate: the window passes the training ratio, where the alert may stop, and
        # then it fires for the opposite reason.
        with replayed(spam, replicas, 0):
            prometheus.wait_until(lambda: share_of_spam() < 0.3, 60)
            assert prometheus.firing("spam") == {"PredictionsMoved"}
            by_service = json.loads(replicas[0].request("GET", "/drift")[2])
            assert by_service["sentence"].startswith("Drift detected: PSI")

        # Every query of the dashboard has a result for at least one of the two.
        expressions = queries(json.loads((folder / "dashboard.json").read_text()))
        assert len(expressions) > 10
        for query in expressions:
            answers = [prometheus.query(query.replace("$job", job)) for job in ("spam", "numbers")]
            assert any(math.isfinite(value) for found in answers for _labels, value in found), query
        inputs = prometheus.query(
            'nachlass:drift_live:share{job="numbers", of="inputs", field="1"}'
        )
        assert {labels["value"] for labels, _value in inputs} == {*NAMES, "other"}
