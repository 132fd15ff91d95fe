"""`python -m airflow_mlplat.launchers.contained DIRECTORY`: supervise one job as the main process of a container.

As `supervisor`, but attached: that it lives is seen by the container, which ends with it. What the job writes goes to
its log, which a task reads, and from there to the container's own output, for those who look there. Standard library
only, Python 3.9.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

from airflow_mlplat.launchers.cgroup import memory_kills
from airflow_mlplat.launchers.directory import JobDirectory, read_json, write_json
from airflow_mlplat.launchers.supervisor import PR_SET_CHILD_SUBREAPER, SIGNALS, Watch, start

PLATFORM_ERROR = 70
"""As `contract.ExitCode`, which is not imported: what starts a job shall work where that cannot be."""


class Relay:
    """Copies what is added to a file to another, a look at a time.

    Args:
        source: The file.
        target: Number of the open file that it is copied to.
    """

    def __init__(self, source: Path, target: int) -> None:
        self._source, self._target, self._offset = source, target, 0

    def copy(self) -> None:
        """All that was added since the last call."""
        with self._source.open("rb") as file:
            file.seek(self._offset)
            while part := file.read(65536):
                self._offset += len(part)
                while part:
                    part = part[os.write(self._target, part) :]


def main(arguments: list[str]) -> int:
    """Run the job that `launch.json` describes.

    Args:
        arguments: The job's directory.

    Returns:
        The job's exit code, as a shell would say it.
    """
    directory = JobDirectory(Path(arguments[0]))
    launch = read_json(directory.launch)
    if launch is None:
        print(f"{directory.launch} is not there or does not read: is the job's directory mounted?", file=sys.stderr)
        return PLATFORM_ERROR
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    kills = memory_kills()
    pid = start(launch["command"], {**os.environ, **launch["environment"]}, directory.log, prctl)
    # Forked processes share memory: the container's control group counts it once.
    ending = Watch(directory, launch, pid, kills, measure=False, also=Relay(directory.log, 1).copy).run()
    write_json(directory.exit, ending)
    return 128 + ending["signal"] if ending["exit_code"] is None else ending["exit_code"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
