"""The interpretation of the service's result: a proof with notes, or an error."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nachlass_builder.bundle.manifest import Baseline, MemoryUse
from nachlass_builder.foundation.errors import Place, ProofError
from nachlass_builder.foundation.process import Completed, Deadline
from nachlass_builder.notebook.registered_classes import RegisteredClass
from nachlass_builder.proof.answer import Predicted, Proven
from nachlass_builder.proof.describe_features import MIN_SAMPLES
from nachlass_builder.proof.proof import (
    INCLUDE_FILES,
    MOVE_TO_MODULE,
    RELATIVE_PATHS,
    prove,
    run_service,
    service_environment,
)

SERVING, TRAINING = Path("/serving/bin/python"), Path("/training/bin/python")
PLACE = Place("model.ipynb", 2, 1)
MIB = 1 << 20
PROVEN = {
    "samples": MIN_SAMPLES,
    "batch": True,
    "batch_reason": None,
    "forked": True,
    "forked_reason": None,
    "synthetic": [0.5],
    "memory": {"loaded": 1000, "scoring": 2000},
    "baseline": {"predictions": {"": {"ham": 50}}, "inputs": {}},
}
FAILED = {
    "code": "raised",
    "message": "ValueError: no file",
    "missing": [],
    "where": None,
    "traceback": "model.ipynb, cell 1, line 2, in predictor\n  1 / 0",
}


@dataclass
class Service:
    """Replaces the interpreters: each returns the result given for its path."""

    answers: dict
    asked: list = field(default_factory=list)

    def run(self, command, **options):
        self.asked.append((command, options))
        answer = self.answers[command[0]]
        if answer is not None:
            Path(command[6]).write_text(json.dumps(answer))
        return Completed(0 if answer is not None else -11, "", "Fatal Python error: x\n")


@pytest.fixture
def proof(tmp_path):
    """Return a function that proves with these results of the serving and training environments."""

    def proof(serving, training=None, lock=None, has_training=True, **known):
        service = Service({SERVING: serving, TRAINING: training})
        return prove(
            SERVING,
            TRAINING if has_training else None,
            tmp_path / "bundle",
            work=tmp_path / "work",
            environment={"BUCKETS": "10", "OMP_NUM_THREADS": "8"},
            place=PLACE,
            deleted=Path("/build/ran"),
            deadline=Deadline(),
            lock=lock,
            run=service.run,
            **known,
        )

    return proof


@pytest.fixture
def refusal(proof):
    def refusal(error, training=None, **options):
        with pytest.raises(ProofError) as caught:
            proof({"error": {**FAILED, **error}}, training or {"error": FAILED}, **options)
        return caught.value

    return refusal


def test_a_successful_result_becomes_a_proof(proof):
    proven = proof(PROVEN)
    assert (proven.batch, proven.batch_problem) == (True, None)
    assert proven.preload
    assert proven.memory == MemoryUse(loaded=64 * MIB, scoring=64 * MIB)
    assert proven.baseline == Baseline(predictions={"": {"ham": 50}}, inputs={})
    assert proven.synthetic == [0.5]
    assert proven.notes == ()


@pytest.mark.parametrize(
    ("measured", "rounded"),
    [(1, 64), (64, 64), (65, 128), (511, 512), (513, 640), (3 * 1024 - 1, 3 * 1024)],
)
def test_memory_is_rounded_up_to_absorb_noise(proof, measured, rounded):
    for noise in (-4096, 0):
        memory = {"loaded": measured * MIB + noise, "scoring": measured * MIB + noise}
        assert proof({**PROVEN, "memory": memory}).memory.loaded == rounded * MIB


def test_a_batch_predictor_that_differs_is_not_used_and_the_reason_is_kept(proof):
    proven = proof({**PROVEN, "batch": False, "batch_reason": "sample 3: alone 1, in a batch 2"})
    assert (proven.batch, proven.batch_problem) == (False, "sample 3: alone 1, in a batch 2")


def test_a_model_without_a_batch_predictor_has_no_batch_problem(proof):
    proven = proof({**PROVEN, "batch": None})
    assert (proven.batch, proven.batch_problem) == (False, None)


def test_a_model_that_fails_after_a_fork_is_loaded_by_each_worker(proof):
    proven = proof({**PROVEN, "forked": False, "forked_reason": "sample 1 hangs"})
    assert not proven.preload
    assert proven.notes == ("each worker loads the model separately: sample 1 hangs",)


def test_too_few_samples_for_drift_detection_are_reported(proof):
    proven = proof({**PROVEN, "samples": MIN_SAMPLES - 1})
    assert proven.notes == ("not enough samples to detect drift: 49 (at least 50 needed)",)


def test_both_notes_are_given(proof):
    proven = proof({**PROVEN, "samples": 1, "forked": False, "forked_reason": "it hangs"})
    assert [note.partition(":")[0] for note in proven.notes] == [
        "each worker loads the model separately",
        "not enough samples to detect drift",
    ]


def test_a_model_without_samples_is_not_preloaded(proof):
    proven = proof({**PROVEN, "samples": 0, "batch": None})
    assert not proven.preload
    assert proven.notes == ()


def test_only_the_serving_environment_is_used_if_it_proves_the_model(tmp_path):
    service = Service({SERVING: PROVEN})
    prove(
        SERVING,
        TRAINING,
        tmp_path / "bundle",
        work=tmp_path / "work",
        environment={"BUCKETS": "10", "OMP_NUM_THREADS": "8"},
        place=PLACE,
        deleted=Path("/build/ran"),
        deadline=Deadline(),
        run=service.run,
    )
    [(command, options)] = service.asked
    answer = tmp_path / "work/answer.json"
    assert command == [
        *(SERVING, "-P", "-m", "nachlass_service", "prove"),
        *(tmp_path / "bundle", answer),
    ]
    assert options["doing"] == "running `prove` in the model's environment"
    assert options["cwd"] == tmp_path / "work"
    assert options["environment"]["BUCKETS"] == "10"
    assert options["environment"]["OMP_NUM_THREADS"] == "2"


@pytest.mark.parametrize("training", [{"error": FAILED}, PROVEN])
def test_a_given_lock_is_blamed_if_the_training_environment_proves_the_model(refusal, training):
    raised = refusal({"missing": ["yaml"]}, training, lock="runtime.lock")
    if training is PROVEN:
        assert raised.message == "runtime.lock lacks what the model needs: ValueError: no file"
        assert raised.remedy == "build without --locked to update the locks"
    else:
        assert raised.message == "the model cannot be proven: ValueError: no file"
    assert (raised.place, raised.details) == (PLACE, FAILED["traceback"])


@pytest.mark.parametrize(
    ("owners", "what"),
    [({"pyzmq"}, '"pyzmq"'), ({"b", "a"}, '"a"'), ((), "the distribution that provides `zmq`")],
)
def test_a_module_that_only_the_kernel_has_must_be_required(refusal, owners, what):
    raised = refusal({"missing": ["zmq", "other"]}, PROVEN, owners_of={"zmq": owners}.get)
    assert raised.message == ("the predictor needs zmq, which only the notebook's kernel provides")
    assert raised.remedy == f"add {what} to `requirements`"
    assert (raised.place, raised.details) == (PLACE, FAILED["traceback"])


def test_a_model_that_works_only_in_the_training_environment_is_reported(refusal):
    raised = refusal({"sample": 3}, PROVEN)
    assert raised.message == (
        "the model works only with the packages of the notebook's kernel: ValueError: no file"
    )
    assert (raised.place, raised.remedy) == (PLACE, INCLUDE_FILES)


@pytest.mark.parametrize("training", [{"error": FAILED}, PROVEN])
def test_a_different_prediction_names_its_sample(refusal, training):
    problem = "the notebook predicted 1, the pickled model 2"
    raised = refusal({"code": "differs", "message": problem, "sample": 0}, training)
    assert raised.message == "sample 0: the pickled model and the notebook disagree"
    assert raised.details == problem
    assert raised.place == PLACE
    assert raised.remedy == (
        "the predictor depends on something that is not in the pickle: "
        "kernel state, a changed file, or the environment"
    )


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ({"code": "bundle"}, "the pickle loads only inside the notebook: ValueError: no file"),
        ({"code": "bundle", "sample": 1}, "the pickle loads only inside the notebook: "),
        ({"sample": 0}, "sample 0 fails outside the notebook: ValueError: no file"),
        ({"sample": 12}, "sample 12 fails outside the notebook: ValueError: no file"),
        ({"sample": None}, "the model cannot be proven: ValueError: no file"),
        ({"missing": ["yaml"]}, "the model cannot be proven: ValueError: no file"),
    ],
)
@pytest.mark.parametrize("has_training", [True, False])
def test_a_failure_in_both_environments_is_reported(refusal, error, message, has_training):
    raised = refusal(error, has_training=has_training)
    assert raised.message.startswith(message)
    assert raised.details == FAILED["traceback"]
    assert raised.place == PLACE
    assert raised.remedy == INCLUDE_FILES


def test_the_lock_is_not_blamed_without_a_training_environment(refusal):
    raised = refusal({"missing": ["yaml"]}, PROVEN, lock="runtime.lock", has_training=False)
    assert raised.message == "the model cannot be proven: ValueError: no file"


def test_a_file_in_the_build_folder_is_distinguished_from_others(refusal):
    raised = refusal({"message": "No such file: '/build/ran/data.csv'", "sample": 0})
    assert raised.remedy == RELATIVE_PATHS


def test_a_class_pickled_by_name_must_move_to_a_module(refusal):
    problem = "`Row` is pickled by its name, and only the notebook knows that name"
    raised = refusal({"code": "bundle", "message": problem})
    assert raised.remedy == MOVE_TO_MODULE


def test_classes_that_may_be_registered_are_named(refusal):
    pair = RegisteredClass("Pair", Place("model.ipynb", 2, 1), "trees.register")
    raised = refusal({"sample": 0}, registered=[pair, pair])
    assert raised.remedy == (
        f"{INCLUDE_FILES}\n"
        "`Pair` (model.ipynb, cell 2, line 1) and 1 more: unpickling recreates the class, "
        f"which `trees.register` may not know then: {MOVE_TO_MODULE}"
    )
    assert refusal({"sample": 0}, PROVEN, registered=[pair]).remedy == INCLUDE_FILES


def test_the_location_is_the_users_line_if_it_is_known(refusal):
    raised = refusal({"where": "model.ipynb, cell 1, line 2"})
    assert str(raised.place) == "model.ipynb, cell 1, line 2"


def test_a_crashed_interpreter_is_reported_with_its_output(proof):
    with pytest.raises(ProofError) as caught:
        proof(None, None)
    assert caught.value.message == (
        "the model cannot be proven: the interpreter exited with status -11 before responding"
    )
    assert caught.value.details == "Fatal Python error: x\n"


def test_a_stale_result_is_not_reused(tmp_path):
    def ask(answer):
        service = Service({SERVING: answer})
        return run_service(
            SERVING,
            "predict",
            tmp_path / "bundle",
            Predicted,
            work=tmp_path / "work",
            environment={},
            deadline=Deadline(),
            words=("--one",),
            stdin="[1]",
            run=service.run,
        ), service.asked

    (answer, output), [(command, options)] = ask({"prediction": 1})
    assert (answer, output) == (Predicted(1), "Fatal Python error: x\n")
    assert command[4:] == ["predict", tmp_path / "bundle", tmp_path / "work/answer.json", "--one"]
    assert options["stdin"] == "[1]"
    (answer, _said), _asked = ask(None)
    assert answer.code == "ended"


def test_the_output_of_an_interpreter_is_truncated_to_its_end(tmp_path):
    def run(_command, **_options):
        return Completed(1, "", "x" * 5000 + "the end")

    answer, output = run_service(
        SERVING,
        "prove",
        tmp_path,
        Proven,
        work=tmp_path / "work",
        environment={},
        deadline=Deadline(),
        run=run,
    )
    assert answer.traceback == "x" * 3993 + "the end"
    assert len(output) == 5007


def test_a_model_gets_the_users_environment_without_variables_of_python():
    dropped = ("PIP_INDEX_URL", "UV_INDEX", "PYTHONPATH", "PYTHONHASHSEED", "VIRTUAL_ENV")
    environ = dict.fromkeys((*dropped, "MINE"), "x")
    environment = service_environment(environ, {"MINE": "y", "BUCKETS": "10"})
    assert not environment.keys() & {*dropped}
    assert (environment["MINE"], environment["BUCKETS"]) == ("y", "10")
    assert (environment["PYTHONUTF8"], environment["PYTHONDONTWRITEBYTECODE"]) == ("1", "1")
