"""Sends mail with a changing share of spam to running services.

    python replay.py BUNDLE URL... [--spam 0.53,0.95,0.75,0] [--seconds 90] [--rate 4]

The mail is from the bundle's samples. For each share, requests of ten messages go to the services
in turn, at the given rate.
"""

import argparse
import itertools
import json
import random
import time
import urllib.request
from pathlib import Path

MESSAGES = 10


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("urls", nargs="+", metavar="URL")
    parser.add_argument("--spam", default="0.53,0.95,0.75,0", help="shares of spam")
    parser.add_argument("--seconds", type=float, default=90, help="duration of each share")
    parser.add_argument("--rate", type=float, default=4, help="requests per second")
    given = parser.parse_args()
    mail = {"spam": [], "legitimate": []}
    for line in (given.bundle / "samples.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        mail[entry["prediction"]].append(entry["sample"])
    urls = itertools.cycle(given.urls)
    for share in map(float, given.spam.split(",")):
        print(f"{share:.0%} spam for {given.seconds:g} s", flush=True)
        ends_at = time.monotonic() + given.seconds
        while time.monotonic() < ends_at:
            kinds = ["spam" if random.random() < share else "legitimate" for _ in range(MESSAGES)]
            send(next(urls), [random.choice(mail[kind]) for kind in kinds])
            time.sleep(1 / given.rate)


def send(url, messages):
    request = urllib.request.Request(
        f"{url.rstrip('/')}/predict",
        json.dumps(messages).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        response.read()


if __name__ == "__main__":
    main()
