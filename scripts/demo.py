"""The main job on real images, by a real Airflow: seed the sources, backfill five partitions, print what came out.

Usage: demo.py run | up | down
  run   do it all, stop Airflow, exit 0 if a champion was promoted
  up    the same, but leave Airflow running and print where its UI is
  down  stop what `up` left running
"""

from __future__ import annotations

import json
import os
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
    if set(partitions_of(stack, INGEST)) != set(DAYS):
        say(f"airflow backfill create --dag-id {INGEST} --from-date {DAYS[0]} --to-date {DAYS[-1]}")
        stack.cli("backfill", "create", "--dag-id", INGEST, "--from-date", DAYS[0], "--to-date", DAYS[-1])
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
    """Print the table of the catalog; true if there is a champion."""
    table = stack.cli("mlplat", "decisions", "list", "--name", "fashion", "--output", "json")
    decisions = [d for d in json.loads(table.stdout) if d["outcome"] != "recommended"]
    print(f"\n{'partition':<11} {'dataset':<13} {'accuracy of each model, with its 95 % interval':<72} decision")
    for day in DAYS:
        for decision in (d for d in decisions if d["partition"] == day):
            print(
                f"{day:<11} {decision['dataset'][:12]:<13} {decision['accuracies']:<72} "
                f"{decision['outcome']}: {decision['reason']}"
            )
    champion = json.loads(
        stack.cli("mlplat", "champion", "show", "fashion", "--output", "json", check=False).stdout or "[]"
    )
    print(f"\nchampion  {json.dumps(champion)}" if champion else "\nno champion was promoted")
    return bool(champion)


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
    return 0 if promoted else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "run"))
