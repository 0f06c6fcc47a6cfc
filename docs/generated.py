"""The directive `generated`: the parts of the reference that are made from the code."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from prometheus_client.core import Metric
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from nachlass_builder.cli.main import exit_codes, main
from nachlass_builder.foundation.settings import VARIABLES as BUILD
from nachlass_service.base import errors
from nachlass_service.base.settings import VARIABLES as SERVICE
from nachlass_service.bundle.manifest import Baseline, Features, Prediction
from nachlass_service.metrics.metrics import Metrics

DOCS = Path(__file__).parent
SCHEMA = DOCS / "manifest.schema.json"
LABELS_OF_SUFFIXES = {"le"}
"""Labels that belong to the exposition of a histogram, not to its name."""


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    cells = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def definitions(entries: Iterable[tuple[str, str]]) -> str:
    """Return a Markdown definition list, which fits a narrow page where a table does not."""
    return "\n\n".join(f"{term}\n: {meaning}" for term, meaning in entries)


def settings(variables: Iterable[Any]) -> str:
    """Return the environment variables, with their defaults."""
    return definitions(
        (
            f"`{each.name}`",
            f"{each.meaning[0].upper()}{each.meaning[1:]}. Default: {each.default or 'none'}.",
        )
        for each in variables
    )


def exit_code_table() -> str:
    """Return a table of the exit codes of `nachlass`."""
    return table(["code", "meaning"], ([str(code), text] for code, text in exit_codes().items()))


def problems() -> str:
    """Return a table of the problem documents, by HTTP status."""
    return table(
        ["status", "type", "title", "meaning"],
        (
            [str(each.status), f"`urn:nachlass:problem:{each.code}`", each.title, _summary(each)]
            for each in sorted(errors.REQUEST_ERRORS, key=lambda each: (each.status, each.code))
        ),
    )


def metrics() -> str:
    """Return the metrics of a service that predicts labels and numbers."""
    prediction = Prediction("mixed", ("", "n"), {"": ("a",)}, {"n": (0.0,)}, ladder=(0.0, 1.0))
    found = Metrics(
        prediction,
        prefix="nachlass",
        info=dict.fromkeys(("name", "version", "commit", "digest"), ""),
        features=Features({"x": ("a",)}, {}),
        baseline=Baseline({"": {"a": 1}, "n": {}}, {"x": {"a": 1}}),
    ).collect()
    return definitions((_signature(family), family.documentation) for family in found)


def _signature(family: Metric) -> str:
    """Return a metric's name, type and labels."""
    labels = dict.fromkeys(label for sample in family.samples for label in sample.labels)
    name = f"{family.name}_total" if family.type == "counter" else family.name
    shown = ", ".join(f"`{label}`" for label in labels if label not in LABELS_OF_SUFFIXES)
    return f"`{name}` ({family.type}{f'; {shown}' if shown else ''})"


def commands() -> str:
    """Return every command, as sphinx-click shows it."""
    click = ".. click:: nachlass_builder.cli.main:{0}\n   :prog: nachlass {0}\n   :nested: full"
    shown = (click.format(name) for name in main.commands)
    return "\n\n".join(f"```{{eval-rst}}\n{directive}\n```" for directive in shown)


def cells(notebook: str) -> str:
    """Return the code cells of a notebook of the documentation."""
    document = json.loads((DOCS / notebook).read_text(encoding="utf-8"))
    code = ("".join(cell["source"]) for cell in document["cells"] if cell["cell_type"] == "code")
    return "\n\n".join(f"```{{code-block}} python\n{text}\n```" for text in code)


def manifest() -> str:
    """Return the manifest's types, each with its fields, from the JSON schema."""
    types = json.loads(SCHEMA.read_text(encoding="utf-8"))["$defs"]
    return "\n\n".join("\n".join(_type(name, schema)) for name, schema in types.items())


def _type(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f"## {name}"
    yield ""
    yield schema.get("description", "").replace("\n", " ")
    yield ""
    required = schema.get("required", [])
    yield definitions(
        (
            f"`{field}`: {_type_of(of)}{'' if field in required else ', optional'}",
            of["description"],
        )
        for field, of in schema["properties"].items()
    )


def _type_of(schema: dict[str, Any]) -> str:
    """Return a schema in words: `list of string`, `[Entry](#entry)`."""
    match schema:
        case {"$ref": ref}:
            name = ref.rpartition("/")[2]
            return f"[{name}](#{name.lower()})"
        case {"anyOf": several}:
            return " or ".join(map(_type_of, several))
        case {"enum": values}:
            return " or ".join(f"`{json.dumps(value)}`" for value in values)
        case {"type": "array", "items": dict(items)}:
            return f"list of {_type_of(items)}"
        case {"type": "object", "additionalProperties": dict(values)}:
            return f"object of {_type_of(values)}"
        case {"type": name}:
            return str(name)
    return "any JSON value"


def _summary(kind: type) -> str:
    return (inspect.getdoc(kind) or "").splitlines()[0]


PARTS: dict[str, Callable[..., str]] = {
    "build-settings": lambda: settings(BUILD),
    "service-settings": lambda: settings(SERVICE),
    "exit-codes": exit_code_table,
    "problems": problems,
    "metrics": metrics,
    "commands": commands,
    "cells": cells,
    "manifest": manifest,
}


class Generated(SphinxDirective):
    """A part by its name in PARTS, with its argument if it takes one."""

    required_arguments = 1
    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Parse the part as Markdown, in place."""
        name, *arguments = self.arguments
        text = PARTS[name](*arguments)
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("generated", Generated)
    return {"parallel_read_safe": True}
