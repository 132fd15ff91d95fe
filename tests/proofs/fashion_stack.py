"""The demo's DAGs on a small part of its images, by a real Airflow: what several proofs start from."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from fashion import DAYS, seed
from stack import ROOT, Stack

INGEST, RETRAINING = "fashion_ingest", "fashion_retraining"


class FashionStack:
    """One home with seeded sources and a running Airflow.

    Args:
        start: The fixture `stack`.
        name: Of the home.
        per_day: Training images a day.
        tests: Test images, 10,000 at most.
        retraining_runs: So many days may be retrained at once.
        changes: Text of the retraining DAG → what takes its place there, such as another default of a parameter.
        extra: Further environment variables.
    """

    def __init__(
        self,
        start: Callable[..., Stack],
        home: Path,
        *,
        per_day: int = 600,
        tests: int = 500,
        retraining_runs: int = 1,
        changes: Mapping[str, str] | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        seed(home / "sources/fashion", per_day, tests)
        connection = {"conn_type": "sqlite", "host": str(home / "sources/fashion/fashion.db")}
        self.home = home
        dags = home / "dags"
        shutil.copytree(ROOT / "dags", dags)
        file = dags / "fashion_retraining.py"
        text = file.read_text()
        for old, new in {**(changes or {}), "max_active_runs=1": f"max_active_runs={retraining_runs}"}.items():
            assert text.count(old) == 1, f"{old!r} is not once in {file}"
            text = text.replace(old, new)
        file.write_text(text)
        self.stack = start(
            home.name, dags=dags, extra={"AIRFLOW_CONN_FASHION": json.dumps(connection), **(extra or {})}
        )
        for dag_id in (INGEST, RETRAINING):
            self.stack.await_dag(dag_id)

    def backfill(self, *options: str, first: str = DAYS[0], last: str = DAYS[-1], runs: int | None = None) -> None:
        """`airflow backfill create` of the ingest DAG; returns when the retraining of every day has ended.

        Args:
            options: Further options of the command.
            first: First day.
            last: Last day.
            runs: So many retraining runs there must be; default: one per day.
        """
        self.stack.cli("backfill", "create", "--dag-id", INGEST, "--from-date", first, "--to-date", last, *options)
        days = [day for day in DAYS if first <= day <= last]
        self.await_runs(RETRAINING, runs or len(days))

    def await_runs(self, dag_id: str, count: int, seconds: float = 1500) -> None:
        """Until a DAG has so many ended runs and no other; fails if any of them failed."""
        end = time.monotonic() + seconds
        while True:
            states = [run["state"] for run in self.stack.runs(dag_id)]
            assert "failed" not in states, f"{dag_id}: {states}; see {self.stack.folder}/logs"
            if len(states) >= count and set(states) == {"success"}:
                return
            assert time.monotonic() < end, f"{dag_id}: {states} after {seconds} s"
            time.sleep(1)

    def digests(self, kind: str) -> dict[tuple[str, ...], str]:
        """(name, partition, framework) → digest of every artifact of a kind."""
        from airflow_mlplat.catalog import open_catalog

        catalog = open_catalog(f"sqlite:///{self.home}/catalog.db")
        return {
            (row.name, partition, row.document.get("framework", "")): row.digest
            for row in catalog.artifacts(kind, limit=None)
            for partition in catalog.partitions(row.ref)
        }
