import json
import zipfile

import pytest

from nachlass_builder.slim.decide import (
    BEFORE,
    IMPORTED,
    OPTIONAL,
    SCORED,
    SERVICE,
    Candidate,
    Memory,
    ServingRequest,
    Subset,
    Training,
    UndecidedError,
    decide,
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
WISHES = ServingRequest(("model[fast]", "hint", "plots>=1"), {})


@pytest.fixture
def site(tmp_path):
    for wheel in WHEELS:
        with zipfile.ZipFile(make_wheel(tmp_path / "wheels", **wheel)) as archive:
            archive.extractall(tmp_path / "site-packages")
    return tmp_path / "site-packages"


@pytest.fixture
def training(site):
    return Training(site, WISHES)


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
    assert before["model"] == BEFORE
    assert before["plots"] == BEFORE
    assert before["cloudpickle"] == SERVICE
    memory.forget()
    assert memory.read(training, careful=False) == {}


def test_what_was_decided_with_samples_does_not_do_without(training, memory):
    memory.write(kept(training), careful=False)
    assert memory.read(training, careful=True) == {}
    memory.write(kept(training), careful=True)
    assert memory.read(training, careful=True)


def test_other_wishes_are_decided_anew(training, memory):
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


class Asked(Candidate):
    """A model whose service needs some distributions, and is not started."""

    def prove_without(self, hidden):
        object.__setattr__(self, "times", getattr(self, "times", 0) + 1)
        missing = self.needs & hidden.keys()
        if not missing:
            return {"batch": None, "blocked_imports": sorted(hidden)[:1]}
        error = {"message": "it fails", "missing": sorted(missing)[:1] if self.tells else []}
        return {"error": error, "blocked_imports": sorted(missing)}


@pytest.fixture
def model(tmp_path):
    def make(needs, *, tells=True):
        import cloudpickle

        (tmp_path / "model.pickle").write_bytes(cloudpickle.dumps((None, None)))
        made = Asked(tmp_path, (), True, tmp_path, tmp_path, {}, None)
        object.__setattr__(made, "needs", needs)
        object.__setattr__(made, "tells", tells)
        return made

    return make


@pytest.mark.parametrize("tells", [True, False])
def test_what_a_failure_misses_is_added(training, memory, model, tells):
    chosen = decide(model({"plots", "model"}, tells=tells), training, memory, WISHES)
    assert chosen.why["plots"] == chosen.why["model"] == SCORED
    assert "hint" not in chosen.why
    assert chosen.why.keys() == {"cloudpickle", "plots", "model", "base", "speed"}


def test_what_nothing_adds_is_given_up(training, memory, model):
    with pytest.raises(UndecidedError, match="with less it fails: it fails"):
        decide(model({"kernel"}), training, memory, WISHES)


def test_what_is_remembered_is_not_tried_again(training, memory, model):
    memory.write(kept(training), careful=False)
    asked = model({"plots"})
    chosen = decide(asked, training, memory, WISHES)
    assert chosen.before
    assert chosen.why.keys() == kept(training).why.keys()
    assert not hasattr(asked, "times")


def test_a_pickle_that_cannot_be_read_is_given_up(training, memory, model):
    asked = model(set())
    (asked.bundle / "model.pickle").write_bytes(b"no pickle")
    with pytest.raises(UndecidedError, match="cannot be read without running it"):
        decide(asked, training, memory, WISHES)
