"""A job as small as can be, for the launchers' suite: does what its spec's params say, and leaves a result.

Usage: worker.py DIRECTORY
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from airflow_mlplat.contract import ExitCode, JobError, JobResult, JobSpec

NUMBER = int(os.environ.get("MLPLAT_WORKER", "0"))
SLEEPER = "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"


def leave_result(directory: Path, spec: JobSpec, error: JobError | None = None) -> None:
    """Write result.json whole."""
    result = JobResult(spec.key, spec.stage, metrics={"run": os.urandom(8).hex()}, error=error)
    temporary = directory / "result.tmp"
    temporary.write_text(json.dumps(result.to_json()))
    temporary.replace(directory / "result.json")


def greet() -> None:
    """Every worker but the first greets the first, by its address; returns when all have."""
    addresses = [address.rsplit(":", 1) for address in os.environ["MLPLAT_WORKERS"].split(",")]
    host, port = addresses[0]
    if NUMBER == 0:
        with socket.create_server(("", int(port))) as server:
            for _ in addresses[1:]:
                server.accept()[0].close()
        return
    while True:
        try:
            return socket.create_connection((host, int(port)), timeout=5).close()
        except OSError:  # it is not there yet
            time.sleep(0.05)


def look_at_checkpoints() -> None:
    """Say what a worker sees of the first one's checkpoints, and that it cannot write there."""
    folder = Path(os.environ["MLPLAT_WORKER_CHECKPOINTS"])
    print("sees", sorted(path.name for path in folder.iterdir()), flush=True)
    try:
        (folder / "mine").touch()
    except OSError as error:
        print("cannot write:", error.strerror, flush=True)


def main(directory: Path) -> int:
    """Run one job; returns its exit code."""
    spec = JobSpec.from_json(json.loads((directory / "spec.json").read_text()))
    params = {**spec.params, **spec.params.get(f"worker-{NUMBER}", {})}
    with (directory / "starts.txt").open("a") as file:
        file.write(f"{os.getpid()}\n")
    print("started", sorted(os.environ) if params.get("show_environment") else "", flush=True)
    if params.get("deaf"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for _ in range(params.get("children", 0)):
        # In a session of its own, deaf, with our directory in its command line so that the tests find it.
        subprocess.Popen([sys.executable, "-c", SLEEPER, str(directory)], start_new_session=True)
    if params.get("greet"):
        greet()
    if params.get("checkpoints"):
        look_at_checkpoints()
    ballast = bytearray(params.get("eat_bytes", 0))
    ballast[::4096] = b"x" * len(ballast[::4096])
    print("ready", flush=True)
    time.sleep(params.get("seconds", 0))
    if params.get("kill"):
        os.kill(os.getpid(), params["kill"])
    if "exit" in params:
        return params["exit"]
    if "error" in params:
        kind = params["error"]
        leave_result(directory, spec, JobError(kind, "SomeError", f"a fault of the {kind}", "Traceback …"))
        return ExitCode.USER_ERROR if kind == "user" else ExitCode.PLATFORM_ERROR
    leave_result(directory, spec)
    print("done", flush=True)
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
