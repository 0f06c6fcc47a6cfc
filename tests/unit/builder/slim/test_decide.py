import json
import zipfile
from pathlib import PurePath

import pytest

from nachlass_builder.foundation.process import Deadline
from nachlass_builder.packages.bytecode import bytecode_folder
from nachlass_builder.proof.answer import Failure, Trial
from nachlass_builder.slim import decide as deciding
from nachlass_builder.slim.decide import ROUNDS, Candidate, UndecidedError, decide
from nachlass_builder.slim.memory import Memory
from nachlass_builder.slim.training import (
    EARLIER_BUILD,
    IMPORTED,
    LOADED,
    OPTIONAL,
    SCORED,
    SERVICE,
    STRING,
    ServingRequest,
    Subset,
    Training,
)
from support.wheels import make_wheel

WHEELS = (
    {"name": "cloudpickle"},
    {"name": "model", "requires": ["base", "speed; extra == 'fast'"], "extras": ["fast"]},
    {"name": "base", "requires": ["hint; extra == 'hints'"], "extras": ["hints"]},
    {"name": "speed"},
    {"name": "hint", "requires": ["hint-data"]},
    {"name": "hint-data"},
    {"name": "plots", "requires": ["base"]},
    {"name": "kernel"},
    {"name": "nachlass-service"},
)
REQUEST = ServingRequest(("model[fast]", "hint", "plots>=1"), {})


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    for wheel in WHEELS:
        with zipfile.ZipFile(make_wheel(folder / "wheels", **wheel)) as archive:
            archive.extractall(folder / "site-packages")
    return folder / "site-packages"


@pytest.fixture
def training(site):
    return Training(site, REQUEST)


@pytest.fixture
def memory(tmp_path):
    return Memory(tmp_path / "slim" / "lock.json", ())


def test_the_full_set_is_the_requirements_without_the_kernel(training):
    names = {"cloudpickle", "model", "base", "speed", "hint", "hint-data", "plots"}
    assert training.everything == names


def test_the_closure_gives_a_reason_for_each_distribution(training):
    assert training.closure({"model": IMPORTED, "kernel": IMPORTED, "absent": IMPORTED}) == {
        "cloudpickle": SERVICE,
        "model": IMPORTED,
        "base": "needed by model",
        "speed": "needed by model",
    }


def test_the_closure_with_extras_includes_optional_dependencies(training):
    closure = training.closure({"base": IMPORTED}, with_extras=True)
    assert closure == {
        "cloudpickle": SERVICE,
        "base": IMPORTED,
        "hint": OPTIONAL,
        "hint-data": OPTIONAL,
    }


def test_the_remaining_distributions_are_listed_with_their_modules(training):
    rest = training.without({"cloudpickle", "model", "base", "speed", "hint", "hint-data"})
    assert rest == {"kernel": ["kernel"], "plots": ["plots"]}


def kept(training, **more):
    return Subset(training.closure({"model": IMPORTED, **more}))


def test_a_subset_is_remembered(training, memory):
    assert memory.read(training, careful=False) == {}
    memory.write(kept(training, plots=SCORED), careful=False)
    before = memory.read(training, careful=False)
    assert before["model"] == EARLIER_BUILD
    assert before["plots"] == EARLIER_BUILD
    assert before["cloudpickle"] == SERVICE
    memory.forget()
    assert memory.read(training, careful=False) == {}


def test_a_decision_with_samples_does_not_hold_without_samples(training, memory):
    memory.write(kept(training), careful=False)
    assert memory.read(training, careful=True) == {}
    memory.write(kept(training), careful=True)
    assert memory.read(training, careful=True)


def test_other_requirements_are_decided_separately(training, memory):
    memory.write(kept(training), careful=False)
    assert Memory(memory.file, ("plots",)).read(training, careful=False) == {}


