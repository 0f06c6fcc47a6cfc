"""Files and parameters that `nachlass image` mounts during a build and no image contains."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from nachlass_builder.foundation.errors import ImageError
from nachlass_builder.foundation.settings import (
    is_index_variable,
    read_environment_file,
    unquote,
)
from nachlass_builder.image.paths import INJECTED
from nachlass_builder.source.parameters import secrets_among
from nachlass_builder.source.prepare import Prepared

CA_VARIABLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
PIP_OPTIONS = ("index-url", "extra-index-url", "trusted-host", "no-index", "timeout", "retries")


def given_parameters(prepared: Prepared, assignments: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters of the source and the command line, which takes precedence."""
    of_source = read_environment_file(prepared.source.root)
    return {n: unquote(v) for n, v in {**of_source, **assignments}.items()}


def private_parameters(parameters: Mapping[str, str], shipped: Collection[str]) -> dict[str, str]:
    """Return the parameters that no image may contain: secrets, and settings of pip and uv."""
    secrets = secrets_among(parameters, shipped)
    return {n: v for n, v in parameters.items() if is_index_variable(n) or n in secrets}


def mounted_files(files: Sequence[Path], environ: Mapping[str, str], work: Path) -> dict[str, Path]:
    """Return the files to mount, by their name there: `files`, and this machine's pip settings."""
    secrets = {}
    for path in files:
        if not path.is_file():
            raise ImageError(f"--secret {path}: there is no such file")
        secrets[path.name] = path.absolute()
    authority = next((environ[name] for name in CA_VARIABLES if environ.get(name)), None)
    if authority and "ca.crt" not in secrets:
        secrets["ca.crt"] = Path(authority).absolute()
    if "pip.conf" not in secrets:
        variables = {option: f"PIP_{option.upper().replace('-', '_')}" for option in PIP_OPTIONS}
        paths = {option: environ.get(variable) for option, variable in variables.items()}
        lines = [f"{option} = {value}" for option, value in paths.items() if value]
        if "ca.crt" in secrets:
            lines.append(f"cert = {INJECTED}/ca.crt")
        if lines:
            text = "\n".join(["[global]", *lines, ""])
            secrets["pip.conf"] = private_file(work / "pip.conf", text)
    return secrets


def private_file(path: Path, text: str) -> Path:
    """Write a file that only its owner can read; return its path."""
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    return path
