"""Line numbers in project files, whose parsers return only the values."""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from nachlass_builder.foundation.errors import Place

HEADER = re.compile(r"\s*\[{1,2}\s*([^\[\]#]+?)\s*\]{1,2}\s*(#.*)?")
"""A TOML line that begins a table."""


class YamlLines:
    """The places of the keys and entries of a YAML file; raises yaml.YAMLError."""

    def __init__(self, name: str, text: str) -> None:
        self._name = name
        self._root = yaml.compose(text, Loader=yaml.SafeLoader)

    def place(self, *path: str | int) -> Place:
        """Return the line that a path of keys and positions leads to, or else the file."""
        node, line = self._root, None
        for step in path:
            found = None
            match node, step:
                case yaml.MappingNode(), str():
                    pairs = [pair for pair in node.value if pair[0].value == step]
                    found = pairs[-1] if pairs else None  # the last duplicate key wins
                case yaml.SequenceNode(), int() if step < len(node.value):
                    found = (node.value[step], node.value[step])
            if found is None:
                return Place(self._name)
            line, node = found[0].start_mark.line + 1, found[1]
        return Place(self._name, line=line)


def toml_place(name: str, text: str, table: str, key: str, value: str | None = None) -> Place:
    """Return the line of a table's key, or of a quoted value of that key.

    The place is the whole file if the key is not on a line below `[table]`.
    """
    lines = _lines_of(text, table)
    of_key = re.compile(rf"[\"']?{re.escape(key)}[\"']?\s*[.=]")
    for number, line in lines:
        if of_key.match(line):
            if value is None:
                return Place(name, line=number)
            quoted = re.compile(rf"([\"']){re.escape(value)}\1")
            below = [(number, line.partition("=")[2]), *lines]
            found = (at for at, part in below if quoted.search(part))
            return Place(name, line=next(found, None))
    return Place(name)


def _lines_of(text: str, table: str) -> Iterator[tuple[int, str]]:
    """Yield the numbered lines of a table, without indentation and comment lines."""
    current = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := HEADER.fullmatch(line):
            current = re.sub(r"\s*\.\s*", ".", header[1]).replace('"', "")
        elif current == table and not line.lstrip().startswith("#"):
            yield number, line.strip()
