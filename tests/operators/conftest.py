"""A home with digits as its sources, and a function that runs the DAG `digits` on it in this process."""

from __future__ import annotations

import csv
import itertools
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import pytest

from airflow_mlplat.contract import Ref

ENVIRONMENTS = Path(__file__).resolve().parents[2] / ".venvs"


@dataclass
class Run:
    """How a DAG run ended.

    Args:
        state: `success` or `failed`.
        tasks: Task → its state.
        log: All that the tasks logged.
    """

    state: str
    tasks: dict[str, str]
    log: str


def write_table(path: Path, rows: list[tuple]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("id", "file", "label"), *rows])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, digits: tuple, png: Callable) -> Path:
    """MLPLAT_HOME with `sources/train.csv`, `sources/test.csv` and image files."""
    monkeypatch.setenv("MLPLAT_HOME", str(tmp_path))
    monkeypatch.setenv("MLPLAT_ENVIRONMENTS", str(ENVIRONMENTS))
    images, labels = digits
    sources = tmp_path / "sources"
    sources.mkdir()
    for number in range(900):
        (sources / f"{number}.png").write_bytes(png(images[number]))
    write_table(sources / "train.csv", [(n, f"{n}.png", labels[n]) for n in range(600)])
    write_table(sources / "test.csv", [(n, f"{n}.png", labels[n]) for n in range(600, 900)])
    return tmp_path


@pytest.fixture
def run_dag(airflow_home: str, home: Path, capfd: pytest.CaptureFixture) -> Callable[..., Run]:
    """Run the DAG for a day, with parameters."""
    from airflow.dag_processing.dagbag import DagBag

    def run(day: str = "2026-01-01", dag_id: str = "digits", **params: object) -> Run:
        bag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
        assert not bag.import_errors, bag.import_errors
        capfd.readouterr()
        date = datetime.fromisoformat(day).replace(tzinfo=timezone.utc)
        done = bag.dags[dag_id].test(logical_date=date, run_conf=params or None)
        written = capfd.readouterr()
        log = re.sub(r"\x1b\[[0-9;]*m", "", written.out + written.err)
        return Run(str(done.state), {ti.task_id: str(ti.state) for ti in done.get_task_instances()}, log)

    return run


@pytest.fixture
def catalog(home: Path):
    """The home's catalog."""
    from airflow_mlplat.catalog import open_catalog

    return open_catalog(f"sqlite:///{home}/catalog.db")


@pytest.fixture
def made(home: Path) -> Made:
    """A `Made` for the home."""
    return Made()


_RESULTS = itertools.count()


class Made:
    """Puts made-up results into a home's store and catalog."""

    def __init__(self) -> None:
        from airflow_mlplat.hooks.jobs import JobHook

        self.hook = JobHook()

    def __call__(self, stage: str, kind: str, name: str, partition: str = "2026-01-01", **facts: object) -> tuple:
        """(spec, result, reference) of a job with one output."""
        from airflow_mlplat.catalog import RunInfo
        from airflow_mlplat.contract import JobResult
        from airflow_mlplat.hooks.jobs import Where

        document = {"format": 1, "kind": kind, "name": name, "files": {}, "parents": [], **facts}
        ref = self.hook.store.put_manifest(document)
        params = {"number": next(_RESULTS), "looks": 0}
        spec = self.hook.spec(stage, name, where=Where("process"), params=params, inputs={})
        result = self.hook.store.put_result(JobResult(spec.key, stage, {kind: ref}))
        self.hook.record(spec, result, RunInfo("dag", "run", stage, -1, partition))
        return spec, result, ref

    def promote(self, challenger: Ref, champion: Ref | None, partition: str) -> None:
        from airflow_mlplat.catalog import DecisionInput, RunInfo

        run = RunInfo("dag", "run", "compare", -1, partition)
        key, expected = f"{challenger.digest}-{partition}", champion.digest if champion else None
        decision = DecisionInput(key, "digits", "promoted", "better", challenger.digest, expected, partition, run)
        assert self.hook.catalog.decide(decision).outcome == "promoted"
