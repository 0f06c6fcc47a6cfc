"""Calls the predictor in a plain loop for some seconds; prints the calls per second."""

import json
import sys
import time

from the_model import predictor

sample, seconds = json.loads(sys.argv[1]), float(sys.argv[2])
for _ in range(20):
    predictor(sample)
print(flush=True)
sys.stdin.readline()  # both processes start together
count, ends_at = 0, time.monotonic() + seconds
while time.monotonic() < ends_at:
    for _ in range(10):
        predictor(sample)
    count += 10
print(count / seconds)
