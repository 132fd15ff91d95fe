"""Digest of a set of rows in any order, in constant memory: equal when a partition has not changed. Pure."""

from __future__ import annotations

import hashlib


class Fingerprint:
    """The sum of the rows' SHA-256 modulo 2^256, with their number.

    A sum does not depend on the order, which databases do not promise; unlike XOR, it sees a row that comes twice
    (MSet-Add-Hash of Clarke et al., "Incremental Multiset Hash Functions", 2003). It guards against accidents, not
    against someone who may write to the source.
    """

    def __init__(self) -> None:
        self._count, self._sum = 0, 0

    def add(self, content: bytes) -> None:
        """Take in one row."""
        self._count += 1
        self._sum = (self._sum + int.from_bytes(hashlib.sha256(content).digest(), "big")) % (1 << 256)

    @property
    def text(self) -> str:
        """Count and sum: equal for equal multisets of rows."""
        return f"{self._count}-{self._sum:064x}"
