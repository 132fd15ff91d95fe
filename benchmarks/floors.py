"""What a loader is measured by: the work itself as libraries do it, without a format, an order or a hand-over."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.augmentation import STEPS
from benchmarks.decoding import hand_written, one_thread_each
from benchmarks.images import Images
from benchmarks.peer import BATCH, SIDE, WORKERS, Batches, order

Work = Callable[[np.ndarray, np.ndarray, int], Any]
"""(decoded pixels, where they go, how many images came before)."""


class BareLoop:
    """Media in memory; each thread decodes into one buffer of its own and resizes into one batch of its own.

    What is counted is batches; no batch is handed over.
    """

    def decoded(self, folder: Path, repeat: bool) -> Batches:
        """Decoding and resizing."""
        return _bare(folder, lambda: _resize)

    def antialiased(self, folder: Path, repeat: bool) -> Batches:
        """Decoding, and Pillow's resize, as torchvision's transforms of images do it."""
        return _bare(folder, lambda: _resize_antialiased)

    def augmented(self, folder: Path, repeat: bool) -> Batches:
        """The same, and the augmentations of `augmentation.STEPS`."""
        return _bare(folder, _resize_and_augment)


class HandWritten:
    """The media of the set in memory, and the few lines that a user who knows threads would write around them."""

    def decoded(self, folder: Path, repeat: bool) -> Batches:
        """Decoding and resizing."""
        images = Images(folder)
        parts = (rows[at : at + BATCH] for rows in order(len(images), repeat) for at in range(0, len(rows), BATCH))
        return hand_written(lambda rows: [(images.media(row), images.labels[row]) for row in rows.tolist()], parts)


def _bare(folder: Path, work: Callable[[], Work]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    one_thread_each()
    images = Images(folder)
    media = [images.media(number) for number in range(len(images))]
    done = threading.Semaphore(0)
    for first in range(WORKERS):
        own = media[first::WORKERS]
        threading.Thread(target=_loop, args=(own, work(), done), daemon=True).start()
    batch = np.empty((BATCH, SIDE, SIDE, 3), np.uint8)
    while True:
        done.acquire()
        yield batch, images.labels[:BATCH]


def _loop(media: list[bytes], work: Work, done: threading.Semaphore) -> None:
    import simplejpeg

    buffer, batch = np.empty(1 << 22, np.uint8), np.empty((BATCH, SIDE, SIDE, 3), np.uint8)
    numbers = itertools.count()
    while True:
        for image in batch:
            number = next(numbers)
            work(simplejpeg.decode_jpeg(media[number % len(media)], "RGB", buffer=buffer), image, number)
        done.release()


def _resize(pixels: np.ndarray, image: np.ndarray, number: int) -> None:
    import cv2

    cv2.resize(pixels, (SIDE, SIDE), dst=image, interpolation=cv2.INTER_LINEAR)


def _resize_antialiased(pixels: np.ndarray, image: np.ndarray, number: int) -> None:
    from PIL import Image

    image[...] = Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BILINEAR)


def _resize_and_augment() -> Work:
    from airflow_mlplat.data.augment import Augmentation

    augmentation = Augmentation(STEPS, (SIDE, SIDE, 3), 0)
    resized = np.empty((SIDE, SIDE, 3), np.uint8)

    def work(pixels: np.ndarray, image: np.ndarray, number: int) -> None:
        _resize(pixels, resized, number)
        image[...] = augmentation.image(resized, 0, number)

    return work


BARE, HAND = "bare loop", "hand-written threads"
FLOORS: dict[str, Any] = {BARE: BareLoop(), HAND: HandWritten()}
"""Read the set itself, whatever the format."""
