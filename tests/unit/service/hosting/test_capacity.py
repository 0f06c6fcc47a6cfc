import os

import pytest

from nachlass_service.hosting.capacity import MAX_WORKERS, OVERHEAD, Capacity, capacity
from support.control_groups import (
    GIB,
    MACHINE,
    V1_CPU,
    V1_GROUPS,
    V1_MEMORY,
    V1_NO_LIMIT,
    V2,
    lay_out,
)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Return a function for the capacity of a simulated machine with 64 GiB."""

    def read(mounts=(), groups=(), *, cores=64, cgroup=None, **files):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(cores)))
        lay_out(tmp_path, mounts, groups, cgroup, **files)
        found = capacity(tmp_path)
        return found.cores, found.memory

    return read


def test_this_machine_has_cores_and_memory():
    found = capacity()
    assert 0 < found.cores <= os.cpu_count()
    assert 64 << 20 < found.memory < 1 << 50


def test_a_machine_without_control_groups_is_not_limited(machine):
    assert machine(cores=3) == (3, MACHINE)


def test_missing_files_fall_back_to_the_system(tmp_path):
    found = capacity(tmp_path)
    assert found.cores == len(os.sched_getaffinity(0))
    assert found.memory == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


# Version 2.


@pytest.mark.parametrize(
    ("cpu_max", "cores"),
    [
        ("150000 100000\n", 1.5),
        ("5000 100000\n", 0.05),
        ("250000 50000\n", 5),
        ("max 100000\n", 64),
        ("100000\n", 64),
        ("9900000 100000\n", 64),
    ],
)
def test_a_version_2_cpu_quota_is_read(machine, cpu_max, cores):
    files = {"app/cpu.max": cpu_max}
    assert machine([V2], ["0::/app"], cgroup=files) == (cores, MACHINE)


@pytest.mark.parametrize(
    ("memory_max", "memory"),
    [(f"{GIB}\n", GIB), ("max\n", MACHINE), (f"{2 * MACHINE}\n", MACHINE)],
)
def test_a_version_2_memory_limit_is_read(machine, memory_max, memory):
    files = {"app/memory.max": memory_max}
    assert machine([V2], ["0::/app"], cgroup=files) == (64, memory)


def test_the_smallest_limit_of_all_parent_groups_applies(machine):
    files = {
        "a/b/c/cpu.max": "max 100000",
        "a/b/c/memory.max": f"{9 * GIB}",
        "a/b/cpu.max": "300000 100000",
        "a/b/memory.max": "max",
        "a/cpu.max": "250000 100000",
        "a/memory.max": f"{7 * GIB}",
        "other/cpu.max": "100000 100000",
        "a/b/c/d/cpu.max": "100000 100000",
    }
    assert machine([V2], ["0::/a/b/c"], cgroup=files) == (2.5, 7 * GIB)


def test_a_limit_on_the_root_of_a_container_applies(machine):
    files = {"cpu.max": "50000 100000", "memory.max": f"{GIB}"}
    assert machine([V2], ["0::/"], cgroup=files) == (0.5, GIB)


# Version 1.


def v1(quota, period, limit, group="app/"):
    return {
        f"cpu,cpuacct/{group}cpu.cfs_quota_us": f"{quota}\n",
        f"cpu,cpuacct/{group}cpu.cfs_period_us": f"{period}\n",
        f"memory/{group}memory.limit_in_bytes": f"{limit}\n",
    }


def test_version_1_limits_are_read(machine):
    files = v1(150000, 100000, GIB)
    assert machine([V1_CPU, V1_MEMORY], V1_GROUPS, cgroup=files) == (1.5, GIB)


def test_missing_version_1_limits_are_ignored(machine):
    files = v1(-1, 100000, V1_NO_LIMIT)
    assert machine([V1_CPU, V1_MEMORY], V1_GROUPS, cgroup=files) == (64, MACHINE)


def test_version_1_limits_of_parent_groups_apply(machine):
    files = {**v1(-1, 100000, V1_NO_LIMIT), **v1(200000, 100000, 3 * GIB, group="")}
    assert machine([V1_CPU, V1_MEMORY], V1_GROUPS, cgroup=files) == (2, 3 * GIB)


def test_each_controller_is_looked_up_in_its_own_hierarchy(machine):
    groups = ["4:memory:/one", "3:cpu,cpuacct:/two"]
    files = {**v1(100000, 100000, GIB, group="one/"), **v1(200000, 100000, 2 * GIB, group="two/")}
    assert machine([V1_CPU, V1_MEMORY], groups, cgroup=files) == (2, GIB)


def test_limits_of_both_versions_apply_in_a_hybrid(machine):
    unified = V2.replace("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
    files = {
        **v1(300000, 100000, 3 * GIB),
        "unified/app/cpu.max": "200000 100000",
        "unified/elsewhere/cpu.max": "100000 100000",
    }
    groups = [*V1_GROUPS, "0::/app"]
    assert machine([V1_CPU, V1_MEMORY, unified], groups, cgroup=files) == (2, 3 * GIB)


# Containers: the path may be the host's, and the mount a subtree of the host's hierarchy.


@pytest.mark.parametrize("path", ["/../..", "/../../other", "/", "/not/mounted/here"])
def test_a_path_outside_the_mount_of_a_container_is_handled(machine, path):
    files = {"cpu.max": "150000 100000", "memory.max": f"{GIB}"}
    assert machine([V2], [f"0::{path}"], cgroup=files) == (1.5, GIB)


@pytest.mark.parametrize("path", ["/docker/abc", "/", "/docker", "/elsewhere"])
def test_a_mounted_subtree_of_the_host_is_handled(machine, path):
    mounts = [line.replace(" / ", " /docker/abc ", 1) for line in (V1_CPU, V1_MEMORY)]
    groups = [f"4:memory:{path}", f"3:cpu,cpuacct:{path}"]
    files = v1(150000, 100000, GIB, group="")
    assert machine(mounts, groups, cgroup=files) == (1.5, GIB)


def test_a_group_inside_a_mounted_subtree_is_found(machine):
    mounts = [line.replace(" / ", " /docker/abc ", 1) for line in (V1_CPU, V1_MEMORY)]
    groups = ["4:memory:/docker/abc/app", "3:cpu,cpuacct:/docker/abc/app"]
    assert machine(mounts, groups, cgroup=v1(150000, 100000, GIB)) == (1.5, GIB)


def test_a_mount_outside_the_namespace_is_handled(machine):
    mount = V2.replace(" / ", " /../.. ", 1)
    files = {"cpu.max": "150000 100000"}
    assert machine([mount], ["0::/"], cgroup=files) == (1.5, MACHINE)


# Other and missing files.


def test_unmounted_groups_are_ignored(machine):
    assert machine([], [*V1_GROUPS, "0::/app"]) == (64, MACHINE)
    assert machine([V2, V1_CPU, V1_MEMORY], [*V1_GROUPS, "0::/app"]) == (64, MACHINE)


@pytest.mark.parametrize(
    "text", ["", "\n", "max", "x", "100000 x", "1 0", "-5 -5", "²", "1.5 2", b"\xff \xfe"]
)
def test_invalid_limits_are_ignored(machine, text):
    names = ("app/cpu.max", "app/memory.max", *v1(0, 0, 0))
    mounts, groups = [V2, V1_CPU, V1_MEMORY], [*V1_GROUPS, "0::/app"]
    assert machine(mounts, groups, cgroup=dict.fromkeys(names, text)) == (64, MACHINE)


def test_a_quota_without_its_period_is_ignored(machine):
    files = {"cpu,cpuacct/app/cpu.cfs_quota_us": "100000"}
    assert machine([V1_CPU], V1_GROUPS, cgroup=files) == (64, MACHINE)


@pytest.mark.parametrize("line", ["", "x", "a:b", "0::", "0::app", ":::", " - ", "\xff"])
def test_invalid_lines_are_skipped(machine, line):
    files = {"app/cpu.max": "150000 100000", "app/memory.max": f"{GIB}"}
    mounts = [line, "1 2 - cgroup2", f"{line} - cgroup2 cgroup2", V2]
    assert machine(mounts, [line, "0::/app"], cgroup=files) == (1.5, GIB)


def test_mounts_can_have_any_bytes(machine):
    mountinfo = b"9 1 0:9 / /mnt/\xe4\xff rw - tmpfs tmpfs rw\n" + V2.encode() + b"\n"
    files = {"app/cpu.max": "150000 100000"}
    found = machine(groups=["0::/app"], cgroup=files, **{"proc/self/mountinfo": mountinfo})
    assert found == (1.5, MACHINE)


@pytest.mark.parametrize("text", ["", "MemTotal:\n", "MemTotal: many kB\n", "MemTotal 5 kB\n"])
def test_memory_falls_back_to_the_system_without_a_total(machine, text):
    _cores, memory = machine(**{"proc/meminfo": text})
    assert memory == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


# The number of workers.


def needed(workers, *, loaded, scoring, bodies, preload):
    """Compute the bytes used by these workers and their master, by the formula of the module."""
    each = OVERHEAD + bodies + (scoring - loaded + loaded // 4 if preload else scoring)
    return OVERHEAD + (loaded if preload else 0) + workers * each


@pytest.mark.parametrize("preload", [False, True])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_the_number_of_workers_is_limited_by_memory(preload, count):
    sizes = {"loaded": 400 << 20, "scoring": 500 << 20, "bodies": 64 << 20}
    sizes["preload"] = preload
    enough = -(-needed(count, **sizes) * 10 // 9) + 1
    assert Capacity(64, enough).workers(**sizes)[0] == count
    assert Capacity(64, enough - 100).workers(**sizes)[0] == max(1, count - 1)


@pytest.mark.parametrize(
    ("cores", "workers"), [(0.05, 1), (1, 1), (1.01, 2), (1.5, 2), (2.0, 2), (16, 16), (500, 128)]
)
def test_there_is_one_worker_for_each_core_or_fraction_of_one(cores, workers):
    found, why = Capacity(cores, 1 << 50).workers(loaded=1, scoring=2, bodies=1, preload=True)
    assert found == workers <= MAX_WORKERS
    assert "cores" in why


@pytest.mark.parametrize("preload", [False, True])
@pytest.mark.parametrize("memory", [0, 1 << 20, 200 << 20])
def test_there_is_always_one_worker(preload, memory):
    sizes = {"loaded": GIB, "scoring": GIB, "bodies": 1}
    assert Capacity(8, memory).workers(**sizes, preload=preload)[0] == 1


def test_scoring_can_use_less_memory_than_loading():
    sizes = {"loaded": GIB, "scoring": GIB // 2, "bodies": 0}
    each = OVERHEAD + GIB // 4
    memory = (OVERHEAD + GIB + 3 * each) * 10 // 9 + 9
    assert Capacity(8, memory).workers(**sizes, preload=True)[0] == 3


def test_the_reason_names_cores_and_memory():
    _workers, why = Capacity(1.5, 2 * GIB).workers(
        loaded=64 << 20, scoring=100 << 20, bodies=64 << 20, preload=False
    )
    assert why == "1.5 cores, 2048 MiB of memory at 196 MiB per worker"
    _workers, why = Capacity(4.0, 2 * GIB).workers(
        loaded=64 << 20, scoring=100 << 20, bodies=0, preload=True
    )
    assert why == "4 cores, 2048 MiB of memory at 84 MiB per worker"
