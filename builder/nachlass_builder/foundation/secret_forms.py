"""Knows what secrets look like: tokens of well-known services, keys, passwords in URLs.

The one list of their forms, for cells, modules, files and parameters. Entropy alone is no
sign: notebooks are full of digests and encoded data. detect-secrets knows more forms, but
finds 10 of the 16 secrets of our tests and 7 of the 28 texts that are none, takes a second,
and has had no release since 2024.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_WORD = r"(?:[a-z]+\d{0,2}|\d{1,4})"
WORDS = rf"(?:{_WORD}[-_]){{1,12}}{_WORD}"
"""An identifier of words and numbers in lower case: `user_id_2024_01`."""

FORMS = {
    "a token of GitHub": r"\bgh[opsur]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}",
    "a token of GitLab": r"\bgl(?:pat|dt|rt|ft|cbt|ptt|oas)-[\w.-]{16,}",
    "a token of Slack": r"\bxox[abeoprs]-[\w-]{12,}",
    "a token of Hugging Face": r"\bhf_[A-Za-z0-9]{20,}",
    "a token of npm": r"\bnpm_[A-Za-z0-9]{30,}",
    "a token of PyPI": r"\bpypi-Ag[\w-]{30,}",
    "a token of Databricks": r"\bdapi[0-9a-f]{32}\b",
    "a token of DigitalOcean": r"\bdo[opr]_v1_[0-9a-f]{32,}",
    "a key of AWS": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "a key of Google": r"\bAIza[\w-]{30,}",
    "a key of Stripe": r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}",
    "a key of SendGrid": r"\bSG\.[\w-]{16,}\.[\w-]{16,}",
    "an API key": (
        rf"\bsk-(?!{WORDS}(?![\w-]))(?=[\w-]*\d[\w-]*\d)(?:[a-z0-9]+-){{0,3}}[A-Za-z0-9_]{{12,}}"
        r"(?!\w|\.[a-z])"
    ),
    "a token in a header": (
        r"(?i)\b(?:bearer|authorization[\"']?\s*[:=,]\s*[\"']?(?:basic|token))\s+"
        r"((?=[\w.~+/-]*\d)[\w.~+/-]{16,})"
    ),
    "a signed token (JWT)": r"\beyJ[\w-]{10,}\.eyJ[\w-]{8,}\.[\w-]{4,}",
    "a private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----",
    "a password in a URL": r"\b[a-z][a-z0-9+.-]{0,20}://[^\s:/@'\"<>{}$*]+:([^\s/@'\"<>{}$*]{3,})@[\w\[]",
}
"""What well-known secrets look like: enough of each that prose and names do not.

A group is the part that may be a placeholder.
"""

SIGNS = (
    *(b"ghp_", b"gho_", b"ghs_", b"ghu_", b"ghr_", b"github_pat_", b"xox", b"hf_", b"npm_"),
    *(b"glpat-", b"gldt-", b"glrt-", b"glft-", b"glcbt-", b"glptt-", b"gloas-", b"pypi-Ag"),
    *(b"dapi", b"doo_v1", b"dop_v1", b"dor_v1", b"AKIA", b"ASIA", b"AIza", b"k_live_", b"k_test_"),
    *(b"SG.", b"sk-", b"earer ", b"EARER ", b"uthorization", b"UTHORIZATION", b"eyJ"),
    *(b"PRIVATE KEY", b"://"),
)
"""What a text has in it if it has any of the forms: found faster than they are."""

_COMPILED = [(what, re.compile(form)) for what, form in FORMS.items()]
PLACEHOLDER = re.compile(
    r"(?i)^(?:your|my|insert|enter|add|put|some|the|an?|example|dummy|fake|sample|change|replace"
    r"|placeholder|todo)(?:[-_ .]|$|me)|^(?:[<\[{(%$]|__).*"
    r"|.*(?:\.\.\.|\*\*\*|xxx|<|\{\{|example).*"
    r"|(?:passw(?:or)?d|pass|pwd|secret|token|user(?:name)?|(?:api[-_]?)?key)$"
)
"""What stands where a secret would."""


def form_of(line: str, *, or_placeholder: bool = False) -> str | None:
    """What a line has that looks like a secret, and like no placeholder: `a token of GitHub`."""
    for what, form in _COMPILED:
        match = form.search(line)
        if match and (or_placeholder or not PLACEHOLDER.match(match[match.lastindex or 0])):
            return what
    return None


def forms_in(text: str) -> Iterator[tuple[int, str]]:
    """The numbers of the lines with a secret of a well-known form, and what it looks like."""
    for number, line in enumerate(text.splitlines(), start=1):
        if what := form_of(line):
            yield number, what
