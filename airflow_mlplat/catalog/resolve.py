"""From what people write (`fashion@champion`, `fashion-test`, `9f3a1c`) to a reference."""

from __future__ import annotations

import difflib
import re

import sqlalchemy as sa

from airflow_mlplat.catalog import aliases, artifacts, decisions, lineage
from airflow_mlplat.catalog.tables import ARTIFACT
from airflow_mlplat.contract import KINDS, Ref
from airflow_mlplat.errors import NotFoundError

_HELP = "write NAME (its newest dataset), NAME@champion, KIND:NAME, KIND:NAME@DIGEST or DIGEST"
_ARTIFACTS = "|".join(KINDS)
_NODE = re.compile(rf"(?:{_ARTIFACTS}):[0-9a-f]{{64}}|(?:job|source|file|code|partition):.+")


def resolve(connection: sa.Connection, text: str, partition: str | None) -> Ref:
    """The one thing that the text names, as seen from a partition.

    Args:
        connection: A reading transaction.
        text: `NAME`, `NAME@ALIAS`, `NAME@DIGEST`, `DIGEST` (6 digits or more); each may begin with `KIND:`.
        partition: Later partitions are not seen; None sees all.

    Raises:
        NotFoundError: Nothing, or more than one thing, is named so.
    """
    kind, name, version = _parse(text)
    if version is not None:
        return _versioned(connection, kind, name, version, partition)
    wanted = kind or "dataset"
    row = artifacts.as_of(connection, wanted, name, partition)
    if row is not None:
        return row.ref
    if artifacts.is_prefix(name):
        return artifacts.get(connection, name, kind=kind).ref
    raise _absent(connection, wanted, name, partition)


def resolve_node(connection: sa.Connection, text: str, direction: str) -> str:
    """The lineage node that the text names: a node's own name, or anything that `resolve` takes.

    An alias, looked up from, is the decision that moved it there: that reaches the model, and why it is champion.
    """
    if _NODE.fullmatch(text):
        return lineage.whole_node(connection, text)
    name, at, alias = text.partition("@")
    place = aliases.current(connection, name, alias) if at else None
    decided = decisions.get(connection, place.decision) if place and direction == "up" else None
    if decided is not None:
        return decided.node
    ref = resolve(connection, text, None)
    return lineage.node(ref.kind, ref.digest)


def _parse(text: str) -> tuple[str | None, str, str | None]:
    kind: str | None = None
    rest = text.strip()
    if ":" in rest:
        kind, rest = rest.split(":", 1)
        if kind not in KINDS:
            raise NotFoundError(
                f"{text!r} begins with an unknown kind", expected=" | ".join(KINDS), got=repr(kind), fix=_HELP
            )
    name, at, version = rest.partition("@")
    if not name or (at and not version):
        raise NotFoundError(f"{text!r} names nothing", fix=_HELP)
    return kind, name, version if at else None


def _versioned(connection: sa.Connection, kind: str | None, name: str, version: str, partition: str | None) -> Ref:
    if kind in (None, "model"):
        place = aliases.as_of(connection, name, version, partition)
        if place is not None:
            return artifacts.get(connection, place.digest, kind="model").ref
        later = aliases.current(connection, name, version)
        if later is not None:
            raise NotFoundError(
                f"{name!r} has no {version} of partition {partition} or earlier", got=f"one of {later.partition}",
                fix="name a model version by its digest, or run the earlier partitions first",
            )  # fmt: skip
    if artifacts.is_prefix(version):
        return artifacts.get(connection, version, kind=kind, name=name).ref
    raise NotFoundError(
        f"{name!r} has no alias {version!r}{_did_you_mean(connection, 'model', name)}",
        fix=f"promote a model of {name!r} first, or name a version by its digest: {name}@DIGEST",
    )


def _absent(connection: sa.Connection, kind: str, name: str, partition: str | None) -> NotFoundError:
    later = artifacts.as_of(connection, kind, name, None) if partition is not None else None
    if later is not None:
        return NotFoundError(
            f"no {kind} {name!r} of partition {partition} or earlier",
            got=f"only later ones, up to {later.partition}",
            fix="run the earlier partitions first",
        )
    others = connection.execute(sa.select(ARTIFACT.c.kind).where(ARTIFACT.c.name == name).distinct()).scalars().all()
    if others:
        return NotFoundError(
            f"no {kind} is named {name!r}",
            got=f"{' and '.join(sorted(others))} of that name",
            fix=f"write {sorted(others)[0]}:{name}",
        )
    return NotFoundError(f"no {kind} is named {name!r}{_did_you_mean(connection, kind, name)}", fix=_HELP)


def _did_you_mean(connection: sa.Connection, kind: str, name: str) -> str:
    names = connection.execute(sa.select(ARTIFACT.c.name).where(ARTIFACT.c.kind == kind).distinct()).scalars().all()
    close = [candidate for candidate in difflib.get_close_matches(name, names, n=3) if candidate != name]
    return f" (did you mean {', '.join(close)}?)" if close else ""
