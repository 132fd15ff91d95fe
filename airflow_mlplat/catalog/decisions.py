"""Decisions: the recorded outcome of a gate, and the one transaction in which it moves the champion."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from airflow_mlplat.catalog import aliases, artifacts, lineage
from airflow_mlplat.catalog.aliases import AliasRow
from airflow_mlplat.catalog.jobs import RunInfo
from airflow_mlplat.catalog.tables import DECISION
from airflow_mlplat.contract import Ref
from airflow_mlplat.contract import digest as digest_of
from airflow_mlplat.errors import NotFoundError, SpecError

VERDICTS = ("promoted", "recommended", "rejected", "undecided")
"""What a gate can say; `recommended` is a promotion that waits for a person's word."""
ROLLED_BACK = "rolled-back"
MOVED = "champion-moved"
"""A promotion that came too late: the champion, or the number of looks at the test set, is no longer what the
comparison took it for."""


_FOR_THE_CHALLENGER = ("promoted", "recommended")


@dataclass(frozen=True)
class DecisionInput:
    """What a gate found, before the catalog has checked that it still holds.

    Args:
        key: The same key is the same decision.
        name: The model's name, whose alias may move.
        outcome: One of `VERDICTS`.
        reason: Why, in a sentence.
        challenger: Digest of the (best) challenger's model; may be None when rejected or undecided.
        expected_champion: Digest of the model that was champion when the comparison began; None when there was none.
        partition: The partition that the challenger was trained for.
        run: The task instance.
        holdout: Digest of the test dataset that the test was made on.
        challengers: How many challengers were tested.
        looks: How many were tested on the holdout before, as the test took it; None: the test did not depend on it.
        document: The gate's numbers, plain JSON.
        ref: The decision's manifest in the store.
        alias: The alias that may move.
        comparison: Digest that is equal for the same comparison made again, whatever its earlier looks.
    """

    key: str
    name: str
    outcome: str
    reason: str
    challenger: str | None
    expected_champion: str | None
    partition: str
    run: RunInfo
    holdout: str | None = None
    challengers: int = 1
    looks: int | None = None
    document: dict[str, Any] = field(default_factory=dict)
    ref: Ref | None = None
    alias: str = "champion"
    comparison: str | None = None

    def __post_init__(self) -> None:
        if self.outcome not in VERDICTS:
            raise SpecError("unknown outcome of a decision", expected=" | ".join(VERDICTS), got=repr(self.outcome))
        if self.outcome in _FOR_THE_CHALLENGER and not self.challenger:
            raise SpecError(
                f"a promotion of {self.name!r} names no challenger", expected="the digest of a model", got=None
            )
        if self.challengers < 0:
            raise SpecError(
                "a decision's number of challengers is negative", expected="0 or more", got=self.challengers
            )


@dataclass(frozen=True)
class DecisionRow:
    """A recorded decision; fields as in `DecisionInput`, with what the catalog made of it.

    Args:
        outcome: One of `VERDICTS`, `champion-moved` or `rolled-back`.
        champion: Digest of the model that the challenger was compared with.
        node: Its name in the lineage, `decision:…`.
        decided_at: When, UTC.
    """

    key: str
    node: str
    name: str
    alias: str
    outcome: str
    reason: str
    partition: str
    challenger: str | None
    champion: str | None
    holdout: str | None
    challengers: int
    comparison: str | None
    document: dict[str, Any]
    run: RunInfo
    decided_at: datetime


def decide(connection: sa.Connection, decision: DecisionInput, now: datetime) -> DecisionRow:
    """Record a decision and, when it promotes and still holds, move the alias. The caller holds the alias' lock.

    Raises:
        NotFoundError: The model to promote is not in the catalog.
    """
    recorded = get(connection, decision.key)
    if recorded is not None:
        return recorded
    if decision.outcome in _FOR_THE_CHALLENGER:
        artifacts.get(connection, decision.challenger or "", kind="model")
    champion = aliases.current(connection, decision.name, decision.alias)
    if champion is not None and champion.partition > decision.partition:
        decision = _outdated(decision, champion)
    outcome, reason = decision.outcome, decision.reason
    if outcome in _FOR_THE_CHALLENGER:
        outcome, reason = _still_holds(connection, decision, champion)
    if outcome == "promoted":
        _promote(connection, decision, champion, now)
    node = decision.ref.digest if decision.ref else decision.key
    row = DecisionRow(
        decision.key, lineage.node("decision", node), decision.name, decision.alias, outcome, reason,
        decision.partition, decision.challenger, decision.expected_champion, decision.holdout, decision.challengers,
        decision.comparison, decision.document, decision.run, now,
    )  # fmt: skip
    return _record(connection, row)


def _outdated(decision: DecisionInput, champion: AliasRow) -> DecisionInput:
    """What becomes of any verdict on a challenger that is older than the champion.

    There was nothing to win, so it spends nothing of the error; and it is the outcome of no comparison, as it stands
    only until that champion is rolled back.
    """
    reason = (
        f"champion {champion.digest[:12]} belongs to the later partition {champion.partition}; "
        f"a model of {decision.partition} does not replace it"
    )
    return dataclasses.replace(decision, outcome="rejected", reason=reason, challengers=0, comparison=None)


