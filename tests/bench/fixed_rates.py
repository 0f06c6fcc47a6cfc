"""Latencies at the same rates for all: 50 % and 80 % of FastAPI's maximum.

autocannon (installed from npm into BENCH_DIR) sends requests at a fixed rate, and corrects the
latencies for requests that it could not send in time, so a stalled server does not look better.
Servers alternate for ROUNDS rounds of SECONDS seconds; the figures are medians.
"""

import json
import subprocess
import sys
from statistics import median

from compare import FOLDER, PEERS, ROUNDS, build_models, environment, ours, peer, wait_for, wrk

from nachlass_service.bundle.bundle import Bundle

CONNECTIONS = 64
SECONDS = 8
SHARES = (0.5, 0.8)
MODELS = ("A", "C")
SERVERS = ("ours", "FastAPI", "Flask, threads")
PERCENTILES = {"p50": "p50", "p99": "p99", "p99.9": "p99_9"}


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    bundles = build_models()
    environments = {name: environment(name, bundles["A"]) for name in SERVERS if name in PEERS}
    program = autocannon()

    def start(name, model):
        if name == "ours":
            return ours(bundles[model])
        return peer(name, environments[name], bundles[model])

    for model in MODELS:
        sample, _prediction = next(iter(Bundle.open(bundles[model]).samples()))
        body = json.dumps(sample)
        with start("FastAPI", model) as (pid, url, *_):
            wait_for(url, sample)
            most = max(wrk(pid, url, body, CONNECTIONS, 3).per_s for _ in range(3))
        print(f"{model}: FastAPI's maximum is {most:.0f} requests/s", flush=True)
        found = {}
        for _ in range(ROUNDS):
            for name in SERVERS:
                with start(name, model) as (_pid, url, *_):
                    wait_for(url, sample)
                    run_at(program, url, body, most / 4, 2)  # warms up
                    for share in SHARES:
                        result = run_at(program, url, body, most * share, SECONDS)
                        found.setdefault((share, name), []).append(result)
        for (share, name), results in sorted(found.items()):
            times = ", ".join(
                f"{name} {median(result['latency'][key] for result in results):.1f}"
                for name, key in PERCENTILES.items()
            )
            rate = median(result["requests"]["average"] for result in results)
            failed = sum(result["errors"] + result["non2xx"] for result in results)
            print(
                f"  {share:4.0%} {name:15} {rate:6.0f}/s  {times} ms, {failed} failed", flush=True
            )


def autocannon():
    """Install the load generator once, and return its path."""
    folder = FOLDER / "autocannon"
    program = folder / "node_modules/.bin/autocannon"
    if not program.exists():
        command = ["npm", "install", "--silent", "--prefix", folder, "autocannon"]
        try:
            subprocess.run(command, check=True)
        except FileNotFoundError:
            sys.exit("npm is missing; to enable: apt-get install npm")
    return program


def run_at(program, url, body, rate, seconds):
    """Return a server's results at a fixed rate of requests per second."""
    command = [program, "-j", "-n", "-m", "POST", "-H", "Content-Type=application/json"]
    command += ["-b", body, "-c", CONNECTIONS, "-R", round(rate), "-d", seconds, url]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


if __name__ == "__main__":
    main()
