"""`python -m airflow_mlplat.launchers.contained DIRECTORY`: supervise one job as the main process of a container.

As `supervisor`, but attached: that it lives is seen by the container, which ends with it. What the job writes goes to
its log, which a task reads, and from there to the container's own output, for those who look there. Python 3.9,
nothing but the standard library and the contract.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

from airflow_mlplat.contract import ExitCode
from airflow_mlplat.launchers.cgroup import memory_kills
from airflow_mlplat.launchers.directory import NOT_MOUNTED, JobDirectory
from airflow_mlplat.launchers.files import read_json, write_json
from airflow_mlplat.launchers.supervisor import PR_SET_CHILD_SUBREAPER, SIGNALS, Watch, start

LOOK_BYTES = 1 << 20
"""Most of the log that is copied at one look: a job that writes faster is still looked after."""
END_BYTES = 16 << 20
"""Most that is copied of the rest when it has ended."""


class Relay:
    """Copies what is added to a file to another, a look at a time. The file is opened before the job could replace it.

    Args:
        source: Path of the file; made if it is not there.
        target: Number of the open file that it is copied to.
    """

    def __init__(self, source: Path, target: int) -> None:
        self._source = os.open(source, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        self._target, self._offset = target, 0

    def copy(self, most: int = LOOK_BYTES) -> None:
        """What was added since the last call, not more than so many bytes."""
        end = self._offset + most
        while self._offset < end and (part := os.pread(self._source, 65536, self._offset)):
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
    directory = JobDirectory(Path(arguments[0]), apart=True)
    launch = read_json(directory.launch)
    if launch is None:
        print(f"{directory.launch} {NOT_MOUNTED}", file=sys.stderr)
        return ExitCode.PLATFORM_ERROR
    os.chdir(directory.work)
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    relay, kills = Relay(directory.log, 1), memory_kills()
    pid = start(launch["command"], {**os.environ, **launch["environment"]}, directory.log, prctl)
    # Forked processes share memory: the container's control group counts it once.
    ending = Watch(directory, launch, pid, kills, measure=False, also=relay.copy).run()
    relay.copy(END_BYTES)
    write_json(directory.exit, ending)
    return 128 + ending["signal"] if ending["exit_code"] is None else ending["exit_code"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
