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


def test_everything_is_what_is_required_and_not_the_kernel(training):
    names = {"cloudpickle", "model", "base", "speed", "hint", "hint-data", "plots"}
    assert training.everything == names


def test_what_grows_has_reasons(training):
    assert training.closure({"model": IMPORTED, "kernel": IMPORTED, "absent": IMPORTED}) == {
        "cloudpickle": SERVICE,
        "model": IMPORTED,
        "base": "needed by model",
        "speed": "needed by model",
    }


def test_with_extras_what_is_optional_comes_with_its_own_needs(training):
    closure = training.closure({"base": IMPORTED}, with_extras=True)
    assert closure == {
        "cloudpickle": SERVICE,
        "base": IMPORTED,
        "hint": OPTIONAL,
        "hint-data": OPTIONAL,
    }


def test_the_rest_is_told_by_its_modules(training):
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


def test_what_was_decided_with_samples_does_not_do_without(training, memory):
    memory.write(kept(training), careful=False)
    assert memory.read(training, careful=True) == {}
    memory.write(kept(training), careful=True)
    assert memory.read(training, careful=True)


def test_other_requirements_are_decided_separately(training, memory):
    memory.write(kept(training), careful=False)
    assert Memory(memory.file, ("plots",)).read(training, careful=False) == {}


@pytest.mark.parametrize("removed", ["base", "speed", "cloudpickle"])
def test_a_subset_that_lacks_what_it_needs_does_not_hold(training, memory, removed):
    memory.write(kept(training), careful=False)
    changed = json.loads(memory.file.read_text())
    del changed["why"][removed]
    memory.file.write_text(json.dumps(changed))
    assert memory.read(training, careful=False) == {}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"why": []}', '{"why": {}, "named": []}'])
def test_a_damaged_memory_is_none(training, memory, text):
    memory.file.parent.mkdir()
    memory.file.write_text(text)
    assert memory.read(training, careful=False) == {}


class Hiding(Candidate):
    """A model that needs some distributions, without starting a service."""

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
def test_what_a_failure_misses_is_added(training, memory, model, tells):
    chosen = decide(model({"plots", "model"}, tells=tells), training, memory, REQUEST)
    assert chosen.why["plots"] == chosen.why["model"] == SCORED
    assert "hint" not in chosen.why
    assert chosen.why.keys() == {"cloudpickle", "plots", "model", "base", "speed"}


def test_what_nothing_adds_is_given_up(training, memory, model):
    with pytest.raises(UndecidedError, match="with fewer packages it fails: it fails"):
        decide(model({"kernel"}), training, memory, REQUEST)


def test_what_is_remembered_is_not_tried_again(training, memory, model):
    memory.write(kept(training), careful=False)
    asked = model({"plots"})
    chosen = decide(asked, training, memory, REQUEST)
    assert chosen.before
    assert chosen.why.keys() == kept(training).why.keys()
    assert not hasattr(asked, "times")


def test_a_pickle_that_cannot_be_read_is_given_up(training, memory, model):
    asked = model(set())
    (asked.bundle / "model.pickle").write_bytes(b"no pickle")
    with pytest.raises(UndecidedError, match="cannot be read without running it"):
        decide(asked, training, memory, REQUEST)


# A model with scripted answers.


class Scripted(Candidate):
    """Returns the next answer for each proof, and records the hidden distributions."""

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


def test_what_the_model_needs_is_proven_with_the_rest_hidden(training, memory, scripted):
    model = scripted(FINE)
    assert decide(model, training, memory, REQUEST) == Subset({"cloudpickle": SERVICE})
    assert model.hidden == [OTHERS]


def test_what_the_pickle_names_and_what_the_user_names_stay(training, memory, scripted):
    request = ServingRequest(REQUEST.requirements, {"speed": "named by the notebook"})
    model = scripted(FINE, value=PurePath("hint"))
    assert decide(model, training, memory, request).why == {
        "cloudpickle": SERVICE,
        "hint": STRING,
        "hint-data": "needed by hint",
        "speed": "named by the notebook",
    }


def test_who_names_a_distribution_gives_its_reason(training, memory, scripted):
    request = ServingRequest(REQUEST.requirements, {"hint": "named by the notebook"})
    model = scripted(FINE, value=PurePath("hint"))
    assert decide(model, training, memory, request).why["hint"] == "named by the notebook"