@pytest.mark.parametrize("removed", ["base", "speed", "cloudpickle"])
def test_a_remembered_subset_without_its_dependencies_is_ignored(training, memory, removed):
    memory.write(kept(training), careful=False)
    changed = json.loads(memory.file.read_text())
    del changed["why"][removed]
    memory.file.write_text(json.dumps(changed))
    assert memory.read(training, careful=False) == {}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"why": []}', '{"why": {}, "named": []}'])
def test_a_damaged_record_is_ignored(training, memory, text):
    memory.file.parent.mkdir()
    memory.file.write_text(text)
    assert memory.read(training, careful=False) == {}


class Hiding(Candidate):
    """A model that needs some distributions; starts no service."""

    def prove_without(self, hidden):
        object.__setattr__(self, "times", getattr(self, "times", 0) + 1)
        missing = self.needs & hidden.keys()
        if not missing:
            return Trial(batch=None, blocked_imports=tuple(sorted(hidden)[:1]))
        return failing(*sorted(missing)[: int(self.tells)], stopped=sorted(missing))


@pytest.fixture
def model(tmp_path):
    def make(needs, *, tells=True):
        import cloudpickle

        (tmp_path / "model.pickle").write_bytes(cloudpickle.dumps((None, None)))
        made = Hiding(tmp_path, (), True, tmp_path, tmp_path, {}, None)
        object.__setattr__(made, "needs", needs)
        object.__setattr__(made, "tells", tells)
        return made

    return make


@pytest.mark.parametrize("tells", [True, False])
def test_distributions_missing_after_a_failure_are_added(training, memory, model, tells):
    chosen = decide(model({"plots", "model"}, tells=tells), training, memory, REQUEST)
    assert chosen.why["plots"] == chosen.why["model"] == SCORED
    assert "hint" not in chosen.why
    assert chosen.why.keys() == {"cloudpickle", "plots", "model", "base", "speed"}


def test_a_failure_that_no_distribution_fixes_is_given_up(training, memory, model):
    with pytest.raises(UndecidedError, match="with fewer packages it fails: it fails"):
        decide(model({"kernel"}), training, memory, REQUEST)


def test_a_remembered_subset_is_not_proven_again(training, memory, model):
    memory.write(kept(training), careful=False)
    candidate = model({"plots"})
    chosen = decide(candidate, training, memory, REQUEST)
    assert chosen.before
    assert chosen.why.keys() == kept(training).why.keys()
    assert not hasattr(candidate, "times")


def test_an_unreadable_pickle_is_given_up(training, memory, model):
    candidate = model(set())
    (candidate.bundle / "model.pickle").write_bytes(b"no pickle")
    with pytest.raises(UndecidedError, match="cannot be read without running it"):
        decide(candidate, training, memory, REQUEST)


# A model with scripted results.


class Scripted(Candidate):
    """Returns the next scripted result for each proof, and records the hidden distributions."""

    def prove_without(self, hidden):
        self.hidden.append(sorted(hidden))
        answer = self.answers.pop(0)
        return answer(hidden) if callable(answer) else answer


@pytest.fixture
def scripted(tmp_path):
    def make(*answers, value=(None, None), has_samples=True):
        import cloudpickle

        (tmp_path / "model.pickle").write_bytes(cloudpickle.dumps(value))
        made = Scripted(tmp_path, (), has_samples, tmp_path, tmp_path, {}, None)
        object.__setattr__(made, "answers", list(answers))
        object.__setattr__(made, "hidden", [])
        return made

    return make


FINE = Trial(batch=None)
OTHERS = ["base", "hint", "hint-data", "kernel", "model", "plots", "speed"]


def failing(*missing, stopped=(), message="it fails"):
    return Failure("raised", message, missing=missing, blocked_imports=tuple(stopped))


def test_the_model_is_proven_with_the_other_distributions_hidden(training, memory, scripted):
    model = scripted(FINE)
    assert decide(model, training, memory, REQUEST) == Subset({"cloudpickle": SERVICE})
    assert model.hidden == [OTHERS]


