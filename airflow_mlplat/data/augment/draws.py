"""Random numbers of one sample: a pure function of (seed, epoch, row, turn), whatever thread asks and in what order.

They are the bit stream of Philox4x64-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): the key
is (seed, epoch), the counter (block, row, turn, stream), so no two samples' numbers overlap. NumPy promises that this
bit stream never changes; it promises nothing of its distributions, which is why they are made here.
"""

from __future__ import annotations

import threading

import numpy as np

SAMPLE, BATCH = 0, 1
"""Levels: operations on one sample, and on a whole batch, draw from different streams of the same row."""

_DOMAIN = 0x6175676D << 32  # "augm": other users of Philox with the same seed have other streams
_WORD = 2**64 - 1
_AHEAD = 16  # words made at a time: a few operations' need; making 16 takes as long as making one
_UNIT = 2.0**-53


class Draws:
    """The numbers of one sample in one epoch, one after another. Belongs to one thread; making one takes no time.

    Args:
        seed: Any integer; modulo 2**64.
        epoch: From 0.
        row: The sample's position in the manifest.
        turn: How often the row came before in the epoch: weighted sampling repeats rows.
        level: `SAMPLE` or `BATCH`.
    """

    __slots__ = ("_block", "_bulks", "_epoch", "_row", "_seed", "_stream", "_turn", "_words")

    def __init__(self, seed: int, epoch: int, row: int, turn: int = 0, level: int = SAMPLE) -> None:
        self._seed, self._epoch, self._row, self._turn = seed & _WORD, epoch & _WORD, row & _WORD, turn & _WORD
        self._stream = _DOMAIN | level << 16
        self._words: list[int] = []
        self._block = self._bulks = 0

    def unit(self) -> float:
        """In [0, 1), a multiple of 2**-53."""
        if not self._words:
            self._words = self._generate(self._stream, self._block, _AHEAD).tolist()[::-1]
            self._block += _AHEAD // 4
        return (self._words.pop() >> 11) * _UNIT

    def uniform(self, low: float, high: float) -> float:
        """In [low, high]."""
        return low + (high - low) * self.unit()

    def integer(self, n: int) -> int:
        """In [0, n), as floor(u · n): no value is likelier than another by more than n · 2**-53."""
        return int(self.unit() * n)

    def chance(self, probability: float) -> bool:
        """True with a probability in [0, 1]; never at 0, always at 1."""
        return self.unit() < probability

    def raw(self, n: int) -> np.ndarray:
        """uint64 (n,), 64 random bits each. Each call has a stream of its own."""
        self._bulks += 1
        return self._generate(self._stream + self._bulks, 0, n)

    def octets(self, n: int) -> np.ndarray:
        """uint8 (n,), 8 random bits each, in the order of little-endian words."""
        return self.raw(-(-n // 8)).astype("<u8", copy=False).view(np.uint8)[:n]

    def _generate(self, stream: int, block: int, n: int) -> np.ndarray:
        philox, state = _LOCAL.philox, _LOCAL.state
        counter, key = state["state"]["counter"], state["state"]["key"]
        counter[0], counter[1], counter[2], counter[3] = block, self._row, self._turn, stream
        key[0], key[1] = self._seed, self._epoch
        philox.state = state
        return philox.random_raw(n)


class _Local(threading.local):
    """A generator for each thread: making a new one for each sample takes five times as long as moving this one."""

    def __init__(self) -> None:
        self.philox = np.random.Philox(key=0)
        self.state = self.philox.state  # a fresh generator's: nothing buffered, so nothing but key and counter matters


_LOCAL = _Local()
