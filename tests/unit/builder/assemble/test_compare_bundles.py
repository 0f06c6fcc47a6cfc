"""A build says whether the new bundle is identical to the previous one."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from nachlass_builder.assemble import build
from nachlass_builder.bundle.contents import digest_of_bundle
from nachlass_builder.bundle.manifest import decode, write_manifest
from nachlass_builder.bundle.staging import Staging
from nachlass_builder.foundation.progress import Progress
from nachlass_builder.packages.environment import Environment
from nachlass_builder.proof.compare import Predictions
from support.manifest import example

MADE = decode(example())


@pytest.mark.parametrize("is_same", [True, False])
def test_an_identical_bundle_is_reported_as_identical(tmp_path, monkeypatch, capsys, is_same):
    staging, destination = Staging(tmp_path / "making"), tmp_path / "bundle"
    for path in (staging.bundle, destination):
        path.mkdir(parents=True)
        (path / "model.pickle").write_text("of the notebook")
        write_manifest(path, replace(MADE, digest=digest_of_bundle(path, MADE)))
    if not is_same:  # although its manifest does not say so
        (destination / "model.pickle").write_text("changed since")
    predictions = Predictions(count=1, identical=1)
    monkeypatch.setattr(build, "compare_predictions", lambda *_, **__: predictions)
    settings = SimpleNamespace(parameters={})
    prepared = SimpleNamespace(environ={}, settings=settings, deadline=None)
    made = build._Build(prepared, staging, destination, Progress(), fresh=False)
    assert made.compare(Environment(tmp_path, reused=True)) == predictions
    assert ("identical to the previous one" in capsys.readouterr().err) == is_same
