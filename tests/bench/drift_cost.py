"""The cost of drift detection: microseconds of CPU per prediction, milliseconds per scrape.

A model with one label and 20 numeric features, at the default rate; a scrape of 8 workers with
counts, before and after 100 replacements.

    python tests/bench/drift_cost.py
"""

import random
import statistics
import sys
import time
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from nachlass_builder.proof.describe_features import describe_features
from nachlass_builder.proof.describe_predictions import describe_predictions
from nachlass_service.base.settings import Settings
from nachlass_service.bundle.manifest import Baseline
from nachlass_service.metrics.drift_report import report
from nachlass_service.metrics.inputs import Inputs
from nachlass_service.metrics.metrics import Metrics
from support.forked import in_child

FEATURES, WORKERS, RESTARTS = 20, 8, 100
CALLS, ROUNDS = 20_000, 9
RATE = Settings.from_environ({}).input_metrics_rate


def main():
    draw = random.Random(1)
    samples = [[draw.gauss(0, 1) for _ in range(FEATURES)] for _ in range(1000)]
    predictions = [draw.choice(["ham", "spam"]) for _ in samples]
    features = describe_features(samples)
    baseline = baseline_of(features, samples, predictions)
    described = describe_predictions(predictions, None)
    whole = Metrics(
        described, prefix="n", info={}, features=features, baseline=baseline, input_rate=RATE
    )
    bare = Metrics(described, prefix="n", info={})
    for metrics in (whole, bare):
        for slot in range(WORKERS):
            metrics.counters.prepare(slot)
    without = [cost_us(bare, samples, looks=False) for _ in range(ROUNDS)]
    with_drift = [cost_us(whole, samples, looks=True) for _ in range(ROUNDS)]
    print(
        f"per prediction: {min(without):.2f} us counted, {min(with_drift):.2f} us with drift "
        f"({FEATURES} features at a rate of {RATE}): {min(with_drift) - min(without):.2f} us more"
    )
    print(f"{WORKERS} workers: {scrape(whole)}")
    for number in range(RESTARTS):
        replace_worker(whole, number % WORKERS, samples)
    print(f"after {RESTARTS} restarts: {scrape(whole)}")


def baseline_of(features, samples, predictions):
    """Return the baseline as a build writes it."""
    inputs = Inputs(features)
    row = [0] * inputs.width
    for sample in samples:
        for cell in inputs.bin_features(sample):
            row[cell] += 1
    labels = {label: predictions.count(label) for label in set(predictions)}
    return Baseline({"": labels}, inputs.counts(row))


def cost_us(metrics, samples, *, looks):
    started = time.process_time()
    for number in range(CALLS):
        inputs = metrics.bin_features([samples[number % 1000]]) if looks else ()
        metrics.count(["spam"], 0.01, inputs)
    return (time.process_time() - started) / CALLS * 1e6


def scrape(metrics):
    seconds = [time.process_time()]
    for _ in range(50):
        text, _content_type = metrics.exposition("")
        seconds.append(time.process_time())
    scrapes = [1000 * (after - before) for before, after in pairwise(seconds)]
    started = time.process_time()
    report(metrics)
    judged = 1000 * (time.process_time() - started)
    return (
        f"scrape {statistics.median(scrapes):.1f} ms (median; maximum {max(scrapes):.1f}), "
        f"{len(text) / 1000:.0f} kB; /drift {judged:.1f} ms"
    )


def replace_worker(metrics, slot, samples):
    """Run a worker that counts and ends, and frees its slot."""
    metrics.counters.prepare(slot)

    def work():
        metrics.counters.use(slot)
        for sample in samples[:50]:
            metrics.count(["ham"], 0.01, metrics.bin_features([sample]))

    in_child(work)


if __name__ == "__main__":
    main()
