"""The manifest's four states, and the published schema of the last."""

import ast
import inspect
import json
import os
from dataclasses import asdict, replace
from inspect import cleandoc
from itertools import pairwise
from textwrap import dedent

import jsonschema
import msgspec
import pytest

from nachlass_builder.bundle import manifest
from nachlass_builder.bundle.manifest import (
    MANIFEST,
    Baseline,
    Draft,
    Locks,
    Manifest,
    MemoryUse,
    Slim,
    decode,
    load_manifest,
    read_manifest,
    write_manifest,
)
from support.manifest import example
from support.project import PROJECT

SCHEMA = PROJECT / "docs" / "manifest.schema.json"


def published():
    """Return the manifest's schema as published in docs/."""
    schema = msgspec.json.schema(Manifest)
    for name, definition in schema["$defs"].items():
        definition["description"] = cleandoc(definition["description"])
        meanings = field_docstrings(getattr(manifest, name))
        for field, of in definition["properties"].items():
            of["description"] = meanings[field]
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps({"$schema": dialect, **schema}, indent=2) + "\n"


def field_docstrings(kind):
    """Return the strings below the fields of a class and its bases, by field."""
    found = {}
    for base in reversed(kind.__mro__[:-1]):
        body = ast.parse(dedent(inspect.getsource(base))).body[0].body
        for field, below in pairwise(body):
            match field, below:
                case ast.AnnAssign(), ast.Expr(value=ast.Constant(value=str(text))):
                    found[field.target.id] = text
    return found


def draft():
    """Return the example as it is before the environment is chosen."""
    whole = decode(example())
    known = {name: fact for name, fact in vars(whole).items() if name in Draft.__annotations__}
    locks = Locks(
        training=whole.locks.training,
        resolution=whole.locks.resolution,
        service=whole.locks.service,
    )
    return Draft(**{**known, "locks": locks})


def test_the_documented_schema_matches_the_code():
    if os.environ.get("NACHLASS_WRITE_SCHEMA"):
        SCHEMA.write_text(published())
    assert SCHEMA.read_text() == published(), "update it: NACHLASS_WRITE_SCHEMA=1 pytest"


def test_the_example_conforms_to_the_schema():
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(example(), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(example(samples={"count": "many"}), schema)


def test_the_example_survives_a_round_trip(tmp_path):
    write_manifest(tmp_path, decode(example()))
    assert json.loads((tmp_path / MANIFEST).read_text()) == example()
    assert load_manifest(tmp_path) == read_manifest(tmp_path) == decode(example())


def test_a_draft_becomes_a_manifest_in_three_steps():
    whole = decode(example())
    unproven = draft().served_with(whole.packages, whole.locks.serving, whole.slim)
    assert unproven.locks == whole.locks
    proven = unproven.proven(
        batch=whole.batch,
        preload=whole.preload,
        memory=whole.memory,
        baseline=whole.baseline,
        synthetic=whole.input.synthetic,
    )
    assert proven.finished(whole.digest) == whole


def test_another_attempt_starts_from_the_same_draft():
    before = draft()
    kept = asdict(before)
    for version in ("1.0", "2.0"):
        slim = Slim(all_because=None, kept={}, left_out={})
        unproven = before.served_with({"alpha": version}, version, slim)
        assert (unproven.packages["alpha"], unproven.locks.serving) == (version, version)
    assert asdict(before) == kept


def test_a_draft_is_not_a_bundle(tmp_path):
    write_manifest(tmp_path, draft())
    assert read_manifest(tmp_path) is None
    with pytest.raises(ValueError, match=r"missing required field `serving` - at `\$\.locks`"):
        load_manifest(tmp_path)


def test_a_bundle_of_an_earlier_version_has_no_synthetic_example():
    document = example()
    del document["input"]["synthetic"]
    assert decode(document) == decode(example(input={"synthetic": None}))


def test_numbers_keep_their_value(tmp_path):
    baseline = Baseline(predictions={"": {"a": 2**70}}, inputs={})
    whole = replace(decode(example()), memory=MemoryUse(loaded=1, scoring=2), baseline=baseline)
    whole = replace(whole, input=replace(whole.input, example=[2**70, 0.1, -0.0]))
    write_manifest(tmp_path, whole)
    assert load_manifest(tmp_path) == whole
    assert load_manifest(tmp_path).input.example[0] == 2**70
