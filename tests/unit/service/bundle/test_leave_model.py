"""Only a model's own modules are removed when another model replaces it."""

import pickle
import sys
from types import ModuleType

import cloudpickle

from nachlass_service.bundle.model import unload_model
from support.manifest import bundle_with


def test_only_modules_of_the_source_are_forgotten(tmp_path, monkeypatch):
    bundle = bundle_with(tmp_path, entry={"working_directory": ".", "import_folders": ["."]})
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "src")])
    files = {
        "of_the_source": tmp_path / "src/of_the_source.py",
        "of_the_environment": tmp_path / "venv/lib/of_the_environment.py",
        "elsewhere": tmp_path.parent / "elsewhere.py",
    }
    for name, file in files.items():
        module = ModuleType(name)
        module.__file__ = str(file)
        monkeypatch.setitem(sys.modules, name, module)
    unload_model(bundle)
    assert "of_the_source" not in sys.modules
    assert {"of_the_environment", "elsewhere"} <= sys.modules.keys()
    assert str(tmp_path / "src") not in sys.path


def test_a_class_is_not_mistaken_for_that_of_the_next_version(tmp_path):
    """The class has the same id in the next version if its source is the same."""
    bundle = bundle_with(tmp_path, entry={"working_directory": ".", "import_folders": ["."]})
    pickled, ids = [], []
    for rate in (1, 2):
        made = type("Scorer", (), {"rate": rate, "__module__": "__main__"})
        pickled.append(cloudpickle.dumps(made))
        ids.append(cloudpickle.cloudpickle._DYNAMIC_CLASS_TRACKER_BY_CLASS[made].encode())
    pickled[1] = pickled[1].replace(ids[1], ids[0])
    before = pickle.loads(pickled[0])
    unload_model(bundle)
    after = pickle.loads(pickled[1])
    assert (before.rate, after.rate) == (1, 2)
