"""The secret files of a source, recognised by location, name or content."""

from __future__ import annotations

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from nachlass_builder.foundation.secret_forms import SIGNS, form_of, forms_in

PLACES = {
    "SSH or GPG keys": (".ssh/* .gnupg/* id_rsa id_dsa id_ecdsa id_ed25519 id_rsa_* id_ed25519_*"),
    "a key store": "*.key *.p12 *.pfx *.jks *.keystore *.ppk *.kdbx *.ovpn",
    "cloud credentials": (
        ".aws/* .azure/* .config/gcloud/* .oci/* .aliyun/* .bluemix/* .boto .s3cfg rclone.conf"
        " application_default_credentials.json *firebase-adminsdk*.json client_secret*.json"
        " service?account*.json serviceaccount*.json *credentials.json credentials.csv"
        " rootkey.csv *_accesskeys.csv token.json .cdsapirc"
    ),
    "container or cluster credentials": (
        ".docker/config.json .dockercfg .dockerconfigjson .kube/* kubeconfig kubeconfig.y*ml"
        " *.kubeconfig .config/helm/registry.json .helm/registry.json containers/auth.json"
    ),
    "infrastructure state or variables": (
        "*.tfstate *.tfstate.* *.tfvars *.tfvars.json .terraformrc credentials.tfrc.json"
        " .vault-token .vault_pass* vault_pass* .pulumi/credentials.json"
    ),
    "package manager credentials": (
        ".netrc _netrc netrc .pypirc .npmrc pip.conf pip.ini .config/pypoetry/auth.toml"
        " .cargo/credentials .cargo/credentials.toml .gem/credentials .m2/settings.xml"
        " .composer/auth.json .config/uv/credentials/*"
    ),
    "git or CI credentials": (
        ".git-credentials .config/git/credentials .config/gh/hosts.yml .config/glab-cli/*"
        " .secrets .secrets/* .actrc .circleci/cli.yml"
    ),
    "database credentials": (
        ".pgpass pgpass.conf .pg_service.conf .my.cnf .mylogin.cnf .dbt/profiles.yml"
        " .snowsql/* .snowflake/* .databrickscfg .odbc.ini .mongorc.js .rediscli_auth"
    ),
    "notebook or model hub credentials": (
        ".jupyter/* .kaggle/* kaggle.json .huggingface/* huggingface/token .config/wandb/*"
        " .comet.config .mlflow/credentials clearml.conf .clearml.conf .neptune/* .openai/*"
        " .streamlit/secrets.toml .modal.toml .replicate/* .ngc/*"
    ),
    "a shell history": ".*_history .histfile",
    "an environment file": ".env .envrc .env.* .env-* .env_* .flaskenv *.env .renviron .dev.vars",
    "a secret by its name": (
        ".htpasswd *.htpasswd secret.y*ml secret.json secret.toml secret.ini secret.txt"
        " secrets.y*ml secrets.json secrets.toml secrets.ini secrets.txt secrets.*.y*ml"
        " secrets.*.json secrets.*.toml *.secrets.y*ml *.secrets.json *.secret *.secrets"
        " passwords.txt passwords.y*ml passwords.json .passwords password.txt token.txt api_key.txt"
        " api-key.txt apikey.txt credentials credentials.y*ml credentials.toml credentials.ini"
        " *.credentials"
    ),
}
"""Where programs keep credentials: names, or the ends of paths, ignoring case.

`*` matches part of a name; `/*` at the end matches everything in a folder.
"""

EXAMPLES = re.compile(
    r"\.env\.(example|sample|template|dist)|id_\w+\.pub|known_hosts", re.IGNORECASE
)
"""Matching names that contain no secrets."""

KEPT = re.compile(
    r".*\.(py|ipynb)|requirements.*\.(txt|in)|constraints.*\.txt|pyproject\.toml|uv\.(toml|lock)"
    r"|(environment|conda)\.ya?ml|setup\.(py|cfg)",
    re.IGNORECASE,
)
"""Files that a build reads: secrets in them are reported, but the files are not left out."""

_WEB = re.compile(r"\bhttps?://")
MAX_BYTES = 1 << 18
"""Maximum size in bytes of a file that is searched for secrets."""


def _compiled(*globs: str) -> re.Pattern[str]:
    """Compile globs into one pattern for the end of a path."""
    patterns = (_pattern(glob) for words in globs for glob in words.split())
    return re.compile("|".join(patterns), re.IGNORECASE)


def _pattern(glob: str) -> str:
    """Convert a glob into a regular expression, in which `*` stays within a name."""
    start, is_folder = glob.removesuffix("/*"), glob.endswith("/*")
    parts = re.escape(start).replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
    return f"{parts}/.+" if is_folder else parts


_PLACES = {what: _compiled(globs) for what, globs in PLACES.items()}
_ANY_PLACE = _compiled(*PLACES.values())


class SecretFile(NamedTuple):
    """A file that is left out: its path from the root, and what it looks like."""

    name: str
    what: str

    def __str__(self) -> str:
        """The file as messages name it."""
        return f"{self.name} ({self.what})"


def why_secret(path: Path, name: str, shipped: Sequence[str] = ()) -> str | None:
    """Return what a file looks like (`a private key`); None if it is not secret, or shipped.

    `name` is its path from the source's root; `shipped` are names, or patterns of names,
    that are intended for the bundle.
    """
    if is_read_by_builds(name) or any(is_named(name, pattern) for pattern in shipped):
        return None
    return _by_place(name) or _held_by(path)


def is_named(name: str, pattern: str) -> bool:
    """Return whether a pattern, from the source's root, matches a file or a folder above it."""
    return bool(re.fullmatch(f"{_pattern(pattern.strip('/'))}(/.+)?", name))


def is_read_by_builds(name: str) -> bool:
    """Return whether a file is code, a notebook or a requirements file."""
    return bool(KEPT.fullmatch(PurePosixPath(name).name))


def secrets_in_text(path: Path) -> list[tuple[int, str]]:
    """Return the line numbers of secrets in a small text file, and what each looks like."""
    return list(forms_in(text)) if (text := _small_text(path)) else []


def _by_place(name: str) -> str | None:
    """Return what a file is, judging by its name or folders."""
    parts = PurePosixPath(name).parts
    if not parts or EXAMPLES.fullmatch(parts[-1]):
        return None
    for start in range(len(parts)):
        end = "/".join(parts[start:])
        if _ANY_PLACE.fullmatch(end):
            return next(kind for kind, place in _PLACES.items() if place.fullmatch(end))
    return None


def _held_by(path: Path) -> str | None:
    """Return the kind of secret in a small text file.

    URLs with a password do not count: they are common in lists of URLs.
    """
    text = _small_text(path)
    return form_of(_WEB.sub("", text)) if text else None


def _small_text(path: Path) -> str | None:
    """Return the text of a small file that may contain a secret; None for any other."""
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_BYTES:
            return None
        content = path.read_bytes()
    except OSError:  # a file that cannot be read is not copied either
        return None
    if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return content.decode("utf-16", "replace")
    if b"\0" in content[:1024] or not any(sign in content for sign in SIGNS):
        return None
    return content.decode("utf-8", "replace")


def describe_secret_files(files: Iterable[SecretFile]) -> str:
    """List the files that are left out, and say how to include one."""
    return (
        f"left out as secrets: {', '.join(map(str, files))}; to ship one anyway, "
        "name it in S2I_SHIP"
    )
