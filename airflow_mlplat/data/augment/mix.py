"""Operations on a whole batch: each sample is mixed with another one of the batch.

Sample i's partner, and how much of it stays its own, are drawn by its own row; who the others are depends on the
batch. All change uint8 (n, H, W, C) in place, which keeps a batch in its own memory, and mix with partners as they were
before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from airflow_mlplat.data.augment.draws import Draws
from airflow_mlplat.data.augment.exact import cosine, exp, log
from airflow_mlplat.data.opencv import opencv

_STEPS = 256  # of a share of mixup in one: products with pixels are then exact in OpenCV's 32-bit floats


@dataclass(frozen=True, eq=False)
class Mixed:
    """A batch whose samples are mixtures of two.

    Args:
        images: uint8 (n, H, W, C).
        partners: int64 (n,), the labels of what was mixed in, -1 where missing.
        shares: float32 (n,), 0 … 1: what is the sample's own; the loss is share · own + (1 - share) · partner's.
    """

    images: np.ndarray
    partners: np.ndarray
    shares: np.ndarray


def mixup(
    images: np.ndarray, draws: Sequence[Draws], *, alpha: float, probability: float
) -> tuple[np.ndarray, np.ndarray]:
    """Each image mixed with another (Zhang et al. 2018, "mixup: beyond empirical risk minimization").

    Args:
        images: uint8 (n, H, W, C), changed in place.
        draws: Of each sample.
        alpha: Shares are of Beta(alpha, alpha), rounded to 1/256.
        probability: That a sample is mixed at all.

    Returns:
        The partners' places int64 (n,), the own shares float32 (n,).
    """
    cv2 = opencv("augment 'mixup'")
    before, partners, shares = images.copy(), np.arange(len(images)), np.ones(len(images), np.float32)
    for i, own in enumerate(draws):
        if own.chance(probability):
            partners[i] = _partner(own, i, len(images))
            shares[i] = share = round(symmetric_beta(own, alpha) * _STEPS) / _STEPS
            cv2.addWeighted(before[i], share, before[partners[i]], 1 - share, 0, dst=images[i])
    return partners, shares


def cutmix(
    images: np.ndarray, draws: Sequence[Draws], *, alpha: float, probability: float
) -> tuple[np.ndarray, np.ndarray]:
    """In each image a rectangle of another one, at the same place (Yun et al. 2019, "CutMix …").

    Args:
        images: uint8 (n, H, W, C), changed in place.
        draws: Of each sample.
        alpha: The rectangle's area is 1 - Beta(alpha, alpha) of the image's, less what lies outside.
        probability: That a sample is mixed at all.

    Returns:
        The partners' places int64 (n,), the own shares float32 (n,), by what was cut in truth.
    """
    rows, columns = images.shape[1:3]
    before, partners, shares = images.copy(), np.arange(len(images)), np.ones(len(images), np.float32)
    for i, own in enumerate(draws):
        if own.chance(probability):
            partners[i] = _partner(own, i, len(images))
            side = math.sqrt(1 - symmetric_beta(own, alpha))
            top, bottom = _centred_cut(own, rows, side)
            left, right = _centred_cut(own, columns, side)
            images[i, top:bottom, left:right] = before[partners[i], top:bottom, left:right]
            shares[i] = 1 - (bottom - top) * (right - left) / (rows * columns)
    return partners, shares


def _partner(draws: Draws, place: int, n: int) -> int:
    """Another sample's place, all equally likely; a batch of one has no other."""
    return (place + 1 + draws.integer(n - 1)) % n if n > 1 else place


def _centred_cut(draws: Draws, size: int, share: float) -> tuple[int, int]:
    """From and to, about a middle that is anywhere."""
    middle, length = draws.integer(size), int(size * share)
    start = middle - length // 2
    return max(0, start), min(size, start + length)


def symmetric_beta(draws: Draws, alpha: float) -> float:
    """One draw of Beta(alpha, alpha), in [0, 1].

    It is 1/2 + t / 2 sqrt(2 alpha + t²) for a t of Student's distribution with 2 alpha degrees of freedom, and that
    is had of two uniform draws (Bailey 1994, "Polar generation of random variates with the t-distribution").
    """
    exponent = -log(1 - draws.unit()) / alpha
    cos = cosine(draws.uniform(-180.0, 180.0))
    square = (exp(min(exponent, 700.0)) - 1) * cos * cos
    return 0.5 + math.copysign(0.5 * math.sqrt(square / (1 + square)), cos)
