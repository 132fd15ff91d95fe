"""A trigger with a key or by the form, `airflow backfill create`, `airflow dags test`: one dataset for one day."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.proofs.conftest import Proof
from tests.proofs.fashion_stack import INGEST, RETRAINING, FashionStack

DAY = "2026-01-02"
DAYS_OF = {"fashion": DAY, "fashion-test": "2026-01-01"}  # the test set is frozen


def by_rest(home: FashionStack) -> None:
    """As the UI does it: one run per day, with the partition key that was typed."""
    for day in ("2026-01-01", DAY):
        body = {"logical_date": None, "partition_key": day}
        home.stack.request("POST", f"/api/v2/dags/{INGEST}/dagRuns", body)
    home.await_runs(RETRAINING, 2)


def by_form(home: FashionStack) -> None:
    """As the UI's form does it: the day is a parameter, the run has no key."""
    for day in ("2026-01-01", DAY):
        body = {"logical_date": None, "conf": {"partition": day}}
        home.stack.request("POST", f"/api/v2/dags/{INGEST}/dagRuns", body)
    home.await_runs(RETRAINING, 2)


def by_backfill(home: FashionStack) -> None:
    home.backfill(last=DAY)


def by_dags_test(home: FashionStack) -> None:
    """Without a scheduler, which would take the tasks of this command's run for its own."""
    home.stack.stop()
    for day in ("2026-01-01", DAY):
        home.stack.cli("dags", "test", INGEST, day)
    home.stack.cli("dags", "test", RETRAINING, DAY)


@pytest.mark.proof("three-ways-in")
def test_three_ways_in(proof: Proof, fashion_home: Callable) -> None:
    seen = {}
    for way in (by_rest, by_form, by_backfill, by_dags_test):
        home = fashion_home(way.__name__)
        way(home)
        datasets = home.digests("dataset")
        seen[way.__name__] = {name: digest for (name, day, _), digest in datasets.items() if day == DAYS_OF[name]}
        home.stack.stop()
    for name in DAYS_OF:
        digests = [found.get(name) for found in seen.values()]
        equal = len(set(digests)) == 1 and digests[0] is not None
        note = ", ".join(f"{way} {str(digest)[:12]}" for way, digest in zip(seen, digests))
        proof.row(len(set(digests)), f"digest of {name} in {len(digests)} ways in", "1", equal, note)
