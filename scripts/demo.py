"""The main job on real images, by a real Airflow: seed the sources, backfill five partitions, print what came out.

Usage: demo.py run | up | down
  run   do it all, stop Airflow, exit 0 if a champion was promoted
  up    the same, but leave Airflow running and print where its UI is
  down  stop what `up` left running
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

from fashion import DAYS, ROOT, seed
from stack import Stack

HOME = Path(os.environ.get("MLPLAT_HOME") or ROOT / ".mlplat").absolute()
INGEST, RETRAINING = "fashion_ingest", "fashion_retraining"
FINISHED = ("success", "failed")
TIME_LIMIT_SECONDS = 3600


def say(text: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)


def make_stack() -> Stack:
    sources = HOME / "sources" / "fashion"
    return Stack(
        HOME, extra={"AIRFLOW_CONN_FASHION": json.dumps({"conn_type": "sqlite", "host": str(sources / "fashion.db")})}
    )


def partitions_of(stack: Stack, dag_id: str) -> dict[str, str]:
    """Partition → state of its newest run."""
    return {run["partition_key"]: run["state"] for run in stack.runs(dag_id) if run.get("partition_key") in DAYS}


def backfill(stack: Stack) -> None:
    """Backfill the days that have no run yet; follow both DAGs until every day is finished."""
    for dag_id in (INGEST, RETRAINING):
        stack.await_dag(dag_id)
    known = partitions_of(stack, INGEST)
    if set(known) != set(DAYS) or "failed" in known.values():
        # One day at a time, so that days are retrained in their order; a day that failed is tried again.
        days = ("--from-date", DAYS[0], "--to-date", DAYS[-1])
        command = ("backfill", "create", "--dag-id", INGEST, *days, "--max-active-runs", "1")
        command += ("--reprocess-behavior", "failed")
        say(f"airflow {' '.join(command)}")
        stack.cli(*command)
    end, shown = time.monotonic() + TIME_LIMIT_SECONDS, ""
    while time.monotonic() < end:
        ingest, retraining = partitions_of(stack, INGEST), partitions_of(stack, RETRAINING)
        text = progress(ingest, retraining)
        if text != shown:
            say(text)
            shown = text
        done = [retraining.get(day) in FINISHED or ingest.get(day) == "failed" for day in DAYS]
        if all(done):
            return
        time.sleep(1)
    say(f"gave up after {TIME_LIMIT_SECONDS} s")


def progress(ingest: dict[str, str], retraining: dict[str, str]) -> str:
    """`01 ✓✓  02 ✓…`: per day the state of its ingest and of its retraining."""
    marks = {"success": "✓", "failed": "✗", "running": "…", "queued": "·"}
    return "ingest/retraining  " + "  ".join(
        f"{day}: {marks.get(ingest.get(day, ''), '-')}{marks.get(retraining.get(day, ''), '-')}" for day in DAYS
    )


def report(stack: Stack) -> bool:
    """Print what the catalog says of every day; true if there is a champion."""

    def listed(*command: str) -> list[dict]:
        return json.loads(stack.cli("mlplat", *command, "--output", "json", check=False).stdout or "[]")

    datasets = {row["partition"]: row["digest"] for row in listed("datasets", "list", "fashion")}
    models = listed("models", "list", "fashion")
    decisions = {row["partition"]: row for row in reversed(listed("decisions", "list", "fashion"))}
    print(f"\n{'partition':<10}  {'dataset':<12}  {'model':<23}  {'accuracy':<8}  95 % interval   decision")
    for day in DAYS:
        decision = decisions.get(day, {"outcome": "none", "reason": ""})
        rows = sorted((row for row in models if row["partition"] == day), key=lambda row: row["framework"])
        for number, model in enumerate(rows):
            low, high = model["interval"] or (0.0, 0.0)
            words = f"{decision['outcome']}: {decision['reason']}" if model["digest"] == about(decision, rows) else ""
            name = f"{model['framework']} {model['digest'][:12]}"
            first = f"{day}  {datasets.get(day, '-')[:12]:<12}" if number == 0 else " " * 24
            print(f"{first}  {name:<23}  {model['accuracy'] or 0.0:<8.4f}  {low:.4f}-{high:.4f}   {words}")
    champion = next((model for model in models if model["alias"]), None)
    if champion is None:
        print("\nno champion was promoted")
        return False
    print(
        f"\n{champion['alias']} is {champion['framework']} {champion['digest'][:12]} of {champion['partition']}, "
        f"accuracy {champion['accuracy']:.4f} on the test images"
    )
    return True


def about(decision: dict, rows: list[dict]) -> str | None:
    """Digest of the row's model that a decision is about: the best challenger, or the first where it names none."""
    digests = [row["digest"] for row in rows]
    return decision.get("challenger") if decision.get("challenger") in digests else next(iter(digests), None)


def main(command: str) -> int:
    if command == "down":
        make_stack().stop()
        return 0
    started = time.monotonic()
    say(f"everything lies under {HOME}")
    seeded = seed(HOME / "sources" / "fashion")
    say(f"images: {seeded['origin']} ({seeded['train']} + {seeded['test']} for tests)")
    stack, promoted = make_stack(), False
    try:
        say(f"starting Airflow (logs in {stack.folder})")
        stack.start()
        backfill(stack)
        promoted = report(stack)
    finally:
        if command == "run" or not promoted:
            stack.stop()
    say(f"done in {time.monotonic() - started:.0f} s")
    if command == "up" and promoted:
        say(f"Airflow: {stack.address}  login: admin  password: {stack.password}  (stop it: make down)")
        say(f"commands: AIRFLOW_HOME={stack.folder} MLPLAT_HOME={HOME} .venv/bin/airflow mlplat champion show fashion")
    return 0 if promoted else 1


if __name__ == "__main__":
    # Both end with Airflow stopped; a shell that starts us in the background has SIGINT ignored.
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, lambda number, frame: sys.exit(128 + number))
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "run"))
