"""The order of samples: a pure function of (manifest, seed, epoch), evaluated at any position in O(1).

A Feistel network is a bijection of [0, 4**w); walking its cycle until it lands below n makes it one of [0, n) (Black
and Rogaway 2002, "Ciphers with arbitrary finite domains"). No permutation is ever held in memory.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from airflow_mlplat.errors import SpecError

ALGORITHM = "feistel6-v1"
"""Named in every state: another order is another algorithm."""
ROUNDS = 6
"""With four, neighbours stay neighbours half again too often; with six they do as often as by chance."""

_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def permute(positions: np.ndarray, n: int, seed: int, epoch: int, manifest: str) -> np.ndarray:
    """Rows at positions of an epoch's order.

    Args:
        positions: int64 (m,), each in [0, n).
        n: Samples in the manifest.
        seed: Any integer.
        epoch: From 0.
        manifest: Digest of the manifest.

    Returns:
        int64 (m,): distinct for distinct positions, each in [0, n).

    Raises:
        SpecError: A position lies outside [0, n).
    """
    positions = np.asarray(positions, np.int64)
    if positions.size and (positions.min() < 0 or positions.max() >= n):
        raise SpecError(
            "position outside the order", expected=f"0 … {n - 1}", got=f"{positions.min()} … {positions.max()}"
        )
    keys, half, limit = round_keys(seed, epoch, manifest), np.uint64(half_bits(n)), np.uint64(n)
    rows = _feistel(positions.astype(np.uint64), half, keys)
    outside = np.flatnonzero(rows >= limit)
    while outside.size:
        rows[outside] = _feistel(rows[outside], half, keys)
        outside = outside[rows[outside] >= limit]
    return rows.astype(np.int64)


def permute_each(positions: np.ndarray, sizes: np.ndarray, halves: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """`permute` of many orders at once: of each position that of its own order.

    Args:
        positions: int64 (m,), each in [0, its size).
        sizes: int64 (m,): `n` of each order.
        halves: uint64 (m,): `half_bits` of each size.
        keys: uint64 (ROUNDS, m): `round_keys` of each order.

    Returns:
        int64 (m,).
    """
    rows, limits = _feistel(positions.astype(np.uint64), halves, keys), sizes.astype(np.uint64)
    outside = np.flatnonzero(rows >= limits)
    while outside.size:
        rows[outside] = _feistel(rows[outside], halves[outside], keys[:, outside])
        outside = outside[rows[outside] >= limits[outside]]
    return rows.astype(np.int64)


def half_bits(n: int) -> int:
    """Half the bits, rounded up, of numbers in [0, n): at least 1."""
    return max(1, ((n - 1).bit_length() + 1) // 2)


def round_keys(seed: int, epoch: int, manifest: str) -> np.ndarray:
    """uint64 (ROUNDS,), from BLAKE2b of all that the order depends on."""
    text = f"{ALGORITHM}\n{manifest}\n{seed}\n{epoch}".encode()
    return np.frombuffer(hashlib.blake2b(text, digest_size=8 * ROUNDS).digest(), "<u8").astype(np.uint64)


def _feistel(values: np.ndarray, half: Any, keys: np.ndarray) -> np.ndarray:
    """`half` and each of `keys` are one number, or one for each of the values, uint64."""
    shift, mask = half, (np.uint64(1) << half) - np.uint64(1)
    left, right = values >> shift, values & mask
    for key in keys:
        left, right = right, left ^ (_mix(right ^ key) & mask)
    return (left << shift) | right


def _mix(values: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64 (Steele et al. 2014): every input bit reaches every output bit."""
    values = (values ^ (values >> np.uint64(30))) * _MIX_1
    values = (values ^ (values >> np.uint64(27))) * _MIX_2
    return values ^ (values >> np.uint64(31))
