"""Links: redacted, and compared with installed distributions. Notebook's kernel."""

from __future__ import annotations

import json
import re
from importlib import metadata
from urllib.parse import urlsplit

HIDDEN = "***"
USERINFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,20})://(?P<user>[^/\s'\"<>`]*)@")
SIGNATURE = r"[\w.-]*(?:token|sig|signature|password|secret|credential|api_?key)[\w-]*="
SIGNED = re.compile(rf"(?i)(?P<name>[?&;]{SIGNATURE})[^&\s'\"<>#`]+")
"""A copy of the builder's patterns, which cannot be imported here."""


def redacted(text: str) -> str:
    """Return text with the credentials in its links replaced."""
    return SIGNED.sub(rf"\g<name>{HIDDEN}", USERINFO.sub(_hide_userinfo, text))


def installed_from(link: str) -> str | None:
    """Return the distribution that was installed from a link."""
    wanted = _target(link)
    for distribution in metadata.distributions():
        origin = distribution.read_text("direct_url.json")
        if origin and _target(json.loads(origin).get("url", "")) == wanted:
            return str(distribution.metadata["Name"])
    return None


def _target(link: str) -> tuple[str, str, str, list[str]]:
    """Return a link's target without credentials, `git+`, revision and fragment."""
    kind, plus, url = link.partition("+")
    is_repository = bool(plus) and kind.isalpha()
    parts = urlsplit(url if is_repository else link)
    path = parts.path.rpartition("@")[0] if is_repository and "@" in parts.path else parts.path
    query = [pair for pair in parts.query.split("&") if not re.match(f"(?i){SIGNATURE}", pair)]
    host = parts.netloc.rpartition("@")[2].casefold()
    return parts.scheme, host, path.rstrip("/").removesuffix(".git"), query


def _hide_userinfo(match: re.Match[str]) -> str:
    """Hide user and password, but not a mere ssh account, which is no credential."""
    user, is_ssh = match["user"], match["scheme"].lower().endswith("ssh")
    if user == "git" or (is_ssh and ":" not in user):
        return match[0]
    return f"{match['scheme']}://{HIDDEN}@"
