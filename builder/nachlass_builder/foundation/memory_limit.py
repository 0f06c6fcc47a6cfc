"""How much memory the build may take."""

from __future__ import annotations

from pathlib import Path

from nachlass_builder.foundation.control_groups import memory


def memory_limit(root: Path = Path("/")) -> str:
    """How much memory there is, by the control groups' limits or the machine, in words."""
    limit, machine = memory(root)
    if limit < machine:
        return f"the memory limit is {limit // 2**20:,} MiB"
    return f"the machine has {machine // 2**20:,} MiB"
