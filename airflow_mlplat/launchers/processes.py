"""Which processes belong to a job, told from Linux's /proc; a process is its pid and start time, never its pid alone.

Standard library only: the supervisor imports this. Fields of /proc/PID/stat: proc_pid_stat(5).
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

PROC = "/proc"
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
GRACE_SECONDS = 2.0
"""Between SIGTERM and SIGKILL."""
TOKEN_VARIABLE = "MLPLAT_JOB_TOKEN"
"""Set in every job's environment and inherited by all it starts, so that they are found even after `setsid`."""


class Process(NamedTuple):
    """One line of the process table; `start_time` is in clock ticks since boot, `memory_bytes` is resident memory."""

    pid: int
    parent: int
    session: int
    start_time: int
    memory_bytes: int

    @property
    def identity(self) -> tuple[int, int]:
        """What no later process shares."""
        return self.pid, self.start_time


def supported() -> bool:
    """Whether this machine has Linux's /proc, which is how jobs are watched."""
    return sys.platform.startswith("linux") and Path(PROC, "self/stat").exists()


def machine() -> str:
    """Names what our pids mean something in: this boot of this kernel, and the pid namespace (of the container)."""
    boot = Path(PROC, "sys/kernel/random/boot_id").read_text().strip()
    return f"{boot} {Path(PROC, 'self/ns/pid').readlink()}"


def process(pid: int) -> Process | None:
    """The living process of this pid; None when there is none, or only a zombie."""
    try:
        line = _read(pid, "stat")
    except OSError:
        return None
    # The second field is the command in parentheses, which may itself hold spaces and parentheses.
    fields = line[line.rindex(b")") + 2 :].split()
    if fields[0] in (b"Z", b"X", b"x"):
        return None
    return Process(pid, int(fields[1]), int(fields[3]), int(fields[19]), int(fields[21]) * PAGE_BYTES)


def table() -> dict[int, Process]:
    """All living processes by pid."""
    with os.scandir(PROC) as entries:
        found = [process(int(entry.name)) for entry in entries if entry.name.isdigit()]
    return {entry.pid: entry for entry in found if entry is not None}


def descendants(pid: int, processes: dict[int, Process]) -> list[Process]:
    """The children of a process, their children and so on; those without a living parent belong to a subreaper."""
    children: dict[int, list[Process]] = {}
    for entry in processes.values():
        children.setdefault(entry.parent, []).append(entry)
    found, todo = [], [pid]
    while todo:
        for entry in children.get(todo.pop(), []):
            found.append(entry)
            todo.append(entry.pid)
    return found


def marked(token: str, leader: tuple[int, int] | None = None) -> list[Process]:
    """The living processes that carry a job's token, and those of the session of its living leader.

    Args:
        token: Value of `TOKEN_VARIABLE` in the job's environment.
        leader: Identity of the job's first process. Processes that overwrote their environment (to set their title)
            are found by its session, while it lives: later the session's number may be another's.
    """
    processes = table()
    first = processes.get(leader[0]) if leader else None
    session = first.session if first is not None and first.identity == leader else None
    return [entry for entry in processes.values() if entry.session == session or _carries(entry.pid, token)]


def _carries(pid: int, token: str) -> bool:
    try:
        return f"{TOKEN_VARIABLE}={token}".encode() in _read(pid, "environ").split(b"\0")
    except OSError:  # gone meanwhile, or another user's
        return False


def _read(pid: int, name: str) -> bytes:
    # Not pathlib: this runs for every process of the machine, several times a second.
    file = os.open(f"{PROC}/{pid}/{name}", os.O_RDONLY)
    try:
        content = part = os.read(file, 65536)
        while part:
            part = os.read(file, 65536)
            content += part
        return content
    finally:
        os.close(file)


def send(entries: Iterable[Process], number: int) -> None:
    """Signal processes, each only if its pid still is that process."""
    for entry in entries:
        now = process(entry.pid)
        if now is not None and now.identity == entry.identity:
            with contextlib.suppress(ProcessLookupError):
                os.kill(entry.pid, number)


def end(find: Callable[[], list[Process]], grace_seconds: float) -> list[Process]:
    """SIGTERM, then SIGKILL after `grace_seconds`, to whatever `find` finds; what is left one second later."""
    asked: set[tuple[int, int]] = set()
    started = time.monotonic()
    left = find()
    while left and time.monotonic() < started + grace_seconds + 1.0:
        if time.monotonic() < started + grace_seconds:
            send([entry for entry in left if entry.identity not in asked], signal.SIGTERM)
            asked.update(entry.identity for entry in left)
        else:
            send(left, signal.SIGKILL)
        time.sleep(0.02)
        left = find()
    return left
