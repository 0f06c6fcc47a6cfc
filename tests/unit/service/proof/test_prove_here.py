"""The proof on the machine that serves the model, described in words."""

import pytest

from nachlass_service.base.errors import BundleError
from nachlass_service.proof import prove_here as proving
from nachlass_service.proof.prove_here import prove_here
from support.manifest import bundle_with

ANSWERED = "the notebook predicted 1, the pickled model 2"


@pytest.fixture
def describe(tmp_path, monkeypatch):
    """Return a function for the description of this result of a proof."""

    def describe(answer, **manifest):
        monkeypatch.setattr(proving, "prove", lambda bundle: answer)
        return prove_here(bundle_with(tmp_path, **manifest)).partition(" ")[2].partition(" ")[2]

    return describe


def test_a_successful_proof_is_described(describe):
    shown = {"forked": True, "forked_reason": None}
    assert describe({"samples": 3, **shown}) == "predicts as its notebook did: 3 samples"
    assert describe({"samples": 0, **shown}) == (
        "loads; it has no samples to compare its predictions with"
    )


def test_a_failed_proof_is_an_error(describe):
    with pytest.raises(BundleError, match=f"sample 4: {ANSWERED}; the model reads something"):
        describe({"error": {"code": "differs", "message": ANSWERED, "sample": 4}})
    with pytest.raises(BundleError, match=r"such file; add the Debian package .* to apt\.txt"):
        describe(
            {
                "error": {
                    "code": "x",
                    "message": "libx.so: cannot open shared object file: no such file",
                }
            }
        )
    with pytest.raises(BundleError, match=r": no module six$"):
        describe({"error": {"code": "x", "message": "no module six"}})


def test_a_preloaded_model_must_survive_a_fork_here_too(describe):
    hangs = {"samples": 3, "forked": False, "forked_reason": "it hangs"}
    with pytest.raises(BundleError, match="cannot be loaded before a fork here: it hangs"):
        describe(hangs, preload=True)
    assert describe(hangs, preload=False) == "predicts as its notebook did: 3 samples"


def test_a_batch_predictor_in_use_must_work_here_too(describe):
    fails = {"samples": 3, "forked": True, "batch": False, "batch_reason": "it raised"}
    with pytest.raises(BundleError, match="the batch_predictor does not work here: it raised"):
        describe(fails, batch=True)
    assert describe(fails, batch=False) == "predicts as its notebook did: 3 samples"


def test_a_model_that_reads_secrets_is_only_loaded_without_them(describe, monkeypatch):
    raised = {"code": "failed", "message": "the predictor raised KeyError", "sample": 0}
    differs = {"error": {**raised, "missing": []}}
    parameters = {"API_TOKEN": "***", "DATABASE": "postgresql://***@db/x", "GREETING": "hello"}
    monkeypatch.delenv("API_TOKEN", raising=False)
    monkeypatch.setenv("DATABASE", "postgresql://me:pw@db/x")
    description = describe(differs, parameters=parameters)
    assert description == "loads; without API_TOKEN, its predictions are not compared"
    for certain in ({"missing": ["six"]}, {"message": "cannot open shared object file"}):
        with pytest.raises(BundleError):
            describe({"error": {**raised, **certain}}, parameters=parameters)
    shown = {"samples": 3, "forked": True, "forked_reason": None}
    assert describe(shown, parameters=parameters) == "predicts as its notebook did: 3 samples"
    monkeypatch.setenv("API_TOKEN", "x")
    with pytest.raises(BundleError, match="KeyError"):
        describe(differs, parameters=parameters)
