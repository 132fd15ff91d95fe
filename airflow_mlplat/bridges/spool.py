"""A partition's rows on disk, to be read back in key order in constant memory.

The rows go into SQLite's private temporary database, which has no name: it vanishes with the process, however that
ends (https://sqlite.org/inmemorydb.html#temp_db). It lies in SQLITE_TMPDIR, or else TMPDIR, or else /var/tmp.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from airflow_mlplat.bridges.reasons import DUPLICATE
from airflow_mlplat.bridges.rows import Row

_CACHE_KIB = 16 * 1024
_BATCH = 1000

_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA temp_store = FILE;
CREATE TABLE rows (
  id INTEGER PRIMARY KEY, key BLOB NOT NULL, content BLOB NOT NULL, label INTEGER, media, metadata TEXT NOT NULL,
  reason TEXT, detail TEXT NOT NULL, state TEXT
);
BEGIN;
"""

_DUPLICATES = f"""
CREATE INDEX by_key ON rows (key, content, id);
CREATE TABLE repeated AS
  SELECT key, COUNT(DISTINCT content) AS variants, MIN(id) AS kept
  FROM rows WHERE key <> x'' GROUP BY key HAVING COUNT(*) > 1;
CREATE INDEX repeated_by_key ON repeated (key);
UPDATE rows SET reason = '{DUPLICATE}', media = NULL, detail = 'the records differ'
  WHERE reason IS NULL AND key IN (SELECT key FROM repeated WHERE variants > 1);
UPDATE rows SET reason = '{DUPLICATE}', media = NULL, detail = 'identical to the one kept'
  WHERE reason IS NULL AND id NOT IN (SELECT kept FROM repeated)
  AND key IN (SELECT key FROM repeated WHERE variants = 1);
"""


@dataclass(frozen=True)
class SpooledRow:
    """A row read back.

    Args:
        key: UTF-8 bytes; empty when the record has none.
        label: Class number, or None.
        media: Location or bytes; None when the row is bad.
        metadata: JSON.
        reason: Why it is quarantined, or None.
        detail: What was found.
        state: What `set_states` stored for its media.
    """

    key: bytes
    label: int | None
    media: str | bytes | None
    metadata: str
    reason: str | None
    detail: str
    state: str | None


@dataclass(frozen=True)
class MediaState:
    """What is known of a row's media: its state as text, or why it is bad."""

    id: int
    state: str | None
    reason: str | None = None
    detail: str = ""


class Spool:
    """Rows on disk; use as a context manager."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None)

    def __enter__(self) -> Spool:
        self._connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._connection.executescript(_SCHEMA)
        return self

    def __exit__(self, *exception: object) -> None:
        self._connection.close()

    def fill(self, rows: Iterable[Row]) -> None:
        """Take in all rows, then mark duplicate keys: of identical rows one stays, of differing ones none."""
        self._connection.executemany(
            "INSERT INTO rows (key, content, label, media, metadata, reason, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
            ((r.key, r.content, r.label, r.media, r.metadata, r.reason, r.detail) for r in rows),
        )
        self._connection.executescript(_DUPLICATES)

    def media(self) -> Iterator[tuple[int, str | bytes]]:
        """(id, location or bytes) of each row that names media; `set_states` may be called while this is iterated."""
        # Safe beside updates: they move no row, as the scan goes by id and they change none of its columns.
        statement = "SELECT id, media FROM rows WHERE media IS NOT NULL ORDER BY id"
        # Not `yield from`, which would close the cursor when this is dropped: by then the connection may be closed.
        for row in self._connection.execute(statement):  # noqa: UP028
            yield row

    def set_states(self, states: Iterable[MediaState]) -> None:
        """Store the media's states; rows with a reason become bad."""
        states = iter(states)
        statement = "UPDATE rows SET state = ?, reason = ?, detail = ? WHERE id = ?"
        while batch := list(islice(states, _BATCH)):
            self._connection.executemany(statement, [(s.state, s.reason, s.detail, s.id) for s in batch])

    def rows(self) -> Iterator[SpooledRow]:
        """All rows, good and bad, by UTF-8 bytes of their keys; bad ones of one key by what is told of them.

        Not by content, which of tar members says where the file lies: no span may depend on that.
        """
        statement = "SELECT key, label, media, metadata, reason, detail, state FROM rows ORDER BY key, reason, detail"
        for values in self._connection.execute(statement):
            yield SpooledRow(*values)

    def counts(self) -> dict[str | None, int]:
        """Reason → number of rows; None counts the good ones."""
        return dict(self._connection.execute("SELECT reason, COUNT(*) FROM rows GROUP BY reason ORDER BY reason"))

    def bad(self, most: int) -> Iterator[tuple[str, str, str]]:
        """(key, reason, detail) of the first bad rows by key, `most` at most."""
        statement = "SELECT key, reason, detail FROM rows WHERE reason IS NOT NULL ORDER BY key, reason, detail LIMIT ?"
        for key, reason, detail in self._connection.execute(statement, (most,)):
            yield key.decode(), reason, detail

    def examples(self) -> dict[str, str]:
        """Reason → the first such row, in words."""
        statement = "SELECT reason, MIN(key), detail FROM rows WHERE reason IS NOT NULL GROUP BY reason"
        found = self._connection.execute(statement)
        return {reason: f"{key.decode()!r} {detail}".strip() for reason, key, detail in found}
