"""The service's commands for the builder: `prove` and `predict`. Model environment.

    python -P -m nachlass_service prove BUNDLE ANSWER [--forked SECONDS [--batch]]
    python -P -m nachlass_service predict BUNDLE ANSWER < sample.json

The answer is JSON, written to the file ANSWER, so that what the user's code
prints cannot spoil it. `prove` is described in prove.py; `predict` answers
{"prediction": ...} or {"error": ...}, the latter as in failure.py.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from nachlass_service.bundle import Bundle
from nachlass_service.errors import ServiceError
from nachlass_service.failure import as_data
from nachlass_service.model import load_model
from nachlass_service.prove import prove, prove_forked
from nachlass_service.strict_json import dumps, loads


def main() -> None:
    """Run one command; the status is 0 whenever an answer was written."""
    parser = argparse.ArgumentParser(prog="nachlass_service")
    parser.add_argument("command", choices=("prove", "predict"))
    parser.add_argument("bundle", type=Path)
    parser.add_argument("answer", type=Path)
    parser.add_argument("--forked", type=float, metavar="SECONDS")
    parser.add_argument("--batch", action="store_true")
    arguments = parser.parse_args()
    # The model's folder becomes the working directory.
    answer_file = arguments.answer.resolve()
    bundle = Bundle.open(arguments.bundle)
    try:
        if arguments.command == "predict":
            answer = {"prediction": load_model(bundle).answer(loads(sys.stdin.buffer.read()))}
        elif arguments.forked is not None:
            answer = prove_forked(bundle, arguments.forked, batch=arguments.batch)
        else:
            answer = prove(bundle)
    except ServiceError as error:
        answer = {"error": as_data(error, bundle)}
    answer_file.write_text(dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main()
