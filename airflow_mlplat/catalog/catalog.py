"""The catalog: what exists, what it was made from, and who is champion. Every method is one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from airflow_mlplat.catalog import aliases, artifacts, decisions, evaluations, jobs, lineage, spans
from airflow_mlplat.catalog import resolve as names
from airflow_mlplat.catalog.aliases import AliasRow
from airflow_mlplat.catalog.artifacts import ArtifactRow
from airflow_mlplat.catalog.decisions import DecisionInput, DecisionRow
from airflow_mlplat.catalog.evaluations import EvaluationRow
from airflow_mlplat.catalog.jobs import JobRow, RunInfo
from airflow_mlplat.catalog.session import Session, parse_url
from airflow_mlplat.catalog.spans import SpanInput, SpanRow
from airflow_mlplat.catalog.upgrade import upgrade
from airflow_mlplat.contract import JobResult, JobSpec, Ref
from airflow_mlplat.errors import NotFoundError


def open_catalog(url: str, create: bool = True) -> Catalog:
    """The catalog at a URL, its tables made or migrated when need be.

    Args:
        url: `sqlite:////path/catalog.db` or `postgresql://user:password@host/database`.
        create: Whether to make a SQLite file where there is none.

    Raises:
        ConfigError: The URL is wrong, or its driver is not installed.
        CatalogError: The database fails, or belongs to a newer version.
        NotFoundError: There is no such file, and none shall be made.
    """
    database = parse_url(url)
    if not create and database.get_backend_name() == "sqlite" and not Path(database.database or "").exists():
        raise NotFoundError(
            "there is no catalog yet", expected=database.database,
            fix="set MLPLAT_HOME to the folder of your installation, or run a DAG first",
        )  # fmt: skip
    session = Session(url)
    upgrade(session)
    return Catalog(session)


class Catalog:
    """See `open_catalog`. Safe to use from many processes and threads at once."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def url(self) -> str:
        """Where it is, without a password."""
        return self._session.url

    # Artifacts and jobs

    def record_job(
        self, spec: JobSpec, result: JobResult, documents: Mapping[str, dict[str, Any]], run: RunInfo
    ) -> None:
        """Record a finished job with its outputs and lineage; the same job again adds only the run's partition.

        Args:
            spec: What was asked.
            result: What came of it, without an error.
            documents: Digest → manifest, for every output.
            run: The task instance that had it done.

        Raises:
            SpecError: Result and spec do not belong together, or a manifest is missing.
        """
        with self._session.writing(f"job/{spec.key}") as connection:
            jobs.record(connection, spec, result, documents, run=run, now=_now())

    def job(self, key: str) -> JobRow:
        """One recorded job.

        Raises:
            NotFoundError: There is none of that key.
        """
        with self._session.reading() as connection:
            return jobs.get(connection, key)

    def jobs(self, stage: str | None = None, name: str | None = None, limit: int | None = 100) -> list[JobRow]:
        """Recorded jobs, the newest first; all of them when the limit is None."""
        with self._session.reading() as connection:
            return jobs.newest(connection, stage, name, limit)

    def artifacts(self, kind: str, name: str | None = None, limit: int | None = 100) -> list[ArtifactRow]:
        """Artifacts of a kind, the newest first; all of them when the limit is None."""
        with self._session.reading() as connection:
            return artifacts.newest(connection, kind, name, limit)

    def artifact(self, ref: Ref | str) -> ArtifactRow:
        """One artifact, by reference or by the beginning of its digest (6 digits or more).

        Raises:
            NotFoundError: None, or more than one.
        """
        with self._session.reading() as connection:
            if isinstance(ref, Ref):
                return artifacts.get(connection, ref.digest, kind=ref.kind, name=ref.name)
            return artifacts.get(connection, ref)

    def partitions(self, ref: Ref) -> list[str]:
        """The partitions that an artifact was made for, ascending; equal inputs make one artifact for several."""
        with self._session.reading() as connection:
            return sorted(artifacts.partitions(connection, ref.digest))

    def predictions(self, model_digest: str, dataset_digest: str) -> Ref | None:
        """The newest predictions of a model version on a dataset version."""
        with self._session.reading() as connection:
            return artifacts.predictions(connection, model_digest, dataset_digest)

    def evaluations(self, models: Iterable[str]) -> list[EvaluationRow]:
        """Every evaluation of some model versions, given by their digests; the newest first."""
        with self._session.reading() as connection:
            return evaluations.of_models(connection, models)

    def names(self, kind: str) -> list[str]:
        """The names that artifacts of a kind have, in order."""
        with self._session.reading() as connection:
            return artifacts.names(connection, kind)

    # Spans

    def commit_span(
        self,
        ref: Ref,
        partition: str,
        document: dict[str, Any],
        *,
        watermark: Any,
        fingerprint: str | None,
        source: dict[str, Any],
        run: RunInfo,
    ) -> SpanRow:
        """Make a span the current one of its partition; the span, its watermark and its lineage come together.

        Args:
            ref: The span; its name is the dataset's.
            partition: The partition's key.
            document: The span's manifest.
            watermark: How far the source was read, plain JSON.
            fingerprint: What tells cheaply whether the source changed; None when nothing does.
            source: Description of the source, plain JSON without secrets.
            run: The task instance.

        Returns:
            The current commit: the recorded one when the span is current already.
        """
        span = SpanInput(ref, partition, document, watermark, fingerprint, source, run)
        with self._session.writing(f"span/{ref.name}/{partition}") as connection:
            return spans.commit(connection, span, _now())

    def current_span(self, dataset: str, partition: str) -> SpanRow | None:
        """The newest span of a partition."""
        with self._session.reading() as connection:
            return spans.current(connection, dataset, partition)

    def window(
        self, dataset: str, first_partition: str, last_partition: str, committed_before: datetime | None = None
    ) -> list[SpanRow]:
        """The newest span of each partition from first to last, both included, ordered by partition.

        Args:
            dataset: The dataset's name.
            first_partition: The first key.
            last_partition: The last key.
            committed_before: See only what was committed before this moment.
        """
        with self._session.reading() as connection:
            return spans.window(connection, dataset, first_partition, last_partition, committed_before)

    def span_history(self, dataset: str, partition: str) -> list[SpanRow]:
        """Every span that a partition had, from old to new."""
        with self._session.reading() as connection:
            return spans.history(connection, dataset, partition, partition)

    # Aliases and decisions

    def alias(self, name: str, alias: str = "champion") -> AliasRow | None:
        """Where a model's alias points now; None before the first promotion."""
        with self._session.reading() as connection:
            return aliases.current(connection, name, alias)

    def aliases(self) -> list[AliasRow]:
        """All aliases of all models."""
        with self._session.reading() as connection:
            return aliases.every(connection)

    def history(self, name: str, alias: str = "champion") -> list[AliasRow]:
        """Every place that an alias pointed to, from old to new."""
        with self._session.reading() as connection:
            return aliases.history(connection, name, alias)

    def decide(self, decision: DecisionInput) -> DecisionRow:
        """Record a gate's outcome and move the alias when it promotes, in one transaction.

        A promotion holds only while the champion is the one it was compared with (else `champion-moved`) and does not
        belong to a later partition (else `rejected`, and not counted as a look at the test set). The same key again
        returns what is recorded.

        Raises:
            NotFoundError: The model to promote is not in the catalog.
        """
        # The name's: all its aliases share the looks at a test set.
        with self._session.writing(f"alias/{decision.name}") as connection:
            return decisions.decide(connection, decision, _now())

    def rollback(self, name: str, alias: str = "champion", *, expected: str, run: RunInfo) -> AliasRow:
        """Point an alias back to the champion before the current one, as a decision of its own.

        Args:
            name: The model's name.
            alias: The alias.
            expected: Digest, or its beginning, of the champion to be replaced.
            run: Who does it.

        Raises:
            NotFoundError: No champion, no earlier one, or the champion is another one by now.
        """
        with self._session.writing(f"alias/{name}") as connection:
            return decisions.rollback(connection, name, alias, expected=expected, run=run, now=_now())

    def decisions(self, name: str | None = None, limit: int | None = 100) -> list[DecisionRow]:
        """Decisions, the newest first; all of them when the limit is None."""
        with self._session.reading() as connection:
            return decisions.newest(connection, name, limit)

    def decision(self, key: str) -> DecisionRow | None:
        """The decision of that key."""
        with self._session.reading() as connection:
            return decisions.get(connection, key)

    def decision_of(self, ref: Ref) -> DecisionRow:
        """The newest decision made on a decision's manifest: a recommendation, or what became of it.

        Raises:
            NotFoundError: None was recorded.
        """
        with self._session.reading() as connection:
            row = decisions.of_node(connection, lineage.node("decision", ref.digest))
        if row is None:
            raise NotFoundError(f"no decision was made on {ref}", fix="run the comparison again")
        return row

    def compared(self, comparison: str) -> DecisionRow | None:
        """The outcome of a comparison (see `DecisionInput`); None while it has none, or the champion moved under it."""
        with self._session.reading() as connection:
            return decisions.compared(connection, comparison)

    def looks(self, name: str, holdout_digest: str) -> int:
        """How many challengers for a model's aliases were tested on a test dataset so far."""
        with self._session.reading() as connection:
            return decisions.looks(connection, name, holdout_digest)

    # Names and lineage

    def lineage(self, ref: Ref | str, direction: str = "up") -> dict[str, Any]:
        """What something was made from (`up`), what was made from it (`down`), or both; see `lineage.graph`.

        Args:
            ref: A reference, a node's name (`job:…`, `source:…`, `partition:2026-01-31`), or what `resolve` takes.
            direction: `up`, `down` or `both`.

        Raises:
            NotFoundError: Nothing is known of it.
        """
        with self._session.reading() as connection:
            if isinstance(ref, Ref):
                root = lineage.node(ref.kind, ref.digest)
            else:
                root = names.resolve_node(connection, ref, direction)
            return lineage.graph(connection, root, direction)

    def resolve(self, text: str, *, partition: str | None = None) -> Ref:
        """The reference that a text names: `fashion@champion`, `fashion-test`, `model:fashion@9f3a1c`, `9f3a1c`.

        Args:
            text: See `resolve.resolve`.
            partition: Later partitions are not seen.

        Raises:
            NotFoundError: Nothing, or more than one thing, is named so.
        """
        with self._session.reading() as connection:
            return names.resolve(connection, text, partition)


def _now() -> datetime:
    return datetime.now(timezone.utc)
