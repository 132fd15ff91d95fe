"""Catalogs on both databases, and small made-up things to put into them."""

from __future__ import annotations

import os
import uuid

import pytest

from airflow_mlplat.contract import JobResult, JobSpec, Ref, digest

DATABASES = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=DATABASES)
def url(request, tmp_path):
    """URL of an empty database: a file, and a schema of its own on the PostgreSQL server."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/catalog.db"
        return
    server = os.environ.get("MLPLAT_TEST_POSTGRES")
    if not server:
        reason = "no PostgreSQL server: start one with tests/services/postgres, put its URL into MLPLAT_TEST_POSTGRES"
        (pytest.fail if os.environ.get("MLPLAT_TEST_FORBID_SKIPS") == "1" else pytest.skip)(reason)
    import psycopg

    schema = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
        yield f"{server}?options=-csearch_path%3D{schema}"
        connection.execute(f"DROP SCHEMA {schema} CASCADE")


@pytest.fixture
def catalog(url):
    """An open, empty catalog."""
    from airflow_mlplat.catalog import open_catalog

    return open_catalog(url)


class Maker:
    """Puts made-up things into a catalog by its public methods."""

    def __init__(self, catalog):
        self.catalog = catalog

    @staticmethod
    def run(partition="2026-01-01", task="task"):
        from airflow_mlplat.catalog import RunInfo

        return RunInfo("dag", f"run-{partition}", task, -1, partition)

    @staticmethod
    def thing(kind, name, **facts):
        """(reference, manifest)"""
        document = {"format": 1, "kind": kind, "name": name, "files": {}, "parents": [], **facts}
        return Ref(kind, name, digest(document)), document

    def span(self, dataset="fashion", partition="2026-01-01", version=1, committed_at=None, **options):
        """Committed now, or by a worker whose clock says `committed_at`."""
        from airflow_mlplat.catalog import spans

        ref, document = self.thing("span", dataset, partition=partition, version=version)
        source = {"kind": "sql", "query": "SELECT * FROM photos WHERE day = :partition", "partition": partition}
        options = {"watermark": partition, "fingerprint": f"v{version}", "source": source, **options}
        if committed_at is None:
            return self.catalog.commit_span(ref, partition, document, run=self.run(partition), **options)
        with self.catalog._session.writing("span") as connection:
            span = spans.SpanInput(ref, partition, document, run=self.run(partition), **options)
            return spans.commit(connection, span, committed_at)

    def job(self, stage, kind, name, partition="2026-01-01", *, inputs=None, files=None, **facts):
        """Record a job with one output; returns (spec, output)."""
        ref, document = self.thing(kind, name, **facts)
        params = {"facts": facts}
        spec = JobSpec(stage, name, "/store", "c0de", "1mage", params, inputs=inputs or {}, files=files or {})
        result = JobResult(spec.key, stage, {kind: ref}, metrics={"accuracy": 0.5})
        self.catalog.record_job(spec, result, {ref.digest: document}, self.run(partition, stage))
        return spec, ref

    def model(self, version, partition="2026-01-01", name="fashion"):
        return self.job("train", "model", name, partition, version=version)[1]

    def dataset(self, version, partition="2026-01-01", name="fashion"):
        return self.job("dataset", "dataset", name, partition, version=version)[1]

    def decision(self, challenger, expected=None, partition="2026-01-01", **options):
        from airflow_mlplat.catalog import DecisionInput

        options = {"key": uuid.uuid4().hex, "outcome": "promoted", "reason": "better", **options}
        return DecisionInput(
            name="fashion", challenger=challenger, expected_champion=expected, partition=partition,
            run=self.run(partition, "compare"), **options,
        )  # fmt: skip

    def promote(self, challenger, expected=None, partition="2026-01-01", **options):
        return self.catalog.decide(self.decision(challenger, expected, partition, **options))


@pytest.fixture
def make(catalog):
    """A `Maker` for the catalog."""
    return Maker(catalog)
