"""What a stream is: of which samples, made how; and how it is shared.

A stream's identity is the digest of all that its bytes depend on, so that consumers that were given the same find each
other, and never take the batches of another one.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from airflow_mlplat import __version__
from airflow_mlplat.contract import Ref, canonical_json, digest
from airflow_mlplat.data.cache import HostCache
from airflow_mlplat.data.options import IteratorOptions
from airflow_mlplat.data.shared.protocol import PROTOCOL
from airflow_mlplat.data.source import SampleSource
from airflow_mlplat.data.subset import Subset
from airflow_mlplat.errors import SpecError
from airflow_mlplat.store import Samples, open_store
from airflow_mlplat.store.local import absolute

SPEC, ROWS = "spec.json", "rows.npy"
"""Files in a stream's folder that tell its server what to do."""

_LEAST = {
    "consumers": 1, "window": 1, "patience_seconds": 0, "gather_seconds": 0, "start_seconds": 0, "idle_seconds": 0,
    "silence_seconds": 2,
}  # fmt: skip
_MOST = 1e9
"""Seconds or numbers: sockets and locks take no more seconds than some 9e9."""
_WITHOUT_EFFECT = ("threads", "prefetch", "keep_bytes")  # on any byte of a batch


@dataclass(frozen=True, eq=False)
class StreamOptions:
    """How batches are shared. Those of the consumer that starts the server count for all.

    Args:
        directory: A local folder that all consumers have; made if it is not there. A tmpfs spares a disk the writing.
            It needs room for batches: those of the window, `prefetch` of the iterator and one, and those that consumers
            hold, at most 4 each.
        store: URL or path of the store that the samples lie in; a path is made absolute.
        cache: Where the server keeps the shards of a distant store; None reads them from there again and again.
        consumers: How many are to share it. The first batch waits for so many, so that none is late; a batch that so
            many have taken is not kept for others, who then decode for themselves.
        window: Batches that lie between the first and the last consumer at most.
        patience_seconds: How long a slow consumer may hold up the others in an epoch, all in all; then it goes on by
            itself. Longer than to write a checkpoint or to evaluate on a small held-out set, and short beside an epoch.
            A consumer that is dead holds up nobody.
        gather_seconds: How long the first batch of a server waits for the other consumers. Frameworks take seconds to
            import, containers to start.
        start_seconds: How long a consumer tries to reach or to start a server before it decodes for itself.
        idle_seconds: After so long without consumers the server ends.
        silence_seconds: A server that says nothing for so long hangs. It speaks each second, 2 or more is sensible.

    Raises:
        SpecError: An option is of the wrong type, or outside its range.
    """

    directory: Path
    store: str
    cache: HostCache | None = None
    consumers: int = 1
    window: int = 8
    patience_seconds: float = 30.0
    gather_seconds: float = 60.0
    start_seconds: float = 20.0
    idle_seconds: float = 5.0
    silence_seconds: float = 10.0

    def __post_init__(self) -> None:
        for name in ("directory", "store"):
            given = getattr(self, name)
            if not isinstance(given, (str, Path)) or not str(given):
                raise SpecError(f"{name} of a stream is wrong", expected="a path", got=repr(given))
        if not isinstance(self.cache, (HostCache, type(None))):
            raise SpecError("cache of a stream is wrong", expected="HostCache(…) or None", got=repr(self.cache))
        object.__setattr__(self, "directory", Path(self.directory).absolute())
        if "://" not in str(self.store):
            object.__setattr__(self, "store", str(absolute(self.store)))
        for name, least in _LEAST.items():
            value = getattr(self, name)
            kinds = (int, float) if name.endswith("_seconds") else (int,)
            if not isinstance(value, kinds) or isinstance(value, bool) or not least <= value <= _MOST:
                kind = "number" if float in kinds else "whole number"
                raise SpecError(f"{name} must be a {kind}", expected=f"{least} to {_MOST:.0f}", got=repr(value))


@dataclass(frozen=True, eq=False)
class StreamSpec:
    """What a server needs to know.

    Args:
        ref: The span or dataset.
        options: How batches are made.
        stream: How they are shared.
        rows: int64 (n,), ascending: which of its manifest's rows are read. None for all.
    """

    ref: Ref
    options: IteratorOptions
    stream: StreamOptions
    rows: np.ndarray | None = None

    @classmethod
    def of(cls, samples: SampleSource, options: IteratorOptions, stream: StreamOptions) -> StreamSpec:
        """The stream that gives these samples' batches: all of a manifest, or a subset, be it of a subset."""
        if samples.rows_digest is None:
            return cls(samples.ref, options, stream)
        return cls(samples.ref, options, stream, samples.manifest_rows(np.arange(len(samples), dtype=np.int64)))

    @cached_property
    def identity(self) -> str:
        """SHA-256 of all that the batches' bytes depend on. Where the store lies, and how it is shared, is not part."""
        rows = self.rows
        made = {name: value for name, value in _options(self.options).items() if name not in _WITHOUT_EFFECT}
        return digest(
            {
                "protocol": PROTOCOL, "code": __version__, "manifest": self.ref.digest, "options": made,
                "rows": None if rows is None else digest(rows.astype("<i8").tobytes()),
            }
        )  # fmt: skip

    @property
    def folder(self) -> Path:
        """Where this stream has its files: one folder for each identity."""
        return self.stream.directory / f"stream-{self.identity[:16]}"

    def samples(self) -> SampleSource:
        """The samples, opened.

        Raises:
            MlplatError: They cannot be.
        """
        store = open_store(self.stream.store)
        reader = None if self.stream.cache is None else self.stream.cache.reader(store)
        samples = Samples(store, self.ref, reader)
        return samples if self.rows is None else Subset(samples, self.rows)

    def save(self) -> None:
        """Write it into its folder."""
        stream = {name: getattr(self.stream, name) for name in ("store", *_LEAST)}
        cache = self.stream.cache
        kept = None if cache is None else {"folder": str(cache.folder), "max_bytes": cache.max_bytes}
        document = {"ref": self.ref.to_json(), "options": _options(self.options), "stream": stream, "cache": kept}
        if self.rows is not None:
            np.save(self.folder / ROWS, self.rows)
        (self.folder / SPEC).write_bytes(canonical_json({**document, "rows": self.rows is not None}))

    @classmethod
    def load(cls, folder: Path) -> StreamSpec:
        """The spec in a folder.

        Raises:
            SpecError: There is none, or it is none.
        """
        try:
            document = json.loads((folder / SPEC).read_bytes())
            rows = np.load(folder / ROWS, allow_pickle=False) if document["rows"] else None
            kept = document["cache"]
            cache = None if kept is None else HostCache(Path(kept["folder"]), kept["max_bytes"])
            stream = StreamOptions(folder.parent, cache=cache, **document["stream"])
            return cls(Ref.from_json(document["ref"]), IteratorOptions(**document["options"]), stream, rows)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SpecError(
                f"{folder / SPEC} is no spec of a stream", got=f"{type(error).__name__}: {error}"
            ) from error


def _options(options: IteratorOptions) -> dict[str, Any]:
    return {f.name: getattr(options, f.name) for f in dataclasses.fields(options)}
