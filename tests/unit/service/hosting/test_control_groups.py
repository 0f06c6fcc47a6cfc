import pytest

from nachlass_service.hosting.control_groups import memory
from support.control_groups import MACHINE, MEMORY_LIMITS, lay_out


@pytest.mark.parametrize("case", MEMORY_LIMITS)
def test_the_memory_available_to_the_process(case, tmp_path):
    *laid_out, limit = MEMORY_LIMITS[case]
    lay_out(tmp_path, *laid_out)
    assert memory(tmp_path) == (limit, MACHINE)
