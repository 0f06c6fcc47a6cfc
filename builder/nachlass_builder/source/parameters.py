"""The parameters passed to a notebook: which are secret, and the forms that secrets take."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode
from collections.abc import Collection, Mapping
from urllib.parse import quote

from nachlass_builder.foundation.credentials import (
    is_secret_parameter,
    redact_parameter,
    secrets_in,
)
from nachlass_builder.foundation.settings import VARIABLES, Settings

MIN_SEARCHED_LENGTH = 6
"""Minimum length in characters of a value to search for; shorter ones are everywhere."""
_COMMON = re.compile(r"[a-z]{1,11}|[A-Z]{1,11}|[A-Z][a-z]{1,10}|[\d.]{1,7}")


def shown_parameters(
    parameters: Mapping[str, str], secrets: Collection[str], shipped: Collection[str] = ()
) -> dict[str, str]:
    """Return the parameters except build settings; `secrets` are known credentials.

    Those in `shipped` are shown regardless of their names.
    """
    known = {variable.name for variable in VARIABLES}
    return {
        name: value if name in shipped else redact_parameter(name, value, secrets)
        for name, value in sorted(parameters.items())
        if name not in known
    }


def secrets_among(parameters: Mapping[str, str], shipped: Collection[str]) -> dict[str, str]:
    """Return the variables whose name or value looks secret, except those to ship."""
    return {
        name: value
        for name, value in sorted(parameters.items())
        if name not in shipped and is_secret_parameter(name, value)
    }


def secret_parameters(settings: Settings) -> dict[str, str]:
    """Return the parameters whose name or value looks secret, except those to ship."""
    return secrets_among({**settings.parameters, **settings.index}, settings.shipped)


def secrets_of_build(settings: Settings, environ: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """Return the forms of the secrets visible to cells, by variable name."""
    found = secrets_among({**environ, **settings.parameters}, settings.shipped)
    return {name: forms for name, value in found.items() if (forms := forms_of(value))}


def forms_of(value: str) -> frozenset[str]:
    """Return the forms of a value in text: plain, escaped, encoded; also a URL's password."""
    plain = {value, value.strip(), *secrets_in([value], {})}
    searched = {
        text for text in plain if len(text) >= MIN_SEARCHED_LENGTH and not _COMMON.fullmatch(text)
    }
    return frozenset(form for text in searched for form in _written(text))


def _written(text: str) -> set[str]:
    """Return a text as written in JSON, HTML, Python, a URL and base64."""
    data = text.encode("utf-8", "surrogatepass")
    return {
        text,
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        html.escape(text),
        repr(text)[1:-1],
        quote(data, safe=""),
        b64encode(data).decode(),
    }
