"""Keeps credentials out of files and messages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, unquote

from nachlass_builder.foundation.secret_forms import URL, form_of, is_secret_name

MIN_SECRET_LENGTH = 6
"""Shorter secrets are redacted only inside URLs: replacing every `a` would garble the text."""

HIDDEN = "***"

_USERINFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,20})://(?P<user>[^/\s'\"<>`]*)@")
_SIGNED = re.compile(
    r"(?i)(?P<name>[?&;][\w.-]*(?:token|sig|signature|password|secret|credential|api_?key)[\w-]*=)"
    r"[^&\s'\"<>#`]+"
)
_SECRET_NAME = re.compile(r"(?i)(token|password|passwd|secret|api_?key)(?!.*_(file|path|dir)$)")

_SECRET_PARAMETER = re.compile(
    r"(?i)token(?!iz|is)|passw|passphrase|passcode|secret|credential|(api|private|access)_?key"
    r"|(^|_)(key|pwd|pass|auth|salt|creds?)(_|$)"
)
_PLAIN = re.compile(r"(?i)[+-]?\d{0,7}(\.\d+)?|true|false|yes|no|on|off|none|null|[~.]*/.*")
"""Values that are not secret despite their name: `MAX_TOKEN=4096`, `PWD=/home/me`."""
_HEADER = re.compile(r"([Bb]earer|[Bb]asic) \S+")
_ASSIGNED = re.compile(
    r"(?i)\b(password|passwd|pwd|secret|token|(api|account|access)_?key)[\"']?\s*[=:]"
)


def redact_parameter(name: str, value: str, secrets: Iterable[str]) -> str:
    """Return a parameter's value for display: `***` if its name or value looks like a secret."""
    if value and not _names_a_file(name) and _SECRET_PARAMETER.search(name):
        return HIDDEN
    # In a URL, only the password is redacted.
    form = form_of(value, or_placeholder=True)
    if form not in (None, URL) or _HEADER.match(value) or _ASSIGNED.search(value):
        return HIDDEN
    return redact(value, secrets)


def is_secret_parameter(name: str, value: str) -> bool:
    """Return whether a parameter's name or value looks like a secret.

    Stricter than `redact_parameter`: a match fails a build and is left out of images.
    """
    if not value or _names_a_file(name):
        return False
    if form_of(value) or _HEADER.match(value) or _ASSIGNED.search(value):
        return True
    return bool(is_secret_name(name)) and not _PLAIN.fullmatch(value)


def _names_a_file(name: str) -> bool:
    """Return whether a parameter holds the path of a secret, not the secret itself."""
    return name.upper().endswith(("_FILE", "_PATH", "_DIR"))


_never_shown: set[str] = set()


def never_show(secrets: Iterable[str]) -> None:
    """Make `redact` always replace these texts from now on."""
    _never_shown.update(secrets)


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return `text` with every secret, and every credential inside a URL, replaced."""
    text = _USERINFO.sub(_hide_userinfo, text)
    text = _SIGNED.sub(rf"\g<name>{HIDDEN}", text)
    for secret in sorted({*secrets, *_never_shown}, key=len, reverse=True):
        if len(secret) >= MIN_SECRET_LENGTH:
            text = text.replace(secret, HIDDEN)
    return text


def public_url(url: str) -> str:
    """Return a URL without its credentials."""
    url = _USERINFO.sub(_drop_userinfo, url)
    return re.sub(r"\?&+", "?", _SIGNED.sub(lambda match: match["name"][0], url)).rstrip("?&")


def secrets_in(urls: Iterable[str], environ: Mapping[str, str]) -> frozenset[str]:
    """Return the credentials in URLs and variables: as written, decoded and encoded."""
    found: set[str] = set()
    for text in (*urls, *(value for value in environ.values() if "://" in value)):
        for match in _USERINFO.finditer(text):
            if not _names_only_an_account(match):
                user, colon, password = match["user"].partition(":")
                found.add(password if colon and password else user)
    found |= {value for name, value in environ.items() if _SECRET_NAME.search(name)}
    spellings = {form(secret) for secret in found for form in (str, unquote, _encoded)}
    return frozenset(secret for secret in spellings if len(secret) >= MIN_SECRET_LENGTH)


def _encoded(secret: str) -> str:
    return quote(unquote(secret), safe="")


def _names_only_an_account(match: re.Match[str]) -> bool:
    """Return whether the user part is a plain account name, such as `git@` or an ssh user."""
    ssh = match["scheme"].lower().endswith("ssh")
    return match["user"] == "git" or (ssh and ":" not in match["user"])


def _hide_userinfo(match: re.Match[str]) -> str:
    return match[0] if _names_only_an_account(match) else f"{match['scheme']}://{HIDDEN}@"


def _drop_userinfo(match: re.Match[str]) -> str:
    if _names_only_an_account(match):
        return match[0]
    user = match["user"].partition(":")[0]
    account = f"{user}@" if match["scheme"].lower().endswith("ssh") else ""
    return f"{match['scheme']}://{account}"
