"""Sends samples of a bundle to its service, changed on request.

python traffic.py BUNDLE URL [--add FIELD=NUMBER] [--seconds 60]
"""

import argparse
import json
import random
import time
import urllib.request
from pathlib import Path


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("url")
    parser.add_argument("--add", metavar="FIELD=NUMBER", help="add a number to a field")
    parser.add_argument("--seconds", type=float, default=60)
    given = parser.parse_args()
    lines = (given.bundle / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    samples = [json.loads(line)["sample"] for line in lines]
    if given.add:
        field, _, number = given.add.partition("=")
        for sample in samples:
            sample[field] += float(number)
    ends_at = time.monotonic() + given.seconds
    while time.monotonic() < ends_at:
        rows = "\n".join(json.dumps(sample) for sample in random.choices(samples, k=10))
        request = urllib.request.Request(
            f"{given.url}/predict", rows.encode(), {"Content-Type": "application/x-ndjson"}
        )
        urllib.request.urlopen(request, timeout=30).close()
        time.sleep(0.2)


if __name__ == "__main__":
    main()
