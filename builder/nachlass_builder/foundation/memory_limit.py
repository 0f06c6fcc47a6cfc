"""The memory available to the build, for messages."""

from __future__ import annotations

from pathlib import Path

from nachlass_builder.foundation.control_groups import memory


def memory_limit(root: Path = Path("/")) -> str:
    """Describe the memory limit of the control groups, or the machine's memory."""
    limit, machine = memory(root)
    if limit < machine:
        return f"the memory limit is {limit // 2**20:,} MiB"
    return f"the machine has {machine // 2**20:,} MiB"
