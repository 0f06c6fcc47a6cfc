"""The service's commands.

    python -P -m nachlass_service serve BUNDLE [--host --port --workers --local]
    python -P -m nachlass_service load BUNDLE
    python -P -m nachlass_service prove BUNDLE [ANSWER [--without FILE]]
    python -P -m nachlass_service predict BUNDLE ANSWER < sample.json
    python -P -m nachlass_service openapi BUNDLE [ANSWER]
    python -P -m nachlass_service score BUNDLE ANSWER < random fields as JSON, samples.jsonl

`serve` is described in serve.py. `load` checks that a bundle can be served, `prove`
that it predicts as its notebook did (prove_here.py): the exit status is 0, or 1 with a
line that gives the reason. `openapi` prints the body of /openapi.json. With ANSWER, both write
JSON for the builder to that file, as `score` and `predict` always do, because the user's code may
print to standard output.
The JSON is described in prove.py and score.py; `predict` writes {"prediction": ...}, `openapi`
{"text": ...}, and all of them {"error": ...}, as in failure.py.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from nachlass_service.base.errors import ServiceError
from nachlass_service.bundle.bundle import Bundle


def main() -> None:
    """Run one command."""
    arguments = _parser().parse_args()
    try:
        if arguments.command == "serve":
            from nachlass_service.hosting.serve import serve

            serve(arguments)
        elif arguments.command == "load":
            from nachlass_service.proof.rehearsal import load_and_score_few

            load_and_score_few(Bundle.open(arguments.bundle))
        elif arguments.answer is not None:
            _answer(arguments)
        elif arguments.command == "openapi":
            sys.stdout.buffer.write(_openapi(Bundle.open(arguments.bundle)).encode("utf-8"))
        else:
            from nachlass_service.proof.prove_here import prove_here

            print(prove_here(Bundle.open(arguments.bundle)))  # noqa: T201 - the command's output
    except ServiceError as error:
        from nachlass_service.hosting.serve import CANNOT_SERVE

        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - the command's output
        sys.exit(CANNOT_SERVE if arguments.command == "serve" else 1)


def _answer(arguments: argparse.Namespace) -> None:
    """Write the answer for the builder; the exit status is 0 even for an error in it."""
    from nachlass_service.bundle.failure import as_data
    from nachlass_service.bundle.jsonable import dumps

    # Loading the model changes the working directory.
    answer_file = arguments.answer.resolve()
    bundle = Bundle.open(arguments.bundle, proven=arguments.command != "prove")
    try:
        match arguments.command:
            case "prove":
                answer = _prove(bundle, arguments)
            case "score":
                answer = _score(bundle)
            case "openapi":
                answer = {"text": _openapi(bundle)}
            case _:
                answer = _predict(bundle)
    except ServiceError as error:
        answer = {"error": as_data(error, bundle)}
    answer_file.write_text(dumps(answer), encoding="utf-8")


def _predict(bundle: Bundle) -> Mapping[str, object]:
    from nachlass_service.bundle.model import load_model
    from nachlass_service.bundle.strict_json import loads
    from nachlass_service.scoring.sample_schema import SampleSchema
    from nachlass_service.scoring.threads import in_another_thread

    reread = partial(loads, sys.stdin.buffer.read())
    sample = reread()
    model, schema = load_model(bundle), SampleSchema(bundle.manifest.input.schema)
    is_list = model.takes_as_batch(sample)

    def answer() -> object:
        try:
            return model.answer(sample)
        except ServiceError as error:
            raise schema.explain(error, reread, is_list=is_list) from error.__cause__

    return {"prediction": in_another_thread(answer)}


def _openapi(bundle: Bundle) -> str:
    from nachlass_service.base.settings import Settings
    from nachlass_service.web.openapi.document import openapi_text

    return openapi_text(bundle, Settings.from_environ(os.environ))


def _score(bundle: Bundle) -> Mapping[str, object]:
    from nachlass_service.bundle.strict_json import loads
    from nachlass_service.proof.score import score

    random, *recorded = (loads(line) for line in sys.stdin.buffer)
    return score(bundle, recorded, frozenset(random))


def _prove(bundle: Bundle, arguments: argparse.Namespace) -> Mapping[str, object]:
    from nachlass_service.proof.prove import prove, prove_without

    if arguments.without:
        return prove_without(bundle, json.loads(arguments.without.read_text(encoding="utf-8")))
    return prove(bundle, synthesize=True)


def _parser() -> argparse.ArgumentParser:
    """Build the parser of the command line."""
    parser = argparse.ArgumentParser(prog="nachlass_service")
    commands = parser.add_subparsers(dest="command", required=True)
    names = ("serve", "load", "prove", "predict", "openapi", "score")
    words = {name: commands.add_parser(name) for name in names}
    for command in words.values():
        command.add_argument("bundle", type=Path)
    for name in ("predict", "score"):
        words[name].add_argument("answer", type=Path)
    for name in ("prove", "openapi"):
        words[name].add_argument("answer", type=Path, nargs="?")
    words["prove"].add_argument("--without", type=Path, metavar="FILE")
    words["serve"].add_argument("--host", metavar="ADDRESS")
    words["serve"].add_argument("--port", metavar="NUMBER")
    words["serve"].add_argument("--workers", metavar="NUMBER")
    words["serve"].add_argument(
        "--local",
        action="store_true",
        help="serve a copy that later builds do not replace, and show samples on loopback",
    )
    return parser


if __name__ == "__main__":
    main()
