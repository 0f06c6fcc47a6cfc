"""Scripts that CI does not run import only existing names."""

import ast
from importlib import import_module

import pytest

from support.project import PROJECT, TESTS

OURS = ("nachlass_builder", "nachlass_service", "support")
FILES = [*(TESTS / "bench").glob("*.py"), TESTS / "mutate.py"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_imported_names_exist(file):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] in OURS:
            module = import_module(node.module)
            assert [a.name for a in node.names if not hasattr(module, a.name)] == []


def test_mutated_modules_exist():
    [rooms] = (
        node.value
        for node in ast.parse((TESTS / "mutate.py").read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and node.targets[0].id == "MODULES"
    )
    for room, modules in ast.literal_eval(rooms).items():
        side, name = room.split("/")
        folder = PROJECT / side / f"nachlass_{side}" / name
        assert [word for word in modules.split() if not (folder / f"{word}.py").is_file()] == []
