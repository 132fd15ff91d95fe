"""Sixteen processes promote different models at once: one wins, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.proofs.conftest import ROOT, Proof

PROCESSES, ROUNDS = 16, 20
# Each process stays for all rounds and starts each at the same moment: a barrier made of files.
CONTENDER = """
import json, sys, time
from pathlib import Path
from airflow_mlplat.catalog import DecisionInput, RunInfo, open_catalog
url, folder = sys.argv[1], Path(sys.argv[2])
me, rounds, processes = map(int, sys.argv[3:])
catalog = open_catalog(url)
for turn in range(rounds):
    champion = catalog.alias("race")
    expected = champion.digest if champion else None
    challenger = f"{turn:032x}{me:032x}"
    run = RunInfo("race", f"round{turn}", "promote", me, "2026-01-01")
    decision = DecisionInput(key=f"{turn}-{me}", name="race", outcome="promoted", reason="race", challenger=challenger,
                             expected_champion=expected, partition="2026-01-01", run=run)
    (folder / f"ready-{turn}-{me}").touch()
    while len(list(folder.glob(f"ready-{turn}-*"))) < processes:
        time.sleep(0.002)
    made = catalog.decide(decision)
    (folder / f"done-{turn}-{me}").write_text(json.dumps([made.outcome, made.reason]))
    while len(list(folder.glob(f"done-{turn}-*"))) < processes:
        time.sleep(0.002)
"""


def fill(url: str) -> None:
    """Enter the models of all rounds into the catalog."""
    from airflow_mlplat.catalog import RunInfo, open_catalog
    from airflow_mlplat.contract import JobResult, JobSpec, Ref

    catalog = open_catalog(url)
    for turn in range(ROUNDS):
        for me in range(PROCESSES):
            ref = Ref("model", "race", f"{turn:032x}{me:032x}")
            spec = JobSpec(
                stage="train", name="race", store="/s", code_version="c", image="i", params={"n": [turn, me]}
            )
            result = JobResult(job_key=spec.key, stage="train", outputs={"model": ref})
            document = {"format": 1, "kind": "model", "name": "race", "files": {}, "parents": []}
            catalog.record_job(spec, result, {ref.digest: document}, RunInfo("race", "fill", "train", me, "2026-01-01"))


def race(url: str, folder: Path) -> tuple[list[int], list[str], int, int]:
    """Winners per round, the losers' reasons, decisions recorded, final version of the alias."""
    from airflow_mlplat.catalog import open_catalog

    folder.mkdir()
    fill(url)
    arguments = [
        [sys.executable, "-c", CONTENDER, url, folder, str(n), str(ROUNDS), str(PROCESSES)] for n in range(PROCESSES)
    ]
    running = [subprocess.Popen(argument, cwd=ROOT) for argument in arguments]
    end = time.monotonic() + 600
    codes = [process.wait(max(1, end - time.monotonic())) for process in running]
    assert codes == [0] * PROCESSES
    outcomes = [
        [json.loads((folder / f"done-{turn}-{me}").read_text()) for me in range(PROCESSES)] for turn in range(ROUNDS)
    ]
    winners = [sum(outcome == "promoted" for outcome, _ in turn) for turn in outcomes]
    losers = [reason for turn in outcomes for outcome, reason in turn if outcome == "champion-moved"]
    catalog = open_catalog(url)
    champion = catalog.alias("race")
    assert champion is not None
    return winners, losers, len(catalog.decisions("race", limit=None)), champion.version


@pytest.mark.proof("promotion-race")
@pytest.mark.parametrize("database", ["SQLite", "PostgreSQL"])
def test_promotion_race(proof: Proof, tmp_path: Path, database: str, request: pytest.FixtureRequest) -> None:
    sqlite = f"sqlite:///{tmp_path}/catalog.db"
    url = sqlite if database == "SQLite" else request.getfixturevalue("postgres_database")
    winners, losers, recorded, version = race(url, tmp_path / "barrier")
    one = sum(count == 1 for count in winners)
    proof.row(one, f"of {ROUNDS} rounds on {database} with one winner of {PROCESSES}", f"{ROUNDS}", one == ROUNDS)
    clear = sum("champion moved from" in reason for reason in losers)
    everyone = ROUNDS * (PROCESSES - 1)
    proof.row(clear, f"losers on {database} told that the champion moved", f"{everyone}", clear == everyone)
    proof.row(
        recorded, f"decisions recorded on {database}", f"{ROUNDS * PROCESSES}",
        recorded == ROUNDS * PROCESSES and version == ROUNDS, f"the alias moved {version} times",
    )  # fmt: skip
