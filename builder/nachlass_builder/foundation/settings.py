"""The variables that configure a build.

`VARIABLES` is the source of the reference in the documentation. `Settings` is
the only reader: the rest of the builder does not look at the environment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import platformdirs
from packaging.utils import canonicalize_name

from nachlass_builder.foundation.errors import Place, SourceError
from nachlass_builder.foundation.text_file import read_text

KEEP_ARTIFACTS = "S2I_KEEP_ARTIFACTS"
SAMPLES_VARIABLE = "S2I_SAMPLES"
ENVIRONMENT_FILE = Path(".s2i/environment")


@dataclass(frozen=True)
class Variable:
    """An environment variable: its name, default and meaning."""

    name: str
    default: str
    meaning: str


VARIABLES: tuple[Variable, ...] = (
    Variable("S2I_SOURCE_NOTEBOOK", "model.ipynb", "path of the notebook, relative to the source"),
    Variable(
        "S2I_SOURCE_NOTEBOOK_LIST",
        "",
        "notebooks of a pipeline, in order, separated by commas; replaces S2I_SOURCE_NOTEBOOK",
    ),
    Variable(
        "S2I_PIPELINE_STAGE_SAVE_FILE",
        "",
        "set by the build for each notebook of a pipeline: the file to save its fitted stage to",
    ),
    Variable(
        "S2I_RESOLVE_AS_OF",
        "",
        "resolve unpinned requirements as of a date (YYYY-MM-DD), or `commit`: the date of the "
        "notebook's last commit",
    ),
    Variable(
        SAMPLES_VARIABLE,
        "`samples`",
        "the notebook variable that holds the samples; empty: no samples",
    ),
    Variable("S2I_CELL_TIMEOUT", "", "maximum run time of a cell in seconds; empty: no limit"),
    Variable("S2I_BUILD_TIMEOUT", "", "maximum duration of a build in seconds; empty: no limit"),
    Variable(
        "S2I_PREDICTION_KIND",
        "",
        "`label`, `number`, `object` or `mixed`: overrides the kind detected from the samples",
    ),
    Variable(
        "S2I_SLIM",
        "1",
        "0: install all requirements in the serving environment, not only those the model needs",
    ),
    Variable(
        "S2I_SERVING_REQUIREMENTS",
        "",
        "packages needed at run time that the build cannot detect, such as plugins, separated by "
        "commas or blanks; they must be in the lock",
    ),
    Variable(
        "S2I_SHIP",
        "",
        "files (paths or patterns from the root of the source) and parameters to ship although "
        "they look like secrets, separated by commas",
    ),
    Variable(
        "S2I_SHIP_ROWS",
        "1",
        "0: leave training data, that is samples and cell outputs, out of the bundle; the proof, "
        "the baseline and the schema stay the same",
    ),
    Variable("S2I_MODEL_NAME", "the source's name", "name of the model"),
    Variable("S2I_MODEL_PATH", "", "the bundle to write or to serve; same as the option -o"),
    Variable(
        "S2I_CACHE_DIR",
        "the user's cache folder",
        "folder for environments and for bundles of git URLs",
    ),
    Variable(
        KEEP_ARTIFACTS,
        "",
        "1: an image built by s2i keeps the downloads for the next incremental build",
    ),
)

PREDICTION_KINDS = ("label", "number", "object", "mixed")


@dataclass(frozen=True)
class Settings:
    """The validated settings of a build.

    `notebook` is None if the user named none, `samples` if there are none by
    setting. Times are in seconds, None if unlimited. `parameters` are the
    variables for the notebook (from `.s2i/environment`, `-e` and the process's
    other S2I_ variables); `index` are those for pip and uv, which cells do not
    see. A change in any of them triggers a rebuild.
    """

    notebook: str | None
    notebook_list: tuple[str, ...]
    samples: str | None
    resolve_as_of: str | None
    cell_timeout_s: float | None
    build_timeout_s: float | None
    prediction_kind: str | None
    slim: bool
    serving_requirements: tuple[str, ...]
    shipped: tuple[str, ...]
    ship_rows: bool
    model_name: str | None
    model_path: Path | None
    cache: Path
    parameters: Mapping[str, str]
    index: Mapping[str, str]

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], parameters: Mapping[str, str]) -> Settings:
        """Read the variables. `parameters` take precedence over `environ`. Raises SourceError."""
        known = {variable.name for variable in VARIABLES}
        merged = {**environ, **parameters}
        values = {name: unquote(merged.get(name, "")).strip() for name in known}
        as_of = values["S2I_RESOLVE_AS_OF"] or None
        if as_of not in (None, "commit"):
            _check_date(as_of)
        kind = values["S2I_PREDICTION_KIND"] or None
        if kind not in (None, *PREDICTION_KINDS):
            raise SourceError(
                f"S2I_PREDICTION_KIND is {kind!r}",
                remedy=f"use one of {', '.join(PREDICTION_KINDS)}",
            )
        model_path = values["S2I_MODEL_PATH"]
        cache = values["S2I_CACHE_DIR"]
        return cls(
            notebook=values["S2I_SOURCE_NOTEBOOK"] or None,
            notebook_list=_listed(values["S2I_SOURCE_NOTEBOOK_LIST"]),
            samples=_identifier(SAMPLES_VARIABLE, merged, default="samples"),
            resolve_as_of=as_of,
            cell_timeout_s=_seconds("S2I_CELL_TIMEOUT", values),
            build_timeout_s=_seconds("S2I_BUILD_TIMEOUT", values),
            prediction_kind=kind,
            slim=_switch("S2I_SLIM", values, default=True),
            serving_requirements=_names("S2I_SERVING_REQUIREMENTS", values),
            shipped=_shipped(values["S2I_SHIP"]),
            ship_rows=_switch("S2I_SHIP_ROWS", values, default=True),
            model_name=values["S2I_MODEL_NAME"] or None,
            model_path=Path(model_path).absolute() if model_path else None,
            cache=Path(cache).absolute() if cache else _default_cache(),
            parameters={
                **{k: v for k, v in environ.items() if k.startswith("S2I_") and k not in known},
                **{k: unquote(v) for k, v in parameters.items() if not is_index_variable(k)},
            },
            index={k: unquote(v) for k, v in parameters.items() if is_index_variable(k)},
        )


def _default_cache() -> Path:
    """Return the user's cache folder."""
    try:
        return platformdirs.user_cache_path("nachlass")
    except RuntimeError:  # neither HOME nor an entry in the password database
        raise SourceError(
            "no home folder for the cache", remedy="set S2I_CACHE_DIR to a folder"
        ) from None


