from pathlib import Path

import pytest

import nachlass_builder.foundation.control_groups
import nachlass_service.hosting.control_groups
from nachlass_builder.foundation.control_groups import memory
from nachlass_builder.foundation.memory_limit import memory_limit
from support.control_groups import GIB, MACHINE, MEMORY_LIMITS, V2, lay_out


def test_the_builder_and_the_service_have_the_same_code():
    builders = Path(nachlass_builder.foundation.control_groups.__file__)
    services = Path(nachlass_service.hosting.control_groups.__file__)
    assert builders.read_bytes() == services.read_bytes()


@pytest.mark.parametrize("case", MEMORY_LIMITS)
def test_the_memory_available_to_the_process(case, tmp_path):
    *laid_out, limit = MEMORY_LIMITS[case]
    lay_out(tmp_path, *laid_out)
    assert memory(tmp_path) == (limit, MACHINE)


def test_the_memory_limit_as_text(tmp_path):
    lay_out(tmp_path, [V2], ["0::/app"], {"app/memory.max": f"{3 * GIB}"})
    assert memory_limit(tmp_path) == "the memory limit is 3,072 MiB"


def test_the_memory_of_the_machine_as_text(tmp_path):
    lay_out(tmp_path, [V2], ["0::/app"], {"app/memory.max": "max"})
    assert memory_limit(tmp_path) == "the machine has 65,536 MiB"
    assert memory_limit().endswith(" MiB")
