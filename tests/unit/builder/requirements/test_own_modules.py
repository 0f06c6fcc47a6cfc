"""Modules that are files of the source itself."""

import pytest

from nachlass_builder.requirements.own_modules import OwnModules

FILES = """
config.py helpers/__init__.py helpers/text.py helpers/deep/more.py data/plain.csv
old/config.py lib/tools.py examples/torch/train.py .venv/yaml.py venv/requests/__init__.py
node_modules/gyp/gyp.py pkg/src/company/__init__.py
""".split()


@pytest.mark.parametrize(
    ("module", "import_path", "is_own"),
    [
        ("config", [""], True),
        ("helpers", [""], True),
        ("tools", [""], True),  # a cell may add its folder to the import path
        ("company", [""], True),
        ("lib", [""], True),
        ("torch", ["", "notebooks"], False),
        ("torch", ["examples"], True),
        ("data", [""], False),
        ("yaml", [""], False),
        ("requests", [""], False),
        ("gyp", [""], False),
        ("text", [""], True),
    ],
)
def test_local_modules_are_recognized_by_their_files(module, import_path, is_own):
    assert OwnModules(FILES).has(module, import_path) == is_own


def test_all_folders_with_a_module_are_found():
    own = OwnModules(FILES)
    assert own.folders_with("config", namespaces=False) == ["", "old"]
    assert own.folders_with("torch", namespaces=False) == []
    assert own.folders_with("torch", namespaces=True) == ["examples"]


@pytest.mark.parametrize(
    ("module", "import_path", "files"),
    [
        ("config.LIMIT", [""], ["config.py"]),
        ("config", ["old", ""], ["old/config.py", "config.py"]),
        ("helpers.text.clean", [""], ["helpers/__init__.py", "helpers/text.py"]),
        ("helpers.deep.more", [""], ["helpers/__init__.py", "helpers/deep/more.py"]),
        ("company", ["pkg/src"], ["pkg/src/company/__init__.py"]),
        ("nothing", [""], []),
    ],
)
def test_the_files_executed_by_an_import_are_found(module, import_path, files):
    assert list(OwnModules(FILES).files_of(module, import_path)) == files


def test_a_folder_is_scanned(tmp_path):
    for name in ("a.py", "sub/b/__init__.py", ".hidden/c.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    own = OwnModules.below(tmp_path)
    assert own.folders_with("a", namespaces=False) == [""]
    assert own.folders_with("b", namespaces=False) == ["sub"]
    assert not own.has("c")
