"""Members of a group, each a process of a framework's environment."""

from __future__ import annotations

import subprocess

from tests.runtime.frameworks.conftest import ENV, free_ports

HEAD = """
import sys
import numpy as np
from airflow_mlplat.stages.workers import Workers
rank, ports = int(sys.argv[1]), sys.argv[2].split(",")
workers = Workers(rank, tuple(("127.0.0.1", int(port)) for port in ports) if len(ports) > 1 else ())
"""


def members(python: str, code: str, count: int) -> list[str]:
    """Run code in so many processes, each with its `workers` (and `np`); what each wrote to stdout."""
    ports = ",".join(map(str, free_ports(count)))
    jobs = [
        subprocess.Popen(
            [python, "-c", HEAD + code, str(rank), ports], env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]  # fmt: skip
    said = [job.communicate(timeout=100) for job in jobs]
    assert [job.returncode for job in jobs] == [0] * count, said
    return [told for told, _ in said]
