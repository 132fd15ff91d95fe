"""What every kind of source looks like to the bridge.

A source is a frozen dataclass that says where records live; a client is the open connection to it. The bridge calls
`records` twice: once to copy, once to see whether the source changed meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from airflow_mlplat.bridges.media import Column, File, Member
from airflow_mlplat.contract import Ref


@dataclass(frozen=True)
class Record:
    """One row of a source, as the source has it: nothing is judged or converted yet.

    Args:
        key: Names the sample; None when the source has none.
        label: Label value; None when the source has none.
        media: Path or URL (`File`), bytes (`Column`), or place in a tar file (`Member`); None when the source has none.
        metadata: Column → value.
        watermark: How far the source had come when it wrote the row; None when unknown.
        problem: Why the row cannot be read as a record; it is then quarantined as a malformed row.
    """

    key: Any
    label: Any = None
    media: Any = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    watermark: Any = None
    problem: str | None = None


class Source(Protocol):
    """Where records live. Implementations are frozen dataclasses: plain, picklable, without secrets."""

    @property
    def conn_id(self) -> str | None:
        """Airflow connection id, or None when the source needs no client."""

    @property
    def media(self) -> File | Column | Member:
        """Where a record's media is."""

    @property
    def classes(self) -> tuple[str | int, ...] | None:
        """Label values in class order, or None when there are no labels."""

    def records(self, client: Any, partition: str) -> Iterator[Record]:
        """Stream a partition's records in any order, in constant memory."""

    def count(self, client: Any, partition: str) -> int:
        """How many records the partition has."""

    def describe(self) -> dict[str, Any]:
        """The source as plain JSON for the lineage, without secrets."""


@dataclass(frozen=True)
class Previous:
    """What the catalog knows of a partition that was bridged before.

    Args:
        ref: Its span.
        fingerprint: `Bridged.fingerprint` of that time.
    """

    ref: Ref
    fingerprint: str


@dataclass(frozen=True)
class Bridged:
    """A partition in the store; the caller records all of it in one transaction.

    Args:
        ref: The span.
        document: Its manifest.
        fingerprint: Digest of the source's rows and of its media's states, 64 hex characters.
        watermark: The greatest watermark of the rows as text, or None.
        samples: How many samples the span has.
        quarantined: Reason → how many records.
        reused: Whether nothing had changed, so that no media was read.
        restates: The span that this one replaces, when the source has changed.
        seconds: How long it took.
    """

    ref: Ref
    document: dict[str, Any]
    fingerprint: str
    watermark: str | None
    samples: int
    quarantined: dict[str, int]
    reused: bool
    restates: Ref | None
    seconds: float
