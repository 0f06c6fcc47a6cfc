"""What programs are told of the files that are lent to a build."""

from __future__ import annotations

from pathlib import Path

LENT = {
    "pip.conf": ("PIP_CONFIG_FILE",),
    "constraints.txt": ("PIP_CONSTRAINT",),
    ".netrc": ("NETRC",),
    "ca.crt": ("SSL_CERT_FILE", "GIT_SSL_CAINFO"),
}
"""Files that programs are told of, by the variables that name them; ssh keys beside these."""


def lent(folder: Path) -> dict[str, str]:
    """What programs are told of the files lent to a build; s2i leaves emptied ones behind."""
    there = {path.name for path in folder.glob("*") if path.is_file() and path.stat().st_size}
    # The source belongs to whoever cloned it.
    variables = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
    }
    for name in there & LENT.keys():
        variables |= dict.fromkeys(LENT[name], str(folder / name))
    keys = sorted(name for name in there if name.startswith("id_") and not name.endswith(".pub"))
    if keys:
        known = "known_hosts" in there
        hosts = f"-o UserKnownHostsFile={folder}/known_hosts" if known else ""
        checking = "yes" if known else "accept-new"
        identities = " ".join(f"-i {folder / key}" for key in keys)
        variables["GIT_SSH_COMMAND"] = (
            f"ssh {identities} -o StrictHostKeyChecking={checking} {hosts}"
        )
    return variables
