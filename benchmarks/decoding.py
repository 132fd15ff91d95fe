"""The one decoder of all peers that decode in Python, and the threads of those that have no loader."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy as np

from benchmarks.peer import BATCH, SIDE, WORKERS, Batches

AHEAD = 4
"""Batches made before they are asked for."""


def decode(media: bytes) -> np.ndarray:
    """uint8 (SIDE, SIDE, 3), the proportions not kept: what every peer's documents ask for, a function of a sample."""
    import cv2
    import simplejpeg

    return cv2.resize(simplejpeg.decode_jpeg(media, "RGB"), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)


def one_thread_each() -> None:
    """Keep OpenCV from starting threads within workers, as its documents say for that case."""
    import cv2

    cv2.setNumThreads(1)


def threaded(read: Callable[[Any], list[tuple[bytes, int]]], parts: Iterator[Any]) -> Batches:
    """Batches of a format that has no loader: the standard library's pool of `WORKERS` threads, a task a sample.

    Args:
        read: From a part to (media, label) of each sample.
        parts: What each batch is made of.
    """
    one_thread_each()
    with ThreadPoolExecutor(WORKERS) as pool:
        waiting = deque(_submit(pool, read(part)) for part in islice(parts, 1 + AHEAD))
        while waiting:
            images, labels = waiting.popleft()
            yield np.stack([image.result() for image in images]), labels
            waiting.extend(_submit(pool, read(part)) for part in islice(parts, 1))


def _submit(pool: ThreadPoolExecutor, samples: list[tuple[bytes, int]]) -> tuple[list[Future], np.ndarray]:
    return [pool.submit(decode, media) for media, _ in samples], np.array([label for _, label in samples])


def hand_written(read: Callable[[Any], list[tuple[bytes, int]]], parts: Iterator[Any]) -> Batches:
    """The same by someone who knows what a thread costs: each makes a whole batch. No library's documents say so.

    Args:
        read: As above, but called from several threads.
        parts: What each batch is made of.
    """
    one_thread_each()
    with ThreadPoolExecutor(WORKERS) as pool:
        waiting = deque(pool.submit(_batch, read, part) for part in islice(parts, WORKERS + AHEAD))
        while waiting:
            batch = waiting.popleft().result()
            waiting.extend(pool.submit(_batch, read, part) for part in islice(parts, 1))
            yield batch


def _batch(read: Callable[[Any], list[tuple[bytes, int]]], part: Any) -> tuple[np.ndarray, np.ndarray]:
    samples = read(part)
    return np.stack([decode(media) for media, _ in samples]), np.array([label for _, label in samples])


def in_batches(orders: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """The rows of each batch, int64 (BATCH,) or what an epoch has left; from `peer.order`."""
    return (rows[at : at + BATCH] for rows in orders for at in range(0, len(rows), BATCH))
