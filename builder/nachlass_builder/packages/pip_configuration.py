"""Reads pip's configuration files and variables.

The precedence is pip's: files from the machine's to the user's to the virtual
environment's, `[global]` before `[install]`, then PIP_* variables.
"""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from nachlass_builder.foundation.errors import Place, RequirementsError

SECTIONS = ("global", "install")
MACHINE_FILE = Path("/etc/pip.conf")
NAMES_THAT_ARE_COMMANDS = ("version", "help")


def read_values(environ: Mapping[str, str]) -> dict[str, str]:
    """Every setting that holds for `pip install`, by the long name of its option."""
    by_section: dict[str, dict[str, str]] = {section: {} for section in SECTIONS}
    for path in configuration_files(environ):
        for section, values in _read_file(path).items():
            if section in by_section:
                by_section[section] |= values
    values = {}
    for section in SECTIONS:
        values |= {name: value for name, value in by_section[section].items() if value}
    return values | {name: value for name, value in _variables(environ) if value}


def configuration_files(environ: Mapping[str, str]) -> list[Path]:
    """The files pip would read, from the weakest to the strongest."""
    named = environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return []
    files = list(_machine_files(environ))
    if not (named and Path(named).exists()):
        files += _user_files(environ)
    files.append(Path(environ.get("VIRTUAL_ENV") or sys.prefix) / "pip.conf")
    if named:
        files.append(Path(named))
    return [path for path in files if path.is_file()]


def _machine_files(environ: Mapping[str, str]) -> Iterator[Path]:
    """The files of the machine's administrator."""
    if sys.platform == "darwin":
        yield Path("/Library/Application Support/pip/pip.conf")
        return
    for folder in (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep):
        if folder:
            yield Path(folder) / "pip/pip.conf"
    yield MACHINE_FILE


def _user_files(environ: Mapping[str, str]) -> Iterator[Path]:
    """The user's files: the old place, then the one that replaced it."""
    home = Path(environ["HOME"]) if environ.get("HOME") else Path("~").expanduser()
    yield home / ".pip/pip.conf"
    library = home / "Library/Application Support/pip"
    if sys.platform == "darwin" and library.is_dir():
        yield library / "pip.conf"
    elif sys.platform == "darwin":
        yield home / ".config/pip/pip.conf"
    else:
        yield Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip/pip.conf"


def _read_file(path: Path) -> dict[str, dict[str, str]]:
    """One file's sections; a message about it quotes no line, which may hold a password."""
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except OSError:
        return {}
    except UnicodeDecodeError:
        raise RequirementsError("the file is not UTF-8", place=Place(str(path))) from None
    except configparser.Error as error:
        lines = [number for number, _ in getattr(error, "errors", ())]
        line = lines[0] if lines else getattr(error, "lineno", None)
        raise RequirementsError(
            "the file is not a pip configuration: pip could not read it either",
            place=Place(str(path), line=line),
        ) from None
    return {
        section: {_long_name(name): value or "" for name, value in parser.items(section)}
        for section in parser.sections()
    }


def _variables(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The PIP_* variables that stand for options."""
    for variable, value in environ.items():
        name = _long_name(variable.removeprefix("PIP_"))
        if variable.startswith("PIP_") and name not in NAMES_THAT_ARE_COMMANDS:
            yield name, value


def _long_name(name: str) -> str:
    """An option's name in one spelling."""
    return name.lower().replace("_", "-").removeprefix("--")