def test_distributions_named_by_the_pickle_or_the_user_are_kept(training, memory, scripted):
    request = ServingRequest(REQUEST.requirements, {"speed": "named by the notebook"})
    model = scripted(FINE, value=PurePath("hint"))
    assert decide(model, training, memory, request).why == {
        "cloudpickle": SERVICE,
        "hint": STRING,
        "hint-data": "needed by hint",
        "speed": "named by the notebook",
    }


def test_the_reason_given_by_the_user_takes_precedence(training, memory, scripted):
    request = ServingRequest(REQUEST.requirements, {"hint": "named by the notebook"})
    model = scripted(FINE, value=PurePath("hint"))
    assert decide(model, training, memory, request).why["hint"] == "named by the notebook"


def test_nothing_is_proven_if_every_distribution_is_kept(training, memory, scripted):
    request = ServingRequest(
        REQUEST.requirements, dict.fromkeys(("model", "hint", "plots"), "named")
    )
    model = scripted()
    chosen = decide(model, training, memory, request)
    assert chosen.why.keys() == training.everything
    assert not chosen.before
    assert model.hidden == []


def test_distributions_named_by_an_exception_are_added_first(training, memory, scripted):
    model = scripted(failing("plots", stopped=["hint", "plots"]), FINE)
    assert decide(model, training, memory, REQUEST).why == {
        "cloudpickle": SERVICE,
        "plots": SCORED,
        "base": "needed by plots",
    }
    assert model.hidden[1] == ["hint", "hint-data", "kernel", "model", "speed"]


def test_blocked_imports_are_added_if_the_exception_names_no_hidden_one(training, memory, scripted):
    model = scripted(failing("absent", stopped=["hint", "kernel"]), FINE)
    chosen = decide(model, training, memory, REQUEST)
    assert chosen.why.keys() == {"cloudpickle", "hint", "hint-data"}
    assert chosen.why["hint"] == SCORED


@pytest.mark.parametrize("answer", [failing(message="no"), failing("kernel", message="no")])
def test_a_failure_that_cannot_be_fixed_is_reported(training, memory, scripted, answer):
    with pytest.raises(UndecidedError, match=r"^with fewer packages it fails: no$"):
        decide(scripted(answer), training, memory, REQUEST)


def test_the_number_of_attempts_is_limited(tmp_path, memory, scripted):
    names = [f"part{number}" for number in range(ROUNDS + 1)]
    for name in ["cloudpickle", *names]:
        with zipfile.ZipFile(make_wheel(tmp_path / "more", name=name)) as archive:
            archive.extractall(tmp_path / "parts")
    request = ServingRequest(tuple(names), {})
    training = Training(tmp_path / "parts", request)
    failures = [failing(name) for name in names]
    with pytest.raises(
        UndecidedError, match=f"^packages are still missing after {ROUNDS} attempts$"
    ):
        decide(scripted(*failures), training, memory, request)
    chosen = decide(scripted(*failures[: ROUNDS - 1], FINE), training, memory, request)
    assert chosen.why == {"cloudpickle": SERVICE, **dict.fromkeys(names[: ROUNDS - 1], SCORED)}


def test_a_batch_that_differs_only_with_fewer_packages_is_a_failure(training, memory, scripted):
    differs = Trial(batch=False, blocked_imports=("hint",), batch_reason="it differs")
    model = scripted(differs, Trial(batch=True), FINE)
    assert decide(model, training, memory, REQUEST).why.keys() == {
        "cloudpickle",
        "hint",
        "hint-data",
    }
    assert model.hidden == [OTHERS, [], ["base", "kernel", "model", "plots", "speed"]]