def test_when_everything_stays_nothing_is_proven(training, memory, scripted):
    request = ServingRequest(
        REQUEST.requirements, dict.fromkeys(("model", "hint", "plots"), "named")
    )
    model = scripted()
    chosen = decide(model, training, memory, request)
    assert chosen.why.keys() == training.everything
    assert not chosen.before
    assert model.hidden == []


def test_what_an_exception_names_is_added_before_what_was_asked_for(training, memory, scripted):
    model = scripted(failing("plots", stopped=["hint", "plots"]), FINE)
    assert decide(model, training, memory, REQUEST).why == {
        "cloudpickle": SERVICE,
        "plots": SCORED,
        "base": "needed by plots",
    }
    assert model.hidden[1] == ["hint", "hint-data", "kernel", "model", "speed"]


def test_what_was_asked_for_is_added_when_the_exception_names_nothing_hidden(
    training, memory, scripted
):
    model = scripted(failing("absent", stopped=["hint", "kernel"]), FINE)
    chosen = decide(model, training, memory, REQUEST)
    assert chosen.why.keys() == {"cloudpickle", "hint", "hint-data"}
    assert chosen.why["hint"] == SCORED


@pytest.mark.parametrize("answer", [failing(message="no"), failing("kernel", message="no")])
def test_a_failure_that_nothing_can_help_is_told(training, memory, scripted, answer):
    with pytest.raises(UndecidedError, match=r"^with fewer packages it fails: no$"):
        decide(scripted(answer), training, memory, REQUEST)


def test_so_many_attempts_are_made(tmp_path, memory, scripted):
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


def test_a_batch_that_differs_only_with_less_is_a_failure(training, memory, scripted):
    differs = Trial(batch=False, blocked_imports=("hint",), batch_reason="it differs")
    model = scripted(differs, Trial(batch=True), FINE)
    assert decide(model, training, memory, REQUEST).why.keys() == {
        "cloudpickle",
        "hint",
        "hint-data",
    }
    assert model.hidden == [OTHERS, [], ["base", "kernel", "model", "plots", "speed"]]


def test_a_batch_that_differs_with_less_and_cannot_be_helped_is_told(training, memory, scripted):
    differs = Trial(batch=False, blocked_imports=("kernel",), batch_reason="it differs")
    with pytest.raises(UndecidedError, match=r"^with fewer packages it fails: it differs$"):
        decide(scripted(differs, Trial(batch=True)), training, memory, REQUEST)


@pytest.mark.parametrize("whole", [Trial(batch=False), Trial(batch=None), failing()])
def test_a_batch_that_differs_with_everything_as_well_is_none(training, memory, scripted, whole):
    model = scripted(Trial(batch=False, blocked_imports=("hint",)), whole)
    assert decide(model, training, memory, REQUEST).why == {"cloudpickle": SERVICE}
    assert len(model.hidden) == 2


def test_a_batch_that_differs_and_asked_for_nothing_hidden_is_no_failure(
    training, memory, scripted
):
    model = scripted(Trial(batch=False))
    assert decide(model, training, memory, REQUEST).why == {"cloudpickle": SERVICE}
    assert len(model.hidden) == 1


def test_without_samples_what_loading_imports_stays_with_its_options(training, memory, scripted):
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


def test_without_samples_only_a_careful_memory_counts(training, memory, scripted):
    memory.write(kept(training, plots=SCORED), careful=False)
    asked = scripted(Trial(batch=None), has_samples=False)
    assert not decide(asked, training, memory, REQUEST).before
    memory.write(kept(training, plots=SCORED), careful=True)
    assert decide(scripted(has_samples=False), training, memory, REQUEST).before


def test_a_memory_of_less_than_the_model_shows_is_passed_over(training, memory, scripted):
    memory.write(kept(training), careful=False)
    chosen = decide(scripted(FINE, value=PurePath("hint")), training, memory, REQUEST)
    assert (chosen.before, chosen.why.keys()) == (False, {"cloudpickle", "hint", "hint-data"})


def test_what_is_remembered_and_shown_has_todays_reason(training, memory, scripted):
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


def test_a_memory_of_what_the_model_shows_is_enough(training, memory, scripted):
    memory.write(Subset({"cloudpickle": SERVICE}), careful=False)
    chosen = decide(scripted(), training, memory, REQUEST)
    assert chosen == Subset({"cloudpickle": SERVICE}, before=True)


