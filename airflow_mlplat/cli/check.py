"""Whether the catalog and the store agree: what the catalog names exists, and is what it says."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from airflow_mlplat.contract import KINDS, digest
from airflow_mlplat.errors import CorruptionError
from airflow_mlplat.store import CheckReport, Problem

if TYPE_CHECKING:
    from airflow_mlplat.catalog import Catalog
    from airflow_mlplat.store import Store


def check_catalog(catalog: Catalog, store: Store) -> CheckReport:
    """Compare the catalog with the store. Changes nothing.

    A manifest that the catalog does not know is counted, not a problem: its task may just be about to record it, or it
    was killed and its retry will.

    Returns:
        What was looked at (`artifacts`, `jobs`, `aliases`, and `unrecorded` manifests), and what is wrong.
    """
    checked: Counter[str] = Counter(dict.fromkeys(("artifacts", "jobs", "aliases", "unrecorded"), 0))
    problems: list[Problem] = []
    known: set[str] = set()
    for kind in KINDS:
        for row in catalog.artifacts(kind, limit=None):
            known.add(row.digest)
            checked["artifacts"] += 1
            if digest(row.document) != row.digest:
                problems.append(
                    Problem(f"catalog: {row.ref}", "its manifest in the catalog is not what its digest says")
                )
            if not store.exists(row.ref):
                problems.append(Problem(f"catalog: {row.ref}", "its manifest is missing from the store"))
        with suppress(CorruptionError):  # a manifest is damaged, which `check_store` tells: they are not counted
            checked["unrecorded"] += sum(found not in known for found, _ in store.manifests(kind))
    for job in catalog.jobs(limit=None):
        checked["jobs"] += 1
        with suppress(CorruptionError):
            if store.result(job.key) is None:
                problems.append(Problem(f"catalog: job {job.key}", "its result is missing from the store"))
    for alias in catalog.aliases():
        checked["aliases"] += 1
        if alias.digest not in known:
            problems.append(
                Problem(f"catalog: {alias.name}@{alias.alias}", f"points to an unknown model {alias.digest}")
            )
    return CheckReport(dict(checked), problems)
