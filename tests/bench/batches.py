"""A batch of 1,000 samples in one request, compared with `batch_predictor` on the parsed list.

Models A and C of compare.py, one worker, one client with a persistent connection; the two
alternate for BATCH_ROUNDS rounds, and the ratio is that of the medians. Responses are checked.
Then 100,000 rows for a model that sleeps 60 ms per call and 20 µs per row, compared with one call
for all of them.
"""

import http.client
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from statistics import median

import pyarrow as pa
import pyarrow.parquet as pq

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS))

from compare import FOLDER, HERE, TEXTS  # noqa: E402

from nachlass_service.bundle.agreement import agree  # noqa: E402
from nachlass_service.bundle.bundle import Bundle  # noqa: E402
from support.cells import write_notebook  # noqa: E402
from support.command import NACHLASS  # noqa: E402
from support.served import python_of, served  # noqa: E402

ROUNDS = int(os.environ.get("BATCH_ROUNDS", "40"))
ROWS = 1000
LINES = "application/x-ndjson"
ARROW = "application/vnd.apache.arrow.stream"
GOALS = {("C", ARROW): 1.5, ("C", LINES): 2.0}
SLEEPY = """# %%
import time

def predictor(x):
    return x

def batch_predictor(xs):
    time.sleep(0.06 + 2e-5 * len(xs))
    return xs

samples = list(range(20))
"""
SLEEPY_ROWS, ONE_CALL_S, SLEEPY_GOAL = 100_000, 0.06 + 2e-5 * 100_000, 1.25
BATCH = "# %%\ndef batch_predictor(xs):\n    return model.predict(xs)\n"


def main():
    FOLDER.mkdir(exist_ok=True)
    for name, write in (("C", write_texts), ("A", write_kmeans)):
        bundle = build(name, write)
        entries = list(islice(cycle(Bundle.open(bundle).samples()), ROWS))
        samples = [sample for sample, _prediction in entries]
        call_s, request_s = measure(
            bundle, samples, [prediction for _sample, prediction in entries]
        )
        print(f"{name}, {ROWS} samples: batch_predictor on the parsed list {1000 * call_s:.2f} ms")
        for media_type, seconds in request_s.items():
            goal = GOALS.get((name, media_type))
            note = f" (goal: at most {goal})" if goal else ""
            print(f"  {media_type:36} {1000 * seconds:7.2f} ms, ratio {seconds / call_s:.2f}{note}")
    print(f"60 ms per call and 20 µs per row, {SLEEPY_ROWS} rows: one call {ONE_CALL_S:.2f} s")
    for which, seconds in zip(("first", "second"), measure_sleepy(), strict=True):
        ratio = f"ratio {seconds / ONE_CALL_S:.2f} (goal for the calls: at most {SLEEPY_GOAL})"
        print(f"  the {which} batch of a worker {seconds:.2f} s, {ratio}")


def write_texts(source):
    write_notebook(source / "model.ipynb", TEXTS + BATCH)


def write_sleepy(source):
    write_notebook(source / "model.ipynb", SLEEPY)


def measure_sleepy():
    """Return the seconds of a worker's first and second batch, including reading the response."""
    body = b"".join(b"%d\n" % row for row in range(SLEEPY_ROWS))
    with served(build("sleepy", write_sleepy), os.environ, "--workers", "1") as service:
        connection = http.client.HTTPConnection("127.0.0.1", service.port)
        answers = [post(connection, LINES, body) for _ in range(2)]
        connection.close()
    for answer, _seconds in answers:
        check(answer, LINES, list(range(SLEEPY_ROWS)))
    return [seconds for _answer, seconds in answers]


def write_kmeans(source):
    shutil.copytree(TESTS.parent / "examples/kmeans", source, dirs_exist_ok=True)


def build(name, write):
    """Build the bundle of a model with a batch_predictor and pyarrow."""
    bundle = FOLDER / f"batches-{name}/bundle"
    with tempfile.TemporaryDirectory() as folder:  # git and the build ignore ours
        source = Path(folder) / name
        write(source)
        (source / "requirements.txt").write_text("pyarrow\n")
        command = [NACHLASS, "build"]
        subprocess.run([*command, source, "-o", bundle, "-q"], check=True)
    return bundle


def measure(bundle, samples, expected):
    """Return the median seconds of a call, and of a request of each type."""
    bodies = bodies_of(samples)
    calls, requests = [], {media_type: [] for media_type in bodies}
    with (
        ready_list(bundle, samples) as call,
        served(bundle, os.environ, "--workers", "1") as service,
    ):
        connection = http.client.HTTPConnection("127.0.0.1", service.port)
        for media_type, body in bodies.items():
            for answer, _seconds in (post(connection, media_type, body) for _ in range(5)):
                check(answer, media_type, expected)
            call()
        for _ in range(ROUNDS):
            calls.append(call())
            for media_type, body in bodies.items():
                requests[media_type].append(post(connection, media_type, body)[1])
        connection.close()
    return median(calls), {media_type: median(seconds) for media_type, seconds in requests.items()}


@contextmanager
def ready_list(bundle, samples):
    """Start a process that calls batch_predictor; yield a function that times one call."""
    file = FOLDER / "samples.json"
    file.write_text(json.dumps(samples))
    command = [python_of(bundle, os.environ), "batch_loop.py", file]
    process = subprocess.Popen(
        list(map(str, command)),
        cwd=HERE,
        env={**os.environ, "BUNDLE": str(bundle), "OMP_NUM_THREADS": "2"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"

    def call():
        process.stdin.write("\n")
        process.stdin.flush()
        return float(process.stdout.readline())

    try:
        yield call
    finally:
        process.stdin.close()
        process.wait()


def bodies_of(samples):
    """Return the samples as a body of each type."""
    if isinstance(samples[0], list):
        table = pa.table({f"x{n}": column for n, column in enumerate(zip(*samples, strict=True))})
    else:
        table = pa.table({"text": samples})
    stream, file = io.BytesIO(), io.BytesIO()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    pq.write_table(table, file)
    return {
        ARROW: stream.getvalue(),
        LINES: b"".join(json.dumps(sample).encode() + b"\n" for sample in samples),
        "application/vnd.apache.parquet": file.getvalue(),
    }


def post(connection, media_type, body):
    """Return the response and its duration in seconds."""
    started = time.perf_counter()
    connection.request("POST", "/predict", body, {"Content-Type": media_type})
    answer = connection.getresponse().read()
    return answer, time.perf_counter() - started


def check(answer, media_type, expected):
    """Check that the predictions are those of the notebook."""
    if media_type == LINES:
        predictions = [json.loads(line)["prediction"] for line in answer.splitlines()]
    elif media_type == ARROW:
        predictions = pa.ipc.open_stream(answer).read_all()["prediction"].to_pylist()
    else:
        predictions = pq.read_table(io.BytesIO(answer))["prediction"].to_pylist()
    if not agree(expected, predictions):
        raise RuntimeError(f"{media_type}: the predictions differ from the notebook's")


if __name__ == "__main__":
    main()
