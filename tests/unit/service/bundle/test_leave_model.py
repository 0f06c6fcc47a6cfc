"""A model's modules are forgotten when another takes its place, and nobody else's."""

import sys
from types import ModuleType

from nachlass_service.bundle.model import leave_model
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
    leave_model(bundle)
    assert "of_the_source" not in sys.modules
    assert {"of_the_environment", "elsewhere"} <= sys.modules.keys()
    assert str(tmp_path / "src") not in sys.path