def is_index_variable(name: str) -> bool:
    """Return whether a variable is for pip or uv: it may hold credentials, so cells lack it."""
    return name.startswith(("PIP_", "UV_"))


def unquote(value: str) -> str:
    """Strip one pair of matching quotes, and the blanks around them.

    s2i and `docker run --env-file` keep the quotes. Other blanks belong to the value.
    """
    stripped = value.strip()
    is_quoted = len(stripped) > 1 and stripped[0] == stripped[-1] and stripped[0] in "'\""
    return stripped[1:-1] if is_quoted else value


def parse_assignments(assignments: Sequence[str]) -> dict[str, str]:
    """Parse the `NAME=VALUE` arguments of `-e`. Raises SourceError."""
    parsed = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not name.strip():
            raise SourceError(f"-e {assignment!r} sets nothing", remedy="write it as -e NAME=VALUE")
        parsed[name.strip()] = value
    return parsed


def read_environment_file(root: Path) -> dict[str, str]:
    """Read the source's `.s2i/environment`: NAME=VALUE lines, blank lines and # comments."""
    if not (root / ENVIRONMENT_FILE).is_file():
        return {}
    parsed = {}
    text = read_text(root, str(ENVIRONMENT_FILE), SourceError)
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        name, equals, value = stripped.partition("=")
        if not equals or not name.strip():
            raise SourceError(
                "the line sets nothing",
                place=Place(str(ENVIRONMENT_FILE), line=number),
                remedy="write it as NAME=VALUE",
            )
        parsed[name.strip()] = value.strip()
    return parsed


def _listed(text: str) -> tuple[str, ...]:
    """Split comma-separated names."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _shipped(text: str) -> tuple[str, ...]:
    """Parse S2I_SHIP: names of parameters, and paths of files from the root."""
    names = _listed(text)
    for name in names:
        if name.startswith("/") or {".", ".."} & {*name.split("/")} or not name.strip("*/"):
            raise SourceError(
                f"S2I_SHIP names {name!r}",
                remedy="use names of parameters and paths of files from the root of the source",
            )
    return names


def _seconds(name: str, values: Mapping[str, str]) -> float | None:
    """Parse a time limit in seconds; empty and 0 mean no limit."""
    text = values[name]
    try:
        seconds = float(text or 0)
    except ValueError:
        seconds = -1
    if not 0 <= seconds < float("inf"):
        raise SourceError(f"{name} is {text!r}", remedy="use a number of seconds, such as 600")
    return seconds or None


def _switch(name: str, values: Mapping[str, str], *, default: bool) -> bool:
    """Parse 0 or 1."""
    text = values[name]
    if text not in ("", "0", "1"):
        raise SourceError(f"{name} is {text!r}", remedy="use 0 or 1")
    return text == "1" if text else default


def _identifier(name: str, environ: Mapping[str, str], *, default: str) -> str | None:
    """Parse the name of a notebook variable; None if it is set and empty."""
    text = unquote(environ.get(name, default)).strip()
    if text and not text.isidentifier():
        raise SourceError(f"{name} is {text!r}", remedy="use a Python name, or leave it empty")
    return text or None


def _names(name: str, values: Mapping[str, str]) -> tuple[str, ...]:
    """Parse and normalise names of distributions."""
    words = [word for word in re.split(r"[\s,]+", values[name]) if word]
    for word in words:
        if not re.fullmatch(r"[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?", word):
            raise SourceError(
                f"{name} holds {word!r}, which is not the name of a distribution",
                remedy="use names only, such as scikit-image; versions belong in `requirements`",
            )
    return tuple(canonicalize_name(word) for word in words)


def _check_date(text: str) -> None:
    """Raise SourceError unless the text is a date, YYYY-MM-DD."""
    try:
        is_date = date.fromisoformat(text).isoformat() == text
    except ValueError:
        is_date = False
    if not is_date:
        raise SourceError(
            f"S2I_RESOLVE_AS_OF is {text!r}",
            remedy="use a date such as 2026-01-31, or `commit`",
        )
