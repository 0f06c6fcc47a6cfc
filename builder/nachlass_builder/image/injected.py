"""Reads the files injected into a build: variables that name them, and parameters."""

from __future__ import annotations

import json
from pathlib import Path

PARAMETERS = "parameters.json"
"""The file with the parameters that `nachlass image` mounts: by name, as JSON."""

VARIABLES = {
    "pip.conf": ("PIP_CONFIG_FILE",),
    "constraints.txt": ("PIP_CONSTRAINT",),
    ".netrc": ("NETRC",),
    "ca.crt": ("SSL_CERT_FILE", "GIT_SSL_CAINFO"),
}
"""The variables that name each file; ssh keys go into GIT_SSH_COMMAND."""


def injected_parameters(folder: Path) -> dict[str, str]:
    """Read the parameters from a folder's file; none if it does not exist."""
    path = folder / PARAMETERS
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def injected_environment(folder: Path) -> dict[str, str]:
    """Return variables for the non-empty files of a folder: s2i leaves emptied files behind."""
    files = {path.name for path in folder.glob("*") if path.is_file() and path.stat().st_size}
    # The source belongs to the user that cloned it.
    variables = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
    }
    for name in files & VARIABLES.keys():
        variables |= dict.fromkeys(VARIABLES[name], str(folder / name))
    keys = sorted(name for name in files if name.startswith("id_") and not name.endswith(".pub"))
    if keys:
        known = "known_hosts" in files
        hosts = f"-o UserKnownHostsFile={folder}/known_hosts" if known else ""
        checking = "yes" if known else "accept-new"
        identities = " ".join(f"-i {folder / key}" for key in keys)
        variables["GIT_SSH_COMMAND"] = (
            f"ssh {identities} -o StrictHostKeyChecking={checking} {hosts}"
        )
    return variables
