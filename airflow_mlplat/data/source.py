"""What the iterator reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from airflow_mlplat.contract import Ref


class SampleSource(Protocol):
    """Samples by row, 0 … n-1: `store.Samples`, or a part of it. Its methods are called from several threads."""

    @property
    def ref(self) -> Ref:
        """Names the manifest, whose digest the order depends on."""

    @property
    def classes(self) -> list[str]:
        """Names of the classes."""

    @property
    def shard_ends(self) -> np.ndarray:
        """int64 (S,), ascending: how many samples there are up to the end of each shard."""

    @property
    def span_ends(self) -> np.ndarray:
        """int64 (P,), ascending: how many samples there are up to the end of each span, the newest last."""

    @property
    def rows_digest(self) -> str | None:
        """SHA-256 of which rows of the manifest these are; None for all."""

    def __len__(self) -> int: ...

    def manifest_rows(self, rows: np.ndarray, /) -> np.ndarray:
        """Rows as positions in the manifest: int64 (m,) of int64 (m,). Augmentation draws by them."""

    def labels_at(self, rows: np.ndarray, /) -> np.ndarray:
        """Labels of rows: int64 (m,) of int64 (m,); -1 where missing."""

    def key(self, row: int, /) -> str:
        """The key of one sample."""

    def media(self, row: int, /) -> bytes:
        """The media bytes of one sample."""

    def media_of(self, rows: np.ndarray, /) -> Iterator[bytes]:
        """The media bytes of many samples, int64 (m,), one after the other."""

    def will_read(self, shards: np.ndarray, /) -> None:
        """A hint: which shards, int64 (m,), will be read next, in that order. Costs nothing where it does not help."""
