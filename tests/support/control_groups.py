"""Machines with control groups, as files in a folder for the builder and the service to read."""

GIB = 1 << 30
MACHINE = 64 * GIB
V1_NO_LIMIT = 9223372036854771712

V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate"
V1_CPU = "31 24 0:27 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct"
V1_MEMORY = "32 24 0:28 / /sys/fs/cgroup/memory rw shared:10 - cgroup cgroup rw,memory"
V1_GROUPS = ["12:pids:/p", "4:memory:/app", "3:cpu,cpuacct:/app", "1:name=systemd:/app"]
OTHER_MOUNTS = (
    "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw",
    "23 22 0:21 / /sys rw - sysfs sysfs rw",
    "40 22 0:40 / /mnt/with\\040blanks rw master:1 shared:2 - tmpfs tmpfs rw,size=4k",
)

LIMIT, MAX = "memory.limit_in_bytes", "memory.max"
UNIFIED = V2.replace("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
PART = V1_MEMORY.replace(" / ", " /docker/abc ", 1)
MEMORY_LIMITS = {
    "none": ([], [], {}, MACHINE),
    "v2": ([V2], ["0::/app"], {f"app/{MAX}": f"{GIB}\n"}, GIB),
    "v2 without a limit": ([V2], ["0::/app"], {f"app/{MAX}": "max\n"}, MACHINE),
    "v2 beyond the machine": ([V2], ["0::/app"], {f"app/{MAX}": f"{2 * MACHINE}\n"}, MACHINE),
    "v2 without the file": ([V2], ["0::/app"], {"app/cpu.max": "max 100000\n"}, MACHINE),
    "v2, a smaller limit above": (
        *([V2], ["0::/a/b/c"]),
        *({f"a/{MAX}": f"{7 * GIB}", f"a/b/{MAX}": "max", f"a/b/c/{MAX}": f"{9 * GIB}"}, 7 * GIB),
    ),
    "v2, a larger limit above": (
        *([V2], ["0::/a/b"], {f"a/{MAX}": f"{7 * GIB}", f"a/b/{MAX}": f"{3 * GIB}"}, 3 * GIB),
    ),
    "v2, a namespace's root": ([V2], ["0::/"], {MAX: f"{GIB}\n"}, GIB),
    "v2, outside of the namespace": ([V2], ["0::/../../other"], {MAX: f"{GIB}\n"}, GIB),
    "v1": ([V1_CPU, V1_MEMORY], V1_GROUPS, {f"memory/app/{LIMIT}": f"{GIB}\n"}, GIB),
    "v1 without a limit": (
        *([V1_CPU, V1_MEMORY], V1_GROUPS, {f"memory/app/{LIMIT}": f"{V1_NO_LIMIT}\n"}, MACHINE),
    ),
    "v1, a limit above": (
        *([V1_MEMORY], V1_GROUPS),
        *({f"memory/app/{LIMIT}": f"{V1_NO_LIMIT}\n", f"memory/{LIMIT}": f"{3 * GIB}\n"}, 3 * GIB),
    ),
    "v1, a part of the host's tree": (
        *([PART], ["4:memory:/docker/abc/app"], {f"memory/app/{LIMIT}": f"{GIB}\n"}, GIB),
    ),
    "v1, the host's path": ([PART], ["4:memory:/docker"], {f"memory/{LIMIT}": f"{GIB}\n"}, GIB),
    "v1 beside v2": (
        *([V1_MEMORY, UNIFIED], [*V1_GROUPS, "0::/app"]),
        *({f"memory/app/{LIMIT}": f"{3 * GIB}\n", "unified/app/cpu.max": "max 100000"}, 3 * GIB),
    ),
    "not a number": ([V2], ["0::/app"], {f"app/{MAX}": "many"}, MACHINE),
}
"""Mounts, groups, files below /sys/fs/cgroup, and the resulting memory of a process."""


def lay_out(folder, mounts=(), groups=(), files=None, **others):
    """Write the files of a machine with 64 GiB; `others` are files by path."""
    texts = {
        "proc/meminfo": f"MemFree:  1 kB\nMemTotal:  {MACHINE >> 10} kB\nSwapTotal:  0 kB\n",
        "proc/self/mountinfo": "".join(f"{line}\n" for line in (*OTHER_MOUNTS, *mounts)),
        "proc/self/cgroup": "".join(f"{line}\n" for line in groups),
        **{f"sys/fs/cgroup/{name}": text for name, text in (files or {}).items()},
        **others,
    }
    for name, text in texts.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