def test_an_unfixable_batch_difference_with_fewer_packages_is_reported(training, memory, scripted):
    differs = Trial(batch=False, blocked_imports=("kernel",), batch_reason="it differs")
    with pytest.raises(UndecidedError, match=r"^with fewer packages it fails: it differs$"):
        decide(scripted(differs, Trial(batch=True)), training, memory, REQUEST)


@pytest.mark.parametrize("whole", [Trial(batch=False), Trial(batch=None), failing()])
def test_a_batch_that_also_differs_with_all_packages_is_not_a_failure(
    training, memory, scripted, whole
):
    model = scripted(Trial(batch=False, blocked_imports=("hint",)), whole)
    assert decide(model, training, memory, REQUEST).why == {"cloudpickle": SERVICE}
    assert len(model.hidden) == 2


def test_a_batch_that_differs_without_blocked_imports_is_not_a_failure(training, memory, scripted):
    model = scripted(Trial(batch=False))
    assert decide(model, training, memory, REQUEST).why == {"cloudpickle": SERVICE}
    assert len(model.hidden) == 1


def test_without_samples_imported_distributions_are_kept_with_their_extras(
    training, memory, scripted
):
    model = scripted(Trial(batch=None, imported=("base", "json", "cloudpickle")), has_samples=False)
    assert decide(model, training, memory, REQUEST) == Subset(
        {"cloudpickle": SERVICE, "base": LOADED, "hint": OPTIONAL, "hint-data": OPTIONAL}
    )
    assert model.hidden == [[]]


def test_without_samples_a_model_that_does_not_load_is_given_up(training, memory, scripted):
    with pytest.raises(UndecidedError, match=r"^it does not load$"):
        decide(
            scripted(failing(message="it does not load"), has_samples=False),
            training, memory, REQUEST,
        )  # fmt: skip


def test_without_samples_only_a_careful_decision_is_reused(training, memory, scripted):
    memory.write(kept(training, plots=SCORED), careful=False)
    candidate = scripted(Trial(batch=None), has_samples=False)
    assert not decide(candidate, training, memory, REQUEST).before
    memory.write(kept(training, plots=SCORED), careful=True)
    assert decide(scripted(has_samples=False), training, memory, REQUEST).before


def test_a_decision_that_lacks_a_reference_of_the_model_is_ignored(training, memory, scripted):
    memory.write(kept(training), careful=False)
    chosen = decide(scripted(FINE, value=PurePath("hint")), training, memory, REQUEST)
    assert (chosen.before, chosen.why.keys()) == (False, {"cloudpickle", "hint", "hint-data"})


def test_a_remembered_distribution_gets_the_current_reason(training, memory, scripted):
    memory.write(kept(training, hint=SCORED), careful=False)
    chosen = decide(scripted(value=PurePath("hint")), training, memory, REQUEST)
    assert chosen == Subset(
        {
            "cloudpickle": SERVICE,
            "model": EARLIER_BUILD,
            "hint": STRING,
            "base": "needed by model",
            "speed": "needed by model",
            "hint-data": "needed by hint",
        },
        before=True,
    )


def test_a_decision_that_covers_the_references_of_the_model_is_reused(training, memory, scripted):
    memory.write(Subset({"cloudpickle": SERVICE}), careful=False)
    chosen = decide(scripted(), training, memory, REQUEST)
    assert chosen == Subset({"cloudpickle": SERVICE}, before=True)


def test_imports_in_code_are_given_as_the_reason(training, memory, scripted):
    def predictor(sample):
        import hint

        return hint

    chosen = decide(scripted(FINE, value=(None, predictor)), training, memory, REQUEST)
    assert chosen.why == {
        "cloudpickle": SERVICE,
        "hint": IMPORTED,
        "hint-data": "needed by hint",
    }


