"""pip's configuration files and variables.

The precedence is pip's: files of the machine, the user and the virtual environment,
`[global]` before `[install]`, then PIP_* variables.
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
    """Return every setting of `pip install`, by the long name of its option."""
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
    """Return the files pip would read, in order of increasing precedence."""
    configured = environ.get("PIP_CONFIG_FILE")
    if configured == os.devnull:
        return []
    files = list(_machine_files(environ))
    if not (configured and Path(configured).exists()):
        files += _user_files(environ)
    files.append(Path(environ.get("VIRTUAL_ENV") or sys.prefix) / "pip.conf")
    if configured:
        files.append(Path(configured))
    return [path for path in files if path.is_file()]


def _machine_files(environ: Mapping[str, str]) -> Iterator[Path]:
    """Yield the system-wide files."""
    if sys.platform == "darwin":
        yield Path("/Library/Application Support/pip/pip.conf")
        return
    for folder in (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep):
        if folder:
            yield Path(folder) / "pip/pip.conf"
    yield MACHINE_FILE


def _user_files(environ: Mapping[str, str]) -> Iterator[Path]:
    """Yield the user's files: the legacy location, then the current one."""
    try:
        home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    except RuntimeError:  # neither HOME nor an entry in the password database
        return
    yield home / ".pip/pip.conf"
    library = home / "Library/Application Support/pip"
    if sys.platform == "darwin" and library.is_dir():
        yield library / "pip.conf"
    elif sys.platform == "darwin":
        yield home / ".config/pip/pip.conf"
    else:
        yield Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip/pip.conf"


def _read_file(path: Path) -> dict[str, dict[str, str]]:
    """Read a file's sections; error messages quote no lines, which may contain passwords."""
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
            "the file is not a valid pip configuration: pip cannot read it either",
            place=Place(str(path), line=line),
        ) from None
    return {
        section: {_long_name(name): value or "" for name, value in parser.items(section)}
        for section in parser.sections()
    }


def _variables(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the PIP_* variables that set options."""
    for variable, value in environ.items():
        name = _long_name(variable.removeprefix("PIP_"))
        if variable.startswith("PIP_") and name not in NAMES_THAT_ARE_COMMANDS:
            yield name, value


def _long_name(name: str) -> str:
    """Normalise an option's name."""
    return name.lower().replace("_", "-").removeprefix("--")
