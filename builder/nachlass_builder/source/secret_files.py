"""Knows which files of a source are secrets: by their place, their name or what they hold."""

from __future__ import annotations

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from nachlass_builder.foundation.secret_forms import SIGNS, form_of, forms_in

PLACES = {
    "keys of ssh and gpg": (
        ".ssh/* .gnupg/* id_rsa id_dsa id_ecdsa id_ed25519 id_rsa_* id_ed25519_*"
    ),
    "a store of keys": "*.key *.p12 *.pfx *.jks *.keystore *.ppk *.kdbx *.ovpn",
    "credentials of a cloud": (
        ".aws/* .azure/* .config/gcloud/* .oci/* .aliyun/* .bluemix/* .boto .s3cfg rclone.conf"
        " application_default_credentials.json *firebase-adminsdk*.json client_secret*.json"
        " service?account*.json serviceaccount*.json *credentials.json credentials.csv"
        " rootkey.csv *_accesskeys.csv token.json .cdsapirc"
    ),
    "credentials of containers and clusters": (
        ".docker/config.json .dockercfg .dockerconfigjson .kube/* kubeconfig kubeconfig.y*ml"
        " *.kubeconfig .config/helm/registry.json .helm/registry.json containers/auth.json"
    ),
    "the state or variables of infrastructure": (
        "*.tfstate *.tfstate.* *.tfvars *.tfvars.json .terraformrc credentials.tfrc.json"
        " .vault-token .vault_pass* vault_pass* .pulumi/credentials.json"
    ),
    "credentials of a package manager": (
        ".netrc _netrc netrc .pypirc .npmrc pip.conf pip.ini .config/pypoetry/auth.toml"
        " .cargo/credentials .cargo/credentials.toml .gem/credentials .m2/settings.xml"
        " .composer/auth.json .config/uv/credentials/*"
    ),
    "credentials of git or CI": (
        ".git-credentials .config/git/credentials .config/gh/hosts.yml .config/glab-cli/*"
        " .secrets .secrets/* .actrc .circleci/cli.yml"
    ),
    "credentials of a database": (
        ".pgpass pgpass.conf .pg_service.conf .my.cnf .mylogin.cnf .dbt/profiles.yml"
        " .snowsql/* .snowflake/* .databrickscfg .odbc.ini .mongorc.js .rediscli_auth"
    ),
    "credentials of notebooks or model hubs": (
        ".jupyter/* .kaggle/* kaggle.json .huggingface/* huggingface/token .config/wandb/*"
        " .comet.config .mlflow/credentials clearml.conf .clearml.conf .neptune/* .openai/*"
        " .streamlit/secrets.toml .modal.toml .replicate/* .ngc/*"
    ),
    "the history of a shell": ".*_history .histfile",
    "a file of variables": ".env .envrc .env.* .env-* .env_* .flaskenv *.env .renviron .dev.vars",
    "secrets by its name": (
        ".htpasswd *.htpasswd secret.y*ml secret.json secret.toml secret.ini secret.txt"
        " secrets.y*ml secrets.json secrets.toml secrets.ini secrets.txt secrets.*.y*ml"
        " secrets.*.json secrets.*.toml *.secrets.y*ml *.secrets.json *.secret *.secrets"
        " passwords.txt passwords.y*ml passwords.json .passwords password.txt token.txt api_key.txt"
        " api-key.txt apikey.txt credentials credentials.y*ml credentials.toml credentials.ini"
        " *.credentials"
    ),
}
"""Where programs keep credentials: names, or the end of paths, without regard to case.

`*` stands for a part of a name; `/*` at the end for all that a folder holds.
"""

EXAMPLES = re.compile(
    r"\.env\.(example|sample|template|dist)|id_\w+\.pub|known_hosts", re.IGNORECASE
)
"""Names among them that hold no secret."""

KEPT = re.compile(
    r".*\.(py|ipynb)|requirements.*\.(txt|in)|constraints.*\.txt|pyproject\.toml|uv\.(toml|lock)"
    r"|(environment|conda)\.ya?ml|setup\.(py|cfg)",
    re.IGNORECASE,
)
"""Files that a build reads: a secret in them is told, and they are not left out."""

_WEB = re.compile(r"\bhttps?://")
LARGEST = 1 << 18
"""Bytes of a file in which a secret is looked for."""


def _compiled(*globs: str) -> re.Pattern[str]:
    """One pattern for the end of a path."""
    patterns = (_pattern(glob) for words in globs for glob in words.split())
    return re.compile("|".join(patterns), re.IGNORECASE)


def _pattern(glob: str) -> str:
    """A glob as a regular expression, in which `*` stays within a name."""
    start, is_folder = glob.removesuffix("/*"), glob.endswith("/*")
    parts = re.escape(start).replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
    return f"{parts}/.+" if is_folder else parts


_PLACES = {what: _compiled(globs) for what, globs in PLACES.items()}
_ANY_PLACE = _compiled(*PLACES.values())


class SecretFile(NamedTuple):
    """A file that is left out: its path from the root, and what it is taken for."""

    name: str
    what: str

    def __str__(self) -> str:
        """The file as a message names it."""
        return f"{self.name} ({self.what})"


def why_secret(path: Path, name: str, shipped: Sequence[str] = ()) -> str | None:
    """What a file is taken for: `a private key`; None if it is no secret, or one to ship.

    `name` is its path from the source's root; `shipped` are names, or patterns of them,
    that are meant to be in a bundle.
    """
    if is_read_by_builds(name) or any(is_named(name, pattern) for pattern in shipped):
        return None
    return _by_place(name) or _held_by(path)


def is_named(name: str, pattern: str) -> bool:
    """Whether a pattern, from the source's root, names a file, or a folder that it is in."""
    return bool(re.fullmatch(f"{_pattern(pattern.strip('/'))}(/.+)?", name))


def is_read_by_builds(name: str) -> bool:
    """Whether a file is code, a notebook or one of requirements."""
    return bool(KEPT.fullmatch(PurePosixPath(name).name))


def secrets_in_text(path: Path) -> list[tuple[int, str]]:
    """The numbers of the lines of a small text file with a secret, and what each looks like."""
    return list(forms_in(text)) if (text := _small_text(path)) else []


def _by_place(name: str) -> str | None:
    """What a file is by its name, or by the folders that it is in."""
    parts = PurePosixPath(name).parts
    if not parts or EXAMPLES.fullmatch(parts[-1]):
        return None
    for start in range(len(parts)):
        end = "/".join(parts[start:])
        if _ANY_PLACE.fullmatch(end):
            return next(what for what, place in _PLACES.items() if place.fullmatch(end))
    return None


def _held_by(path: Path) -> str | None:
    """What a small text file holds that is a secret.

    Addresses with a password are left to people to judge: lists of URLs have such.
    """
    text = _small_text(path)
    return form_of(_WEB.sub("", text)) if text else None


def _small_text(path: Path) -> str | None:
    """The text of a small file that may hold a secret; None of any other."""
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > LARGEST:
            return None
        content = path.read_bytes()
    except OSError:  # a file that cannot be read is not copied either
        return None
    if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return content.decode("utf-16", "replace")
    if b"\0" in content[:1024] or not any(sign in content for sign in SIGNS):
        return None
    return content.decode("utf-8", "replace")


def told(files: Iterable[SecretFile]) -> str:
    """The files that are left out, and how to have one all the same."""
    return (
        f"left out as secrets: {', '.join(map(str, files))}; to ship one all the same, "
        "name it in S2I_SHIP"
    )