def test_the_record_is_written_atomically(training, memory):
    memory = Memory(memory.file.parent / "deeper" / "lock.json", ())
    memory.write(Subset({"a": "b"}), careful=True)
    content = {"why": {"a": "b"}, "named": [], "careful": True}
    assert memory.file.read_text() == json.dumps(content, indent=2)
    assert list(memory.file.parent.iterdir()) == [memory.file]
    Memory(memory.file, ("x", "y")).write(Subset({}), careful=False)
    assert json.loads(memory.file.read_text())["named"] == ["x", "y"]
    memory.forget()
    memory.forget()
    assert not memory.file.exists()


# Requirements only for training.

BOOSTED = (
    {"name": "cloudpickle"},
    {"name": "xgboost", "requires": ["base", "nvidia-nccl-cu12", "nvidia-nccl-cu13"]},
    {"name": "base"},
    {
        "name": "nvidia-nccl-cu12",
        "requires": ["nccl-data"],
        "files": {"nvidia/nccl/lib/a.so.2": ""},
    },
    {"name": "nccl-data"},
    {"name": "torch", "requires": ["nvidia-nccl-cu12"]},
)
LEFT_OUT = {"nvidia-nccl-cu12": "xgboost", "nccl-data": "nvidia-nccl-cu12"}


@pytest.fixture(scope="module")
def boosted_site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("boosted")
    for wheel in BOOSTED:
        with zipfile.ZipFile(make_wheel(folder / "wheels", **wheel)) as archive:
            archive.extractall(folder / "site-packages")
    return folder / "site-packages"


@pytest.fixture
def boosted(boosted_site):
    """Return a function for a training environment with distributions that the user names."""

    def boosted(**named):
        request = ServingRequest(("xgboost", "torch"), named)
        return Training(boosted_site, request), request

    return boosted


@pytest.fixture
def value():
    """Return a predictor that imports xgboost, pickled by value."""

    def predictor(sample):
        import xgboost

        return xgboost

    return None, predictor


def test_training_only_dependencies_are_left_out_and_hidden(boosted, memory, scripted, value):
    training, request = boosted()
    model = scripted(FINE, value=value)
    chosen = decide(model, training, memory, request)
    assert chosen.why == {
        "cloudpickle": SERVICE,
        "xgboost": IMPORTED,
        "base": "needed by xgboost",
    }
    assert model.hidden == [["nccl-data", "nvidia-nccl-cu12", "torch"]]
    assert training.training_only(chosen.why) == LEFT_OUT
    assert training.without(chosen.why)["nvidia-nccl-cu12"] == ["nvidia.nccl.lib"]


def test_a_dependency_needed_for_more_than_training_is_kept(boosted):
    training, _request = boosted()
    why = training.closure({"xgboost": IMPORTED, "torch": IMPORTED})
    assert why["nvidia-nccl-cu12"] == "needed by torch"
    assert training.training_only(why) == {}


def test_a_training_only_dependency_is_kept_if_it_is_imported(boosted, memory, scripted, value):
    training, request = boosted()
    answer = Trial(batch=None, blocked_imports=("nvidia-nccl-cu12", "torch"))
    model = scripted(answer, value=value)
    chosen = decide(model, training, memory, request)
    assert chosen.why["nvidia-nccl-cu12"] == SCORED
    assert chosen.why["nccl-data"] == "needed by nvidia-nccl-cu12"
    assert "torch" not in chosen.why
    assert len(model.hidden) == 1


def test_a_training_only_dependency_is_kept_if_the_user_names_it(boosted, memory, scripted, value):
    training, request = boosted(**{"nvidia-nccl-cu12": "named"})
    model = scripted(FINE, value=value)
    assert decide(model, training, memory, request).why["nvidia-nccl-cu12"] == "named"


def test_a_training_only_dependency_is_kept_if_the_models_code_refers_to_it(
    boosted, memory, scripted
):
    def predictor(sample):
        from nvidia.nccl import lib

        return lib

    training, request = boosted()
    model = scripted(FINE, value=(None, predictor))
    assert decide(model, training, memory, request).why["nvidia-nccl-cu12"] == IMPORTED


