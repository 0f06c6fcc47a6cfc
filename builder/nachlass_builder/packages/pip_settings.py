"""pip's settings of package indexes, which uv ignores; pip_configuration.py reads them."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from netrc import NetrcParseError, netrc
from pathlib import Path
from urllib.parse import unquote, urlsplit

from nachlass_builder.foundation.credentials import public_url, secrets_in
from nachlass_builder.foundation.errors import RequirementsError
from nachlass_builder.packages.pip_configuration import read_values

WHEELHOUSE = "wheels"

SHORT_OPTIONS = {"-i": "index-url", "-f": "find-links", "-c": "constraint"}
LISTS = {
    "extra-index-url": "extra_index_urls",
    "find-links": "find_links",
    "trusted-host": "trusted_hosts",
    "constraint": "constraints",
    "only-binary": "only_binary",
    "no-binary": "no_binary",
}
WORDS = {
    "index-url": "index_url",
    "pypi-url": "index_url",
    "cert": "cert",
    "client-cert": "client_cert",
    "timeout": "timeout_s",
    "default-timeout": "timeout_s",
    "retries": "retries",
    "proxy": "proxy",
}
SWITCHES = {"no-index": "no_index", "pre": "pre"}
MEANINGLESS = {
    "break-system-packages", "cache-dir", "config-file", "debug", "disable-pip-version-check",
    "log", "no-cache-dir", "no-color", "no-input", "progress-bar", "quiet", "root-user-action",
    "user", "verbose", "yes",
}  # fmt: skip
"""Options that do not change what is installed."""

PYPI = "https://pypi.org/simple"
INDEX_VARIABLES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL")


@dataclass(frozen=True)
class IndexSettings:
    """The package indexes, and how distributions are fetched.

    `find_links` and `constraints` are absolute paths or URLs. `root` is the source,
    `wheelhouse` its `wheels/` if that contains wheels, `missing_links` the configured
    folders that do not exist (pip ignores them), `unsupported` the pip options without an
    equivalent in uv. `only_binary` and `no_binary` are normalised names, or `:all:`.
    `environ` are the variables that all this was read from.
    """

    root: Path | None = None
    index_url: str | None = field(default=None, repr=False)
    extra_index_urls: tuple[str, ...] = field(default=(), repr=False)
    find_links: tuple[str, ...] = field(default=(), repr=False)
    no_index: bool = False
    pre: bool = False
    only_binary: tuple[str, ...] = ()
    no_binary: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    trusted_hosts: tuple[str, ...] = ()
    cert: str | None = None
    client_cert: str | None = None
    timeout_s: str | None = None
    retries: str | None = None
    proxy: str | None = field(default=None, repr=False)
    wheelhouse: Path | None = None
    missing_links: tuple[str, ...] = ()
    unsupported: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def read(cls, environ: Mapping[str, str], root: Path | None) -> IndexSettings:
        """Read the variables and files that pip would read."""
        settings = cls(root=root, environ=dict(environ))
        values = read_values(environ)
        for name, value in values.items():
            settings = settings._with(name, value, here=Path.cwd())
        known = SWITCHES.keys() | WORDS.keys() | LISTS.keys() | MEANINGLESS
        settings = replace(settings, unsupported=tuple(sorted(values.keys() - known)))
        wheelhouse = root / WHEELHOUSE if root else None
        if wheelhouse and any(wheelhouse.glob("*.whl")):
            links = (*settings.find_links, str(wheelhouse.absolute()))
            settings = replace(settings, find_links=links, wheelhouse=wheelhouse.absolute())
        return settings

    def with_options(self, options: Sequence[str]) -> IndexSettings:
        """Apply the options of a requirements file (words or whole lines).

        Paths are relative to the source. Options that mean nothing to uv are ignored.
        """
        settings = self
        here = self.root or Path.cwd()
        for name, value in _options([self._expand(option) for option in options]):
            settings = settings._with(name, value, here=here)
        return settings

    def of_source(self, source: Path) -> IndexSettings:
        """Move the paths below `root` to the new place of the source."""
        if self.root is None:
            return replace(self, root=source)
        before = self.root.absolute()

        def moved(text: str) -> str:
            path = Path(text)
            return str(source / path.relative_to(before)) if path.is_relative_to(before) else text

        return replace(
            self,
            root=source,
            find_links=tuple(map(moved, self.find_links)),
            constraints=tuple(map(moved, self.constraints)),
            cert=self.cert and moved(self.cert),
            client_cert=self.client_cert and moved(self.client_cert),
            wheelhouse=self.wheelhouse and Path(moved(str(self.wheelhouse))),
        )

    @property
    def secrets(self) -> frozenset[str]:
        """Every password and token in these settings and the environment."""
        return secrets_in([*self._urls(), *self.constraints], self.environ)

    @property
    def places(self) -> tuple[str, ...]:
        """The indexes and folders in use, without credentials."""
        default = self.environ.get("UV_DEFAULT_INDEX") or self.index_url or PYPI
        indexes = () if self.no_index else (default, *self.extra_index_urls)
        return tuple(public_url(place) for place in (*indexes, *self.find_links))

    def user_given(self, refusal: str) -> bool:
        """Return whether credentials are configured for an index that uv's message names."""
        texts = [*self._urls(), *(self.environ.get(name, "") for name in INDEX_VARIABLES)]
        urls = re.findall(r"https?://[^\s,]*@[^\s,]+", " ".join(texts))
        if any(public_url(url).rstrip("/") in refusal for url in urls):
            return True
        home = Path(self.environ["HOME"]) if "HOME" in self.environ else Path.home()
        try:
            hosts = netrc(self.environ.get("NETRC") or home / ".netrc").hosts
        except (OSError, UnicodeDecodeError, NetrcParseError):
            return False
        return any(f"://{host}{end}" in refusal for host in hosts for end in "/:")

    def _with(self, name: str, value: str, *, here: Path) -> IndexSettings:
        """Apply one more pip option; lists grow, single values are replaced."""
        if name in SWITCHES:
            return self._set(SWITCHES[name], _is_true(value))
        if name in ("cert", "client-cert"):
            return self._set(WORDS[name], str((here / Path(value).expanduser()).absolute()))
        if name in WORDS:
            return self._set(WORDS[name], value)
        if name in ("only-binary", "no-binary"):
            return self._with_format(name, value)
        words = value.split()
        if name in ("find-links", "constraint"):
            words = [_located(word, here) for word in words]
        return self._with_listed(name, words) if name in LISTS else self

    def _set(self, attribute: str, value: object) -> IndexSettings:
        """Replace one attribute."""
        return replace(self, **{attribute: value})  # type: ignore[arg-type]

    def _with_listed(self, name: str, words: list[str]) -> IndexSettings:
        """Extend a list without missing folders: pip ignores them, uv fails."""
        missing = [word for word in words if name == "find-links" and not _may_exist(word)]
        found = [word for word in words if word not in missing]
        grown = {LISTS[name]: (*getattr(self, LISTS[name]), *found)}
        return replace(self, missing_links=(*self.missing_links, *missing), **grown)  # type: ignore[arg-type]

    def _with_format(self, name: str, value: str) -> IndexSettings:
        """Extend only-binary or no-binary; as in pip, the later one wins and `:none:` empties."""
        field_name, other = (
            LISTS[name],
            LISTS["no-binary" if name == "only-binary" else "only-binary"],
        )
        names = tuple(
            re.sub(r"[-_.]+", "-", word).lower() for word in re.split(r"[\s,]+", value) if word
        )
        if ":none:" in names:
            return self._set(field_name, names[names.index(":none:") + 1 :])
        kept = tuple(word for word in getattr(self, other) if word not in names)
        return replace(self, **{field_name: (*getattr(self, field_name), *names), other: kept})  # type: ignore[arg-type]

    def _expand(self, option: str) -> str:
        """Replace `${NAME}` with the environment's value, as pip does in requirements files."""
        return re.sub(
            r"\$\{([A-Z0-9_]+)\}",
            lambda match: self.environ.get(match[1]) or match[0],
            option,
        )

    def _urls(self) -> list[str]:
        """Return every URL that may contain credentials."""
        urls = [*self.extra_index_urls, *self.find_links]
        return urls + [url for url in (self.index_url, self.proxy) if url]


