"""`python -m airflow_mlplat.launchers.supervisor DIRECTORY LOCK`: start one job's process, watch it, say how it ended.

It outlives the task that started it, and the job does not outlive it. Standard library only, Python 3.9.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow_mlplat.launchers import processes
from airflow_mlplat.launchers.cgroup import memory_kills
from airflow_mlplat.launchers.directory import JobDirectory
from airflow_mlplat.launchers.files import read_json, write_json
from airflow_mlplat.launchers.processes import GRACE_SECONDS

POLL_SECONDS = 0.25
"""Between two looks at memory, lease and `cancel`; the job's own end is noticed at once."""
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # prctl(2), linux/prctl.h
SIGNALS = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


def main(arguments: list[str]) -> None:
    """Detach and supervise.

    Args:
        arguments: The job's directory; the number of the open file that holds its `alive.lock`.
    """
    os.set_inheritable(int(arguments[1]), False)
    if os.fork():
        os._exit(0)  # the launcher waits for this exit, so that it keeps no zombie of ours
    directory = JobDirectory(Path(arguments[0]))
    os.chdir(directory.path)
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # what the job leaves behind becomes our child
    launch = read_json(directory.launch)
    known = {"supervisor": _identity(os.getpid()), "token": launch["token"], "machine": processes.machine()}
    write_json(directory.process, {**known, "leader": None})
    kills = memory_kills()
    pid = start(launch["command"], launch["environment"], directory.log, prctl)
    write_json(directory.process, {**known, "leader": _identity(pid)})
    write_json(directory.exit, Watch(directory, launch, pid, kills).run())


def _identity(pid: int) -> list[int] | None:
    found = processes.process(pid)
    return list(found.identity) if found else None  # None: it has ended already


def start(command: list[str], environment: dict[str, str], log: Path, prctl: Any) -> int:
    """Start the job in a session of its own, to be killed by the kernel when we die; returns its pid."""
    supervisor = os.getpid()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    pid = os.fork()
    if pid:
        os.close(output)
        return pid
    try:
        os.setsid()
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != supervisor:  # it died before the line above
            os._exit(1)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.execve(command[0], command, environment)
    except Exception as error:  # this is the forked child, which must not go on as a second supervisor
        os.write(output, f"cannot start {command[0]}: {error}\n".encode())
    os._exit(127)  # as a shell says that it found no command


class Watch:
    """One running job.

    Args:
        directory: The job's.
        launch: Content of `launch.json`.
        pid: The job's first process.
        kills: `memory_kills` before it was started.
        measure: Hold the job to its memory limit here; otherwise the kernel does.
        also: Called at every look, and once when all has ended.
    """

    def __init__(
        self,
        directory: JobDirectory,
        launch: dict[str, Any],
        pid: int,
        kills: int,
        *,
        measure: bool = True,
        also: Callable[[], None] = lambda: None,
    ) -> None:
        self.directory, self.launch, self.pid, self.kills = directory, launch, pid, kills
        self.measure, self.also = measure, also
        self.started = self.looked = time.monotonic()
        self.lease: int | None = None
        self.peak = 0  # bytes
        self.code: int | None = None
        self.reason: str | None = None
        self.ending: float | None = None  # when SIGTERM was sent

    def run(self) -> dict[str, Any]:
        """Until the job has ended with all its processes; returns the content of `exit.json`."""
        while self.code is None:
            received = signal.sigtimedwait(SIGNALS, POLL_SECONDS)
            self.reap()
            self.also()
            if self.code is None and self.reason is None:
                asked = received is not None and received.si_signo != signal.SIGCHLD
                self.reason = self.why_end() or ("stopped" if asked else None)
            if self.code is None and self.reason is not None:
                self.press()
        seconds = time.monotonic() - self.started
        processes.end(self.members, 0.0)
        self.reap()
        self.also()
        reason = self.reason or self.why_ended()
        return {
            "reason": reason,
            "exit_code": self.code if self.code >= 0 else None,
            "signal": -self.code if self.code < 0 else None,
            "peak_memory_bytes": self.peak,
            "seconds": round(seconds, 3),
            "limits": self.launch["limits"],
            "orphan_seconds": self.launch["orphan_seconds"],
        }

    def why_ended(self) -> str:
        """The reason of an end that was not ours."""
        if self.directory.cancel.exists():
            return "cancelled"
        killed = self.code == -signal.SIGKILL and memory_kills() > self.kills
        return "memory limit" if killed else "exited"

    def members(self) -> list[processes.Process]:
        """All processes of the job: as their subreaper we stay their ancestor. Zombies are gone after `reap`."""
        self.reap()
        return processes.descendants(os.getpid(), processes.table())

    def reap(self) -> None:
        """Take the exit status of every ended child, and of the job when it is among them."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.peak = max(self.peak, usage.ru_maxrss * 1024)  # KiB, getrusage(2)
            if pid == self.pid:
                self.code = os.waitstatus_to_exitcode(status)

    def why_end(self) -> str | None:
        """The reason why the job must end now, if any."""
        limits, now = self.launch["limits"], time.monotonic()
        if self.directory.cancel.exists():
            return "cancelled"
        if limits["timeout_seconds"] and now - self.started > limits["timeout_seconds"]:
            return "time limit"
        if limits["memory_bytes"] and self.measure:
            used = sum(entry.memory_bytes for entry in self.members())
            self.peak = max(self.peak, used)
            if used > limits["memory_bytes"]:
                return "memory limit"
        return "orphaned" if self.lease_age(now) > self.launch["orphan_seconds"] else None

    def lease_age(self, now: float) -> float:
        """Seconds for which we saw the lease not renewed, by a clock that stands still while the machine sleeps."""
        try:
            lease = self.directory.lease.stat().st_mtime_ns
        except FileNotFoundError:
            lease = None
        if lease is not None and lease != self.lease:
            self.lease, self.looked = lease, now
        return now - self.looked

    def press(self) -> None:
        """SIGTERM at first, SIGKILL to all after the grace; at once when memory runs out."""
        now = time.monotonic()
        if self.ending is None:
            self.ending = now
            processes.send(self.members(), signal.SIGTERM)
        if self.reason == "memory limit" or now > self.ending + GRACE_SECONDS:
            processes.send(self.members(), signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