def test_without_samples_training_only_dependencies_are_kept(boosted, memory, scripted):
    training, request = boosted()
    answer = Trial(batch=None, imported=("xgboost",))
    chosen = decide(scripted(answer, has_samples=False), training, memory, request)
    assert chosen.why["nvidia-nccl-cu12"] == chosen.why["nccl-data"] == OPTIONAL
    assert "torch" not in chosen.why


def test_a_subset_without_training_only_dependencies_is_remembered(
    boosted, memory, scripted, value
):
    training, request = boosted()
    memory.write(decide(scripted(FINE, value=value), training, memory, request), careful=False)
    again = decide(scripted(value=value), training, memory, request)
    assert again.before
    assert again.why.keys() == {"cloudpickle", "xgboost", "base"}


# Sizes and modules.


def test_the_size_is_that_of_the_files(training):
    sizes = training.provided.sizes
    assert sizes["model"] > 0
    assert training.size(["model", "base"]) == sizes["model"] + sizes["base"]
    assert training.size([]) == 0


def test_a_module_of_two_distributions_is_hidden_only_with_both(tmp_path):
    for name in ("one", "two"):
        files = {"shared/__init__.py": "", f"{name}.py": ""}
        with zipfile.ZipFile(make_wheel(tmp_path / "more", name=name, files=files)) as archive:
            archive.extractall(tmp_path / "both")
    training = Training(tmp_path / "both", ServingRequest(("one", "two"), {}))
    assert training.without({"one"}) == {"two": ["two"]}
    assert training.without(()) == {"one": ["one", "shared"], "two": ["shared", "two"]}


def test_a_distribution_can_have_several_extras(tmp_path):
    wheels = (
        {"name": "cloudpickle"},
        {"name": "x", "requires": ["y; extra == 'a'", "z; extra == 'b'"], "extras": ["a", "b"]},
        {"name": "y"},
        {"name": "z"},
    )
    for wheel in wheels:
        with zipfile.ZipFile(make_wheel(tmp_path / "more", **wheel)) as archive:
            archive.extractall(tmp_path / "extras")
    training = Training(tmp_path / "extras", ServingRequest(("x[a,b]",), {}))
    assert training.closure({"x": IMPORTED}).keys() == {"cloudpickle", "x", "y", "z"}


def test_the_extras_of_every_mention_of_a_requirement_are_kept(site):
    training = Training(site, ServingRequest(("model", "Model[fast]", "base[hints]"), {}))
    assert training.closure({"model": IMPORTED, "base": IMPORTED}) == {
        "cloudpickle": SERVICE,
        "model": IMPORTED,
        "base": IMPORTED,
        "speed": "needed by model",
        "hint": "needed by base",
        "hint-data": "needed by hint",
    }


# Calling the service.


def test_the_hidden_modules_are_passed_to_the_service(tmp_path, monkeypatch):
    calls = []

    def run_service(*arguments, **options):
        calls.append((arguments, options))
        return FINE, "said"

    monkeypatch.setattr(deciding, "run_service", run_service)
    python, work, deadline = tmp_path / "env/bin/python", tmp_path / "a/b", Deadline()
    bundle, environment = tmp_path / "bundle", {"EPOCHS": "3"}
    model = Candidate(bundle, (), True, python, work, environment, deadline)
    for hidden in ({"hint": ["hint", "a.b"]}, {}):
        assert model.prove_without(hidden) == FINE
        assert json.loads((work / "hidden.json").read_text()) == hidden
    arguments, options = calls[0]
    assert arguments == (python, "prove", bundle, Trial)
    assert options == {
        "work": work,
        "environment": {
            "EPOCHS": "3",
            "PYTHONPYCACHEPREFIX": str(bytecode_folder(python)),
        },
        "deadline": deadline,
        "words": ("--without", str(work / "hidden.json")),
    }
