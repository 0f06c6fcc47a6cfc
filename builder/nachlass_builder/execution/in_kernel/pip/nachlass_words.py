"""Command lines and messages. Notebook's kernel."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from pip.nachlass_links import redacted

WITH_VALUE = frozenset(
    "--abi --build --cache-dir --cert --client-cert --config-settings --constraint --editable"
    " --exists-action --extra-index-url --extras --find-links --global-option --group"
    " --implementation --index-url --keyring-provider --log --no-binary --only-binary --platform"
    " --prefix --progress-bar --proxy --python --python-version --report --requirement --retries"
    " --root --root-user-action --src --target --timeout --trusted-host --upgrade-strategy"
    " --use-deprecated --use-feature -C -b -c -e -f -i -r -t".split()
)
"""The options of `pip install` that take a value."""


def split_words(arguments: Sequence[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Separate options, each with its value or an empty string, from words."""
    options: list[tuple[str, str]] = []
    words: list[str] = []
    rest = iter(arguments)
    for word in rest:
        if word.startswith("--"):
            name, _, value = word.partition("=")
            options.append((name, value or _value(name, rest)))
        elif word.startswith("-") and word != "-":
            options += _short_options(word[1:], rest)
        else:
            words.append(word)
    return options, words


def _short_options(letters: str, rest: Iterator[str]) -> Iterator[tuple[str, str]]:
    """Split `-qUr requirements.txt` and `-rrequirements.txt`."""
    while letters:
        name, letters = f"-{letters[0]}", letters[1:]
        if name in WITH_VALUE:
            yield name, letters or _value(name, rest)
            return
        yield name, ""


def _value(name: str, rest: Iterator[str]) -> str:
    """Return the value that follows an option, or an empty string."""
    return next(rest, "") if name in WITH_VALUE else ""


def say(text: str) -> None:
    """Write a line without credentials to standard output."""
    sys.stdout.write(f"{redacted(text)}\n")


def warn(text: str) -> None:
    """Write a line without credentials to standard error."""
    sys.stderr.write(f"{redacted(text)}\n")
