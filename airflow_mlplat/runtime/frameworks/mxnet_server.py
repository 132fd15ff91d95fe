"""MXNet's scheduler and server, through which several workers add up their gradients: processes beside worker 0.

Run as `python -m airflow_mlplat.runtime.frameworks.mxnet_server`, with the role in the environment. Such a process
ends with the one that started it, however that ends: then its stdin does.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping

ROLES = ("scheduler", "server")
END_SECONDS = 10.0
"""That they may take to end once all workers have left."""


class Servers:
    """The scheduler and one server, running.

    Args:
        environment: Variables that tell all nodes of each other (MXNet's guide "Distributed Training").
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        command = [sys.executable, *(["-I"] if sys.flags.isolated else []), "-m", __spec__.name]
        self._processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, env={**os.environ, **environment, "DMLC_ROLE": role})
            for role in ROLES
        ]

    def end(self) -> None:
        """Wait until they have ended, which they do once all workers have left; end them if they do not."""
        for process in self._processes:
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdin:
                process.stdin.close()


def main() -> None:
    """Be what DMLC_ROLE says until all workers have left."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import mxnet  # noqa: F401  # runs the role, and exits


def _end_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)  # nothing is ever written to it
    os._exit(0)


if __name__ == "__main__":
    main()
