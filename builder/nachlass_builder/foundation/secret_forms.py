"""Recognizes secrets by their form: tokens of well-known services, keys, passwords in URLs.

Cells, modules, files and parameters are all checked against this one list. Entropy alone
proves nothing: notebooks are full of digests and encoded data. detect-secrets knows more
forms, but it finds 10 of the 16 secrets in our tests, has 7 false positives among 28 other
texts, takes a second, and has had no release since 2024.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_WORD = r"(?:[a-z]{1,30}\d{0,2}|\d{1,4})"
WORDS = rf"(?:{_WORD}[-_]){{1,12}}{_WORD}"
"""A lower-case identifier of words and numbers: `user_id_2024_01`."""

URL = "a password in a URL"
FORMS = {
    "a GitHub token": (
        r"\bgh[opsur]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}",
        ("ghp_", "gho_", "ghs_", "ghu_", "ghr_", "github_pat_"),
    ),
    "a GitLab token": (
        r"\bgl(?:pat|dt|rt|ft|cbt|ptt|oas)-[\w.-]{16,}",
        ("glpat-", "gldt-", "glrt-", "glft-", "glcbt-", "glptt-", "gloas-"),
    ),
    "a Slack token": (
        r"\bxox[abeoprs]-[\w-]{12,}|hooks\.slack\.com/services/T\w{6,}/B\w{6,}/\w{16,}",
        ("xox", "hooks.slack.com"),
    ),
    "a Hugging Face token": (
        r"\bhf_(?:(?=[A-Za-z]{0,60}\d)[A-Za-z0-9]{20,}|[A-Za-z0-9]{34,})",
        ("hf_",),
    ),
    "an npm token": (r"\bnpm_[A-Za-z0-9]{30,}", ("npm_",)),
    "a PyPI token": (r"\bpypi-Ag[\w-]{30,}", ("pypi-Ag",)),
    "a Databricks token": (r"\bdapi[0-9a-f]{32}\b", ("dapi",)),
    "a DigitalOcean token": (r"\bdo[opr]_v1_[0-9a-f]{32,}", ("doo_v1", "dop_v1", "dor_v1")),
    "an AWS key": (
        (
            r"\b(?:AKIA|ASIA)(?=[A-Z]{0,15}\d)[A-Z0-9]{16}\b"
            r"|(?i:aws_secret_access_key)[\"']?\s{0,3}[=:]\s{0,3}[\"']?[A-Za-z0-9/+]{40}\b"
        ),
        ("AKIA", "ASIA", "aws_secret", "AWS_SECRET"),
    ),
    "an Azure key": (r"\bAccountKey=[A-Za-z0-9+/]{40,}", ("AccountKey=",)),
    "a Google API key": (r"\bAIza[\w-]{30,}", ("AIza",)),
    "a Stripe key": (r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}", ("k_live_", "k_test_")),
    "a SendGrid key": (r"\bSG\.[\w-]{16,64}\.[\w-]{16,}", ("SG.",)),
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
"""Well-known secrets: a pattern specific enough to exclude prose and names, and its signs.

A group marks the part that may be a placeholder. Every match contains one of the signs.
All repetitions are bounded, so that near matches do not take long.
"""

_COMPILED = {what: (re.compile(form), signs) for what, (form, signs) in FORMS.items()}
SIGNS = tuple(sign.encode() for _form, signs in FORMS.values() for sign in signs)

SECRET_NAME = re.compile(
    r"(?i)(?:^|_)(?:(?P<word>passw(?:or)?d|passphrase|pwd|(?:db|user|root|admin|smtp|ftp)_?pass)"
    r"|(?:api|access|account|secret|private|signing|encryption|auth|wandb|openai|anthropic|aws"
    r"|azure|google|gcp|stripe|sendgrid|cohere|mistral|kaggle|comet|neptune|github|hf)_?key"
    r"|secret|(?P<token>(?<!pad_)(?<!eos_)(?<!bos_)(?<!unk_)(?<!sep_)(?<!cls_)(?<!mask_)token))$"
)
"""Matches names of variables that hold secrets."""


def is_secret_name(name: str) -> re.Match[str] | None:
    """Match a variable's name against names of secrets, in any spelling: `apiKey`, `API-KEY`."""
    return SECRET_NAME.search(re.sub(r"(?<=[a-z])(?=[A-Z])|-", "_", name))


PLACEHOLDER = re.compile(
    r"(?i)^(?:your|my|insert|enter|add|put|some|the|an?|example|dummy|fake|sample|change|replace"
    r"|placeholder|todo)(?:[-_ .]|$|me)|^(?:[<\[{(%$]|__).*"
    r"|.*(?:\.\.\.|\*\*\*|xxx|<|\{\{|example).*"
    r"|(?:passw(?:or)?d|pass|pwd|secret|token|user(?:name)?|(?:api[-_]?)?key)$"
)
"""Matches placeholders of secrets."""


def form_of(text: str, *, or_placeholder: bool = False) -> str | None:
    """Describe the first secret in a text, such as `a GitHub token`; placeholders do not count."""
    return next((kind for _at, kind in _found(text, or_placeholder=or_placeholder)), None)


def forms_in(text: str) -> Iterator[tuple[int, str]]:
    """Yield the numbers of lines with a well-known secret, and a description of each."""
    lines: dict[int, str] = {}
    for at, kind in _found(text, or_placeholder=False):
        lines.setdefault(text.count("\n", 0, at) + 1, kind)
    yield from sorted(lines.items())


def _found(text: str, *, or_placeholder: bool) -> Iterator[tuple[int, str]]:
    """Yield the position and the description of each secret, form by form."""
    for kind, (form, signs) in _COMPILED.items():
        if not any(sign in text for sign in signs):
            continue
        for match in form.finditer(text):
            groups = match.groupdict()
            if groups and groups["user"] == groups["password"]:
                continue
            secret = groups["password"] if groups else match[match.lastindex or 0]
            if or_placeholder or not PLACEHOLDER.match(secret):
                yield match.start(), kind