def test_what_code_imports_has_its_reason(training, memory, scripted):
    def predictor(sample):
        import hint

        return hint

    chosen = decide(scripted(FINE, value=(None, predictor)), training, memory, REQUEST)
    assert chosen.why == {
        "cloudpickle": SERVICE,
        "hint": IMPORTED,
        "hint-data": "needed by hint",
    }


def test_a_memory_is_a_file_that_is_complete_or_not_there(training, memory):
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


def test_what_only_training_needs_is_left_out_and_hidden(boosted, memory, scripted, value):
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


def test_what_another_needs_for_more_than_training_stays(boosted):
    training, _request = boosted()
    why = training.closure({"xgboost": IMPORTED, "torch": IMPORTED})
    assert why["nvidia-nccl-cu12"] == "needed by torch"
    assert training.training_only(why) == {}


def test_what_only_training_needs_stays_when_it_is_asked_for(boosted, memory, scripted, value):
    training, request = boosted()
    answer = Trial(batch=None, blocked_imports=("nvidia-nccl-cu12", "torch"))
    model = scripted(answer, value=value)
    chosen = decide(model, training, memory, request)
    assert chosen.why["nvidia-nccl-cu12"] == SCORED
    assert chosen.why["nccl-data"] == "needed by nvidia-nccl-cu12"
    assert "torch" not in chosen.why
    assert len(model.hidden) == 1


def test_what_only_training_needs_stays_when_the_user_names_it(boosted, memory, scripted, value):
    training, request = boosted(**{"nvidia-nccl-cu12": "named"})
    model = scripted(FINE, value=value)
    assert decide(model, training, memory, request).why["nvidia-nccl-cu12"] == "named"


def test_what_only_training_needs_stays_when_the_models_code_refers_to_it(
    boosted, memory, scripted
):
    def predictor(sample):
        from nvidia.nccl import lib

        return lib

    training, request = boosted()
    model = scripted(FINE, value=(None, predictor))
    assert decide(model, training, memory, request).why["nvidia-nccl-cu12"] == IMPORTED


def test_without_samples_what_only_training_needs_stays(boosted, memory, scripted):
    training, request = boosted()
    answer = Trial(batch=None, imported=("xgboost",))
    chosen = decide(scripted(answer, has_samples=False), training, memory, request)
    assert chosen.why["nvidia-nccl-cu12"] == chosen.why["nccl-data"] == OPTIONAL
    assert "torch" not in chosen.why


def test_a_subset_without_what_only_training_needs_is_remembered(boosted, memory, scripted, value):
    training, request = boosted()
    memory.write(decide(scripted(FINE, value=value), training, memory, request), careful=False)
    again = decide(scripted(value=value), training, memory, request)
    assert again.before
    assert again.why.keys() == {"cloudpickle", "xgboost", "base"}


# Sizes and modules.


def test_the_size_is_of_the_files(training):
    sizes = training.provided.sizes
    assert sizes["model"] > 0
    assert training.size(["model", "base"]) == sizes["model"] + sizes["base"]
    assert training.size([]) == 0


def test_a_module_of_two_distributions_is_hidden_with_neither_alone(tmp_path):
    for name in ("one", "two"):
        files = {"shared/__init__.py": "", f"{name}.py": ""}
        with zipfile.ZipFile(make_wheel(tmp_path / "more", name=name, files=files)) as archive:
            archive.extractall(tmp_path / "both")
    training = Training(tmp_path / "both", ServingRequest(("one", "two"), {}))
    assert training.without({"one"}) == {"two": ["two"]}
    assert training.without(()) == {"one": ["one", "shared"], "two": ["shared", "two"]}


def test_a_distribution_may_have_several_extras(tmp_path):
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


def test_extras_of_all_mentions_of_a_requirement_are_kept(site):
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


def test_the_service_is_told_what_to_hide(tmp_path, monkeypatch):
    asked = []

    def run_service(*arguments, **options):
        asked.append((arguments, options))
        return FINE, "said"

    monkeypatch.setattr(deciding, "run_service", run_service)
    python, work, deadline = tmp_path / "env/bin/python", tmp_path / "a/b", Deadline()
    bundle, environment = tmp_path / "bundle", {"EPOCHS": "3"}
    model = Candidate(bundle, (), True, python, work, environment, deadline)
    for hidden in ({"hint": ["hint", "a.b"]}, {}):
        assert model.prove_without(hidden) == FINE
        assert json.loads((work / "hidden.json").read_text()) == hidden
    arguments, options = asked[0]
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
