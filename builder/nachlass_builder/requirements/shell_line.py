"""Splits a shell line into its commands, as far as needed to find pip's arguments.

Quotes, comments, operators and redirections follow the POSIX shell; nothing is expanded.
An angle bracket within a word is a redirection only if a file name follows: `numpy>=2` and
`numpy<2` count as requirements, although a shell would redirect.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

OPERATORS = re.compile(r"&&|\|\||;;|\|&|[;&|()\n]")
FILE = r"(?:[/~$&]|\.{1,2}/).*|[\w.-]*\.(?:log|txt|out|err)"
REDIRECTION = re.compile(rf"(?P<word>.*?)(?:&>>?|>>?|<<?<?)(?P<target>{FILE}|&?)")
"""A word that ends with a redirection; if it has no target, the next word is the target."""
NO_FILE = re.compile(r"\d*(?:[<>]|&>)")
"""The start of a word that is only a redirection."""
HEREDOC = re.compile(r"<<-?\s*(['\"]?)(\w+)\1")
KEYWORDS = frozenset({"if", "then", "else", "elif", "do", "while", "until", "!", "{", "time"})
PREFIX_COMMANDS = {
    "sudo": frozenset({"-u", "-g", "-U"}),
    "env": frozenset({"-u"}),
    "nohup": frozenset(),
    "exec": frozenset(),
    "command": frozenset(),
    "nice": frozenset({"-n"}),
}
"""Programs that run another program, with their options that take a value."""
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)


def commands_of(line: str) -> Iterator[list[str]]:
    """Yield the commands of a line, each as its words.

    Raises ValueError for an unclosed quote, after yielding the commands before it.
    """
    words: list[str] = []
    for word, is_operator in _tokens(line):
        if is_operator:
            yield _program_of(words)
            words = []
        else:
            words.append(word)
    yield _program_of(words)


def without_heredocs(lines: list[str]) -> list[str]:
    """Return the lines of a script, with the lines of here-documents blanked."""
    kept, end = [], None
    for line in lines:
        if end is not None:
            end = None if line.strip() == end else end
            kept.append("")
            continue
        kept.append(line)
        if found := HEREDOC.search(line):
            end = found[2]
    return kept


def _tokens(line: str) -> Iterator[tuple[str, bool]]:
    """Yield words without quotes, and operators; skip redirections and comments."""
    position, skips_next = 0, False
    while position < len(line):
        if line[position] in " \t\r":
            position += 1
        elif line[position] == "#":
            return
        elif found := _operator_at(line, position, ""):
            yield found, True
            position, skips_next = position + len(found), False
        else:
            word, is_quoted, position = _word_at(line, position)
            if skips_next:
                skips_next = False
            elif not is_quoted and NO_FILE.match(word):
                skips_next = word.removesuffix("&").endswith((">", "<"))
            elif not is_quoted and (redirected := REDIRECTION.fullmatch(word)):
                skips_next = redirected["target"] in ("", "&")
                yield redirected["word"], False
            else:
                yield word, False


def _operator_at(line: str, position: int, word: str) -> str:
    """Return the operator after a word, if any; `&>` and `>&` belong to redirections."""
    found = OPERATORS.match(line, position)
    if not found or line.startswith("&>", position):
        return ""
    return "" if line[position] == "&" and word.endswith((">", "<")) else found[0]


def _word_at(line: str, position: int) -> tuple[str, bool, int]:
    """Return the word at a position, whether it ends with a quote, and where it ends."""
    word, is_quoted = "", False
    while position < len(line):
        letter = line[position]
        if letter in " \t\r" or _operator_at(line, position, word):
            break
        position += 1
        is_quoted = letter in "'\""
        if letter == "\\":
            word += line[position : position + 1]
            position += 1
        elif is_quoted:
            inside, position = _until_quote(line, position, letter)
            word += inside
        else:
            word += letter
    return word, is_quoted, position


def _until_quote(line: str, position: int, quote: str) -> tuple[str, int]:
    """Return the text inside quotes, and where they end."""
    inside = ""
    while position < len(line):
        letter = line[position]
        position += 1
        if letter == quote:
            return inside, position
        if letter == "\\" and quote == '"' and line[position : position + 1] in '"\\$`':
            letter = line[position : position + 1]
            position += 1
        inside += letter
    raise ValueError("No closing quotation")


def _program_of(words: list[str]) -> list[str]:
    """Return a command starting at its program, without prefixes such as `sudo`."""
    options: frozenset[str] | None = None
    while words:
        first = words[0]
        if first in PREFIX_COMMANDS:
            options = PREFIX_COMMANDS[first]
        elif options is not None and first.startswith("-"):
            words = words[1:] if first in options else words
        elif not (first in KEYWORDS or ASSIGNMENT.fullmatch(first)):
            break
        words = words[1:]
    return words