def _options(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the long names and values of options."""
    try:
        split = [shlex.split(word) if " " in word else [word] for word in words]
    except ValueError as error:
        raise RequirementsError(f"cannot parse pip's options: {error}") from None
    remaining = [part for parts in split for part in parts]
    while remaining:
        option, equals, value = remaining.pop(0).partition("=")
        name = SHORT_OPTIONS.get(option, option.removeprefix("--"))
        if name in SWITCHES:
            yield name, "1"
        elif equals:
            yield name, value
        elif (name in WORDS or name in LISTS) and remaining:
            yield name, remaining.pop(0)


def _is_true(value: str) -> bool:
    """Read a boolean as pip does."""
    if value.lower() in ("y", "yes", "t", "true", "on", "1"):
        return True
    if value.lower() in ("n", "no", "f", "false", "off", "0"):
        return False
    raise RequirementsError(
        f"pip's settings contain {value!r} where a boolean is expected", remedy="use 1 or 0"
    )


def _located(word: str, here: Path) -> str:
    """Make a path absolute; leave a URL unchanged."""
    if "://" in word or word.startswith("file:"):
        return word
    return os.path.normpath(here / Path(word).expanduser())


def _may_exist(link: str) -> bool:
    """Return False for a local folder that does not exist."""
    if link.startswith("file:"):
        return Path(unquote(urlsplit(link).path)).exists()
    return "://" in link or Path(link).exists()
