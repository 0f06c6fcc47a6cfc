"""Calls batch_predictor on the samples of a JSON file, once per line of standard input.

Prints the seconds of each call. Runs in the model's environment; BUNDLE names the bundle.
"""

import json
import sys
import time
from pathlib import Path

from the_model import batch_predictor

samples = json.loads(Path(sys.argv[1]).read_text())
print("ready", flush=True)
for _line in sys.stdin:
    started = time.perf_counter()
    batch_predictor(samples)
    print(time.perf_counter() - started, flush=True)
