"""Knows what secrets look like: tokens of well-known services, keys, passwords in URLs.

The one list of their forms, for cells, modules, files and parameters. Entropy alone is no
sign: notebooks are full of digests and encoded data. detect-secrets knows more forms, but
finds 10 of the 16 secrets of our tests and 7 of the 28 texts that are none, takes a second,
and has had no release since 2024.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_WORD = r"(?:[a-z]{1,30}\d{0,2}|\d{1,4})"
WORDS = rf"(?:{_WORD}[-_]){{1,12}}{_WORD}"
"""An identifier of words and numbers in lower case: `user_id_2024_01`."""

URL = "a password in a URL"
FORMS = {
    "a token of GitHub": (
        r"\bgh[opsur]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}",
        ("ghp_", "gho_", "ghs_", "ghu_", "ghr_", "github_pat_"),
    ),
    "a token of GitLab": (
        r"\bgl(?:pat|dt|rt|ft|cbt|ptt|oas)-[\w.-]{16,}",
        ("glpat-", "gldt-", "glrt-", "glft-", "glcbt-", "glptt-", "gloas-"),
    ),
    "a token of Slack": (
        r"\bxox[abeoprs]-[\w-]{12,}|hooks\.slack\.com/services/T\w{6,}/B\w{6,}/\w{16,}",
        ("xox", "hooks.slack.com"),
    ),
    "a token of Hugging Face": (
        r"\bhf_(?:(?=[A-Za-z]{0,60}\d)[A-Za-z0-9]{20,}|[A-Za-z0-9]{34,})",
        ("hf_",),
    ),
    "a token of npm": (r"\bnpm_[A-Za-z0-9]{30,}", ("npm_",)),
    "a token of PyPI": (r"\bpypi-Ag[\w-]{30,}", ("pypi-Ag",)),
    "a token of Databricks": (r"\bdapi[0-9a-f]{32}\b", ("dapi",)),
    "a token of DigitalOcean": (r"\bdo[opr]_v1_[0-9a-f]{32,}", ("doo_v1", "dop_v1", "dor_v1")),
    "a key of AWS": (
        (
            r"\b(?:AKIA|ASIA)(?=[A-Z]{0,15}\d)[A-Z0-9]{16}\b"
            r"|(?i:aws_secret_access_key)[\"']?\s{0,3}[=:]\s{0,3}[\"']?[A-Za-z0-9/+]{40}\b"
        ),
        ("AKIA", "ASIA", "aws_secret", "AWS_SECRET"),
    ),
    "a key of Azure": (r"\bAccountKey=[A-Za-z0-9+/]{40,}", ("AccountKey=",)),
    "a key of Google": (r"\bAIza[\w-]{30,}", ("AIza",)),
    "a key of Stripe": (r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}", ("k_live_", "k_test_")),
    "a key of SendGrid": (r"\bSG\.[\w-]{16,64}\.[\w-]{16,}", ("SG.",)),
    "an API key": (
        (
            rf"\bsk-(?!{WORDS}(?![\w-]))(?=[\w-]{{0,100}}\d[\w-]{{0,100}}\d)(?:[a-z0-9]{{1,20}}-){{0,3}}"
            r"[A-Za-z0-9_]{12,200}(?!\w|\.[a-z])"
        ),
        ("sk-",),
    ),
    "a token in a header": (
        (
            r"(?i)\b(?:bearer|authorization[\"']?\s{0,3}[:=,]\s{0,3}[\"']?(?:basic|token))[ \t]+"
            r"((?=[\w.~+/-]{0,200}\d)[\w.~+/-]{16,})"
        ),
        ("earer ", "EARER ", "uthorization", "UTHORIZATION"),
    ),
    "a signed token (JWT)": (
        r"\beyJ[\w-]{10,4000}\.eyJ[\w-]{8,4000}\.[\w-]{4,}",
        ("eyJ",),
    ),
    "a private key": (r"-----BEGIN (?:[A-Z]{1,20} ){0,4}PRIVATE KEY-----", ("PRIVATE KEY",)),
    URL: (
        (
            r"(?i)\b[a-z][a-z0-9+.-]{0,20}://(?P<user>[^\s:/@'\"<>{}$*]{0,100})"
            r":(?P<password>[^\s/@'\"<>{}$*]{3,200})@(?!localhost\b|127\.)[\w\[]"
        ),
        ("://",),
    ),
}
"""What well-known secrets look like, enough of each that prose and names do not, and signs.

A group is the part that may be a placeholder; one of the signs is in every text of the form.
No part is without a bound: a text that nearly has a form must not take long.
"""

_COMPILED = {what: (re.compile(form), signs) for what, (form, signs) in FORMS.items()}
SIGNS = tuple(sign.encode() for _form, signs in FORMS.values() for sign in signs)

SECRET_NAME = re.compile(
    r"(?i)(?:^|_)(?:(?P<word>passw(?:or)?d|passphrase|pwd|(?:db|user|root|admin|smtp|ftp)_?pass)"
    r"|(?:api|access|account|secret|private|signing|encryption|auth|wandb|openai|anthropic|aws"
    r"|azure|google|gcp|stripe|sendgrid|cohere|mistral|kaggle|comet|neptune|github|hf)_?key"
    r"|secret|(?P<token>(?<!pad_)(?<!eos_)(?<!bos_)(?<!unk_)(?<!sep_)(?<!cls_)(?<!mask_)token))$"
)
"""Names of variables that hold secrets."""


def is_secret_name(name: str) -> re.Match[str] | None:
    """Whether a variable is called like a secret, in any spelling: `apiKey`, `API-KEY`."""
    return SECRET_NAME.search(re.sub(r"(?<=[a-z])(?=[A-Z])|-", "_", name))


PLACEHOLDER = re.compile(
    r"(?i)^(?:your|my|insert|enter|add|put|some|the|an?|example|dummy|fake|sample|change|replace"
    r"|placeholder|todo)(?:[-_ .]|$|me)|^(?:[<\[{(%$]|__).*"
    r"|.*(?:\.\.\.|\*\*\*|xxx|<|\{\{|example).*"
    r"|(?:passw(?:or)?d|pass|pwd|secret|token|user(?:name)?|(?:api[-_]?)?key)$"
)
"""What stands where a secret would."""


def form_of(text: str, *, or_placeholder: bool = False) -> str | None:
    """What a text has that looks like a secret, and like no placeholder: `a token of GitHub`."""
    return next((what for _at, what in _found(text, or_placeholder=or_placeholder)), None)


def forms_in(text: str) -> Iterator[tuple[int, str]]:
    """The numbers of the lines with a secret of a well-known form, and what it looks like."""
    lines: dict[int, str] = {}
    for at, what in _found(text, or_placeholder=False):
        lines.setdefault(text.count("\n", 0, at) + 1, what)
    yield from sorted(lines.items())


def _found(text: str, *, or_placeholder: bool) -> Iterator[tuple[int, str]]:
    """Where secrets begin, and what each looks like, form by form."""
    for what, (form, signs) in _COMPILED.items():
        if not any(sign in text for sign in signs):
            continue
        for match in form.finditer(text):
            groups = match.groupdict()
            if groups and groups["user"] == groups["password"]:
                continue
            told = groups["password"] if groups else match[match.lastindex or 0]
            if or_placeholder or not PLACEHOLDER.match(told):
                yield match.start(), what
