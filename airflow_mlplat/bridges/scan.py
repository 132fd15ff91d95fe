"""One look at a source: its rows, converted and fingerprinted as they stream, and the states of its media."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_mlplat.bridges.base import Source
from airflow_mlplat.bridges.classes import class_numbers
from airflow_mlplat.bridges.fingerprint import Fingerprint
from airflow_mlplat.bridges.readers import Reader, look_at, map_ahead
from airflow_mlplat.bridges.reasons import BadRecord
from airflow_mlplat.bridges.rows import Row, row_of
from airflow_mlplat.bridges.spool import MediaState, Spool
from airflow_mlplat.bridges.values import later, watermark_text


class RowScan:
    """The rows of a partition; once iterated, their fingerprint and greatest watermark are known.

    Args:
        source: Where the records live.
        client: The open connection to it.
        partition: A day, `2026-01-31`.
        reader: Judges the media's locations.
    """

    def __init__(self, source: Source, client: Any, partition: str, reader: Reader) -> None:
        self._source, self._client, self._partition, self._reader = source, client, partition, reader
        self._watermark: Any = None
        self.fingerprint = Fingerprint()

    def __iter__(self) -> Iterator[Row]:
        numbers = class_numbers(self._source.classes)
        for record in self._source.records(self._client, self._partition):
            row = row_of(record, numbers, self._reader.locate)
            self.fingerprint.add(row.version)
            self._watermark = later(self._watermark, record.watermark)
            yield row

    @property
    def watermark(self) -> str | None:
        """The greatest watermark of the rows so far, as text."""
        return watermark_text(self._watermark)


class MediaScan:
    """The states of all media that the spool's rows name; once iterated, their fingerprint is known."""

    def __init__(self, reader: Reader, spool: Spool) -> None:
        self._reader, self._spool = reader, spool
        self.fingerprint = Fingerprint()

    def __iter__(self) -> Iterator[MediaState]:
        # The rows' fingerprint has the locations; here each file's state is tied to its own.
        for location, found in map_ahead(self._look, self._spool.media(), self._reader.workers):
            name = location.encode("utf-8", "surrogatepass") if isinstance(location, str) else b""
            self.fingerprint.add(name + b"\0" + (found.state or found.reason or "").encode())
            yield found

    def _look(self, item: tuple[int, str | bytes]) -> tuple[str | bytes, MediaState]:
        number, location = item
        try:
            return location, MediaState(number, look_at(self._reader, location))
        except BadRecord as bad:
            return location, MediaState(number, None, bad.reason, bad.detail)