def _still_holds(connection: sa.Connection, decision: DecisionInput, champion: AliasRow | None) -> tuple[str, str]:
    """The outcome and reason of a promotion, given who is champion now."""
    current = champion.digest if champion else None
    if current != decision.expected_champion:
        return (
            MOVED,
            f"champion moved from {_short(decision.expected_champion)} to {_short(current)}; compare again",
        )
    if decision.looks is not None and decision.holdout is not None:
        since = looks(connection, decision.name, decision.holdout)
        if since != decision.looks:
            # Else two comparisons at once would spend the same share of the error twice.
            return MOVED, f"{since - decision.looks} others were tested on this test set meanwhile; compare again"
    return decision.outcome, decision.reason


def _promote(connection: sa.Connection, decision: DecisionInput, champion: AliasRow | None, now: datetime) -> None:
    version = champion.version + 1 if champion else 1
    challenger = decision.challenger or ""
    place = AliasRow(decision.name, decision.alias, challenger, decision.partition, version, now, decision.key)
    aliases.move(connection, place)


def rollback(
    connection: sa.Connection, name: str, alias: str, *, expected: str, run: RunInfo, now: datetime
) -> AliasRow:
    """Point the alias back to the champion before the current one; a decision of its own.

    Raises:
        NotFoundError: There is no champion, no earlier one, or the current one is not the expected one.
    """
    champion = aliases.current(connection, name, alias)
    if champion is None:
        raise NotFoundError(f"{name!r} has no {alias}", fix="promote a model first")
    # A prefix will do: people type it.
    if not (artifacts.is_prefix(expected) and champion.digest.startswith(expected)):
        raise NotFoundError(
            f"the {alias} of {name!r} is another one", expected=expected, got=champion.digest, fix="look again"
        )
    previous = aliases.before(connection, champion)
    if previous is None:
        raise NotFoundError(
            f"{name!r} has no {alias} before {champion.digest[:12]}", fix="promote another model instead"
        )
    version = champion.version + 1
    key = digest_of({"rollback": name, "alias": alias, "version": version})
    restores = previous.restores or previous.version
    place = AliasRow(name, alias, previous.digest, previous.partition, version, now, key, restores)
    aliases.move(connection, place)
    reason = f"rolled back from {champion.digest[:12]} to {previous.digest[:12]}"
    row = DecisionRow(
        key, lineage.node("decision", key), name, alias, ROLLED_BACK, reason, previous.partition, previous.digest,
        champion.digest, None, 0, None, {}, run, now,
    )  # fmt: skip
    _record(connection, row)
    return place


def get(connection: sa.Connection, key: str) -> DecisionRow | None:
    """The decision of that key."""
    row = connection.execute(sa.select(DECISION).where(DECISION.c.key == key)).one_or_none()
    return None if row is None else decision_row(row)


def newest(connection: sa.Connection, name: str | None, limit: int | None) -> list[DecisionRow]:
    """Decisions, the newest first."""
    query = sa.select(DECISION).order_by(DECISION.c.id.desc()).limit(limit)
    if name is not None:
        query = query.where(DECISION.c.name == name)
    return [decision_row(row) for row in connection.execute(query)]


def of_node(connection: sa.Connection, node: str) -> DecisionRow | None:
    """The newest decision made on one manifest: a recommendation, or what became of it."""
    return _newest_where(connection, DECISION.c.node == node)


def compared(connection: sa.Connection, comparison: str) -> DecisionRow | None:
    """The outcome of a comparison; None while it has none that lasts: never made, or the champion moved under it."""
    row = _newest_where(connection, DECISION.c.comparison == comparison)
    return None if row is None or row.outcome == MOVED else row


def looks(connection: sa.Connection, name: str, holdout: str) -> int:
    """How many challengers were tested on a test dataset so far."""
    table = DECISION.c
    query = sa.select(sa.func.sum(table.challengers)).where(table.name == name, table.holdout == holdout)
    return int(connection.execute(query).scalar() or 0)


def _newest_where(connection: sa.Connection, condition: Any) -> DecisionRow | None:
    row = connection.execute(sa.select(DECISION).where(condition).order_by(DECISION.c.id.desc()).limit(1)).one_or_none()
    return None if row is None else decision_row(row)


def decision_row(row: Any) -> DecisionRow:
    """A row of the table as a `DecisionRow`."""
    fields = dict(row._mapping)
    del fields["id"]
    return DecisionRow(**{**fields, "run": RunInfo(**row.run)})


def _record(connection: sa.Connection, row: DecisionRow) -> DecisionRow:
    fields = {f.name: getattr(row, f.name) for f in dataclasses.fields(row)}
    connection.execute(sa.insert(DECISION), {**fields, "run": row.run.to_json()})
    compared = (("challenger", row.challenger), ("champion", row.champion))
    lineage.add(connection, [(row.node, lineage.node("model", model), role) for role, model in compared if model])
    return row


def _short(digest: str | None) -> str:
    return digest[:12] if digest else "none"
