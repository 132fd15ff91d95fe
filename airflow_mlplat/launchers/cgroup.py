"""How often the kernel killed a process of our control group for want of memory.

Standard library only: the supervisor imports this. Files: cgroup-v2.rst, cgroup-v1/memory.rst of the kernel's docs.
"""

from __future__ import annotations

from pathlib import Path

FILES = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")
"""Of version 2 and 1, as a container sees its own group; outside of one, those of the machine, which may lack it."""


def memory_kills(files: tuple[str, ...] = FILES) -> int:
    """The kernel's count; 0 where there is none."""
    for file in files:
        try:
            lines = Path(file).read_text().splitlines()
        except OSError:
            continue
        for name, _, value in (line.partition(" ") for line in lines):
            if name == "oom_kill":
                return int(value)
    return 0
