"""`python -m airflow_mlplat.runtime`, with stages of its own, for the tests.

Usage: job.py DIRECTORY/spec.json
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from pathlib import Path

from airflow_mlplat.contract import Ref
from airflow_mlplat.errors import DataError, StoreError
from airflow_mlplat.runtime.process import prepare
from airflow_mlplat.runtime.runner import run_file


class Outcome:
    """As `stages.Outcome`."""

    def __init__(self, outputs: dict[str, Ref]) -> None:
        self.outputs, self.metrics, self.stats = outputs, {"accuracy": 0.5}, {"samples": 3}


def work(job):
    """Put one manifest."""
    print("a line of the user's")
    warnings.warn("a library's warning", stacklevel=1)
    with (job.directory / "runs.txt").open("a") as file:
        file.write("run\n")
    document = {"format": 1, "kind": "evaluation", "name": job.spec.name, "files": {}, "parents": [], "metrics": {}}
    return Outcome({"evaluation": job.store.put_manifest(document)})


def fail(job):
    """Raise what the params say."""
    if job.spec.params["error"] == "exit":
        sys.exit(3)
    raise {
        "user": DataError("too many bad samples", expected="at most 1 %", got="2 %", fix="look at them"),
        "platform": StoreError("the store is gone"),
        "bug": ZeroDivisionError("division by zero"),
    }[job.spec.params["error"]]


def wait(job):
    """Until SIGTERM, cleaning up at the end."""
    try:
        job.log.info("waiting")
        time.sleep(60)
    finally:
        (job.directory / "cleaned").touch()


def user(job):
    """What a user's build file does; the params' `code` is the file."""
    from airflow_mlplat.stages import BuildFile

    path = job.directory / "build.py"
    path.write_text(job.spec.params["code"])
    build_file = BuildFile(path)
    build_file.build({})
    with build_file.blamed("train(ctx)"):
        build_file.train(None)


def crash(job):
    """As native code does."""
    os.abort()


def train(job):
    """What several workers do: worker 0 alone puts anything."""
    job.log.info("workers %s", job.workers)
    return work(job) if job.workers.rank == 0 else Outcome({})


STAGES = {"train": train, "work": work, "fail": fail, "wait": wait, "user": user, "crash": crash}

if __name__ == "__main__":
    prepare()
    sys.exit(run_file(Path(sys.argv[1]), STAGES))
