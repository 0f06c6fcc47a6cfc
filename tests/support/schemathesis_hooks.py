"""Bodies that schemathesis cannot make from a schema alone.

OpenAPI 3.1 describes the form's field by `contentSchema`, and batches by their media type.
schemathesis ignores both, and would send any text.
"""

import csv
import io
import json
import os
from pathlib import Path
from urllib.parse import urlencode

import schemathesis
from hypothesis import strategies as st

from nachlass_service.bundle.bundle import Bundle

SAMPLES = st.sampled_from([s for s, _ in Bundle.open(Path(os.environ["BUNDLE"])).samples()])
ROWS = st.lists(SAMPLES, min_size=1, max_size=3)


def form(sample):
    return urlencode({"json_args": json.dumps(sample)}).encode()


def json_lines(rows):
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode()


def csv_of(rows):
    written = io.StringIO()
    writer = csv.writer(written)
    if isinstance(rows[0], dict):
        writer.writerows([[*rows[0]], *(row.values() for row in rows)])
    elif isinstance(rows[0], list):
        writer.writerows([range(len(rows[0])), *rows])
    else:
        writer.writerows([["sample"], *([row] for row in rows)])
    return written.getvalue().encode()


schemathesis.openapi.media_type("application/x-www-form-urlencoded", SAMPLES.map(form))
schemathesis.openapi.media_type(
    "application/x-ndjson", ROWS.map(json_lines), aliases=["application/jsonl"]
)
schemathesis.openapi.media_type("text/csv", ROWS.map(csv_of))
