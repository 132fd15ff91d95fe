"""A small installation with real bytes in its store, and a way to type commands at it."""

from __future__ import annotations

import argparse
import os
import tempfile
from types import SimpleNamespace

import pytest

# Airflow writes a configuration file where this points when it is first imported.
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="mlplat-airflow-"))


@pytest.fixture(scope="session")
def parser():
    """The commands' own parser, without the rest of Airflow's command line."""
    pytest.importorskip("airflow")
    from airflow.cli.cli_config import GroupCommand

    from airflow_mlplat.cli import get_commands

    def add(command, subparsers):
        parser = subparsers.add_parser(command.name, help=command.help)
        if isinstance(command, GroupCommand):
            below = parser.add_subparsers(required=True)
            for one in command.subcommands:
                add(one, below)
            return
        for arg in command.args:
            arg.add_to_parser(parser)
        parser.set_defaults(func=command.func)

    root = argparse.ArgumentParser("airflow")
    subparsers = root.add_subparsers(required=True)
    for command in get_commands():
        add(command, subparsers)
    return root


@pytest.fixture
def mlplat(parser, capsys, places, monkeypatch):
    """A function from words to (exit code, stdout, stderr) of `airflow mlplat WORDS`."""
    # A command may set this for its process, which here is that of all tests.
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "client")

    def type_(*words):
        capsys.readouterr()
        try:
            args = parser.parse_args(["mlplat", *words])
            args.func(args)
            code = 0
        except SystemExit as end:
            code = end.code or 0
        said = capsys.readouterr()
        return code, said.out, said.err

    return type_


@pytest.fixture
def places(tmp_path, monkeypatch):
    """The settings of an empty installation."""
    for name in ("MLPLAT_STORE", "MLPLAT_CATALOG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLPLAT_HOME", str(tmp_path))
    from airflow_mlplat.hooks.settings import load_settings

    return load_settings()


@pytest.fixture
def world(places):
    """Two days' spans, a dataset of each day, two models of which the second is champion."""
    from airflow_mlplat.catalog import DecisionInput, RunInfo, open_catalog
    from airflow_mlplat.contract import JobResult, JobSpec
    from airflow_mlplat.store import Sample, SpanWriter, open_store

    store, catalog = open_store(places.store), open_catalog(places.catalog)
    found = SimpleNamespace(store=store, catalog=catalog, spans=[], datasets=[], models=[])

    def job(stage, run, document, **inputs):
        ref = store.put_manifest({"format": 1, "name": "fashion", "files": {}, **document})
        spec = JobSpec(stage, "fashion", places.store, "c0de", "1mage", {"day": run.partition}, inputs=inputs)
        result = store.put_result(JobResult(spec.key, stage, {document["kind"]: ref}))
        catalog.record_job(spec, result, {ref.digest: document}, run)
        return ref

    def full(document):
        return {"format": 1, "name": "fashion", "files": {}, **document}

    def record(partition, span, document):
        """A span and the dataset of it."""
        run = RunInfo("dag", f"run-{partition}", "task", -1, partition)
        source = {"kind": "sql", "query": "SELECT *\n  FROM photos", "partition": partition}
        catalog.commit_span(
            span, partition, store.manifest(span), watermark=partition, fingerprint=None, source=source, run=run
        )
        return job("dataset", run, document, spans=[span])

    found.record = record
    for day in (1, 2):
        partition = f"2026-01-0{day}"
        run = RunInfo("dag", f"run-{day}", "task", -1, partition)
        with SpanWriter(store, "fashion", partition, ["cat", "dog"]) as writer:
            for number in range(4):
                writer.add(Sample(f"{number}", bytes([day, number]) * 50, number % 2))
            span = writer.commit()
        dataset = record(partition, span, full(_dataset(span, partition)))
        model = job("train", run, full({"kind": "model", "framework": "numpy", "parents": [dataset.to_json()]}))
        champion = found.models[-1].digest if found.models else None
        catalog.decide(
            DecisionInput(f"key-{day}", "fashion", "promoted", "better", model.digest, champion, partition, run)
        )
        found.spans.append(span)
        found.datasets.append(dataset)
        found.models.append(model)
    return found


def _dataset(span, partition):
    return {
        "kind": "dataset", "classes": ["cat", "dog"], "samples": 4, "label_counts": [2, 2], "dropped": {},
        "spans": [{"partition": partition, "digest": span.digest, "samples": 4, "dropped": 0, "drops": None}],
        "parents": [span.to_json()],
    }  # fmt: skip
