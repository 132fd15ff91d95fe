"""The processes of one running job, and how to end them with or without its supervisor's help."""

from __future__ import annotations

import time

from airflow_mlplat.launchers import processes
from airflow_mlplat.launchers.directory import JobDirectory
from airflow_mlplat.launchers.files import read_json
from airflow_mlplat.launchers.processes import GRACE_SECONDS

SUPERVISOR_SECONDS = 3.0
"""How long the supervisor may take to see its job's end; Airflow kills a task 5 s after it asked it to end."""


class Running:
    """What `process.json` says at this moment; make this before asking whether the job lives.

    In that order, what is found dead is what was read, not a job that was started again in between.

    Args:
        directory: The job's.
    """

    def __init__(self, directory: JobDirectory) -> None:
        self.directory = directory
        self._ended = directory.exit.exists()
        self._known = read_json(directory.process)

    def _here(self) -> bool:
        return self._known is not None and self._known["machine"] == processes.machine()

    def members(self) -> list[processes.Process]:
        """The job's living processes, without the supervisor; empty when another machine or container runs them."""
        if not self._here():
            return []
        leader = self._known["leader"]
        return processes.marked(self._known["token"], tuple(leader) if leader else None)

    def end_leftovers(self) -> None:
        """Kill what a job left whose supervisor died; the kernel has killed its first process already."""
        if not self._ended:
            processes.end(self.members, 0.0)

    def end(self) -> list[processes.Process]:
        """End the living job and see its supervisor go; returns the processes that would not."""
        deadline = time.monotonic() + SUPERVISOR_SECONDS
        left = processes.end(self.members, GRACE_SECONDS)
        while self.directory.alive() and time.monotonic() < deadline:
            time.sleep(0.02)
            self._known = read_json(self.directory.process)  # it may only be starting
            left = processes.end(self.members, max(0.0, min(GRACE_SECONDS, deadline - 1.0 - time.monotonic())))
        if self.directory.alive() and self._here():
            left = processes.end(self._supervisor, 0.0) + processes.end(self.members, 0.0)
        return left

    def _supervisor(self) -> list[processes.Process]:
        pid, start_time = self._known["supervisor"]
        found = processes.process(pid)
        return [found] if found is not None and found.identity == (pid, start_time) else []
