"""Mixtures of a batch: their pixels are what their shares say, their shares are distributed as told."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_mlplat.data.augment.draws import BATCH, Draws
from airflow_mlplat.data.augment.mix import cutmix, mixup, symmetric_beta

SHAPES = pytest.mark.parametrize("shape", [(16, 12, 3), (16, 12, 1), (1, 1, 3)])


def batch(n, shape):
    """Images of one value each."""
    values = (np.arange(n) * 37 % 256).astype(np.uint8)
    return np.broadcast_to(values[:, None, None, None], (n, *shape)).copy()


def rows(n, epoch=0):
    return [Draws(3, epoch, row, 0, BATCH) for row in range(n)]


@SHAPES
def test_mixup(shape):
    before, images = batch(32, shape), batch(32, shape)
    partners, shares = mixup(images, rows(32), alpha=1.0, probability=1.0)
    assert (partners.dtype, shares.dtype) == (np.int64, np.float32)
    assert (partners != np.arange(32)).all()
    exact = before[:, 0, 0, 0] * shares.astype(float) + before[partners, 0, 0, 0] * (1 - shares.astype(float))
    assert (images == images[:, :1, :1, :1]).all()
    assert np.abs(images[:, 0, 0, 0] - exact).max() <= 0.5
    assert np.array_equal(shares * 256, np.round(shares * 256))
    assert 0 <= shares.min() < 0.2
    assert 0.8 < shares.max() <= 1


@SHAPES
def test_cutmix(shape):
    before, images = batch(32, shape), batch(32, shape)
    partners, shares = cutmix(images, rows(32), alpha=1.0, probability=1.0)
    assert (partners != np.arange(32)).all()
    for i in range(32):
        own = (images[i] == before[i]).all(2)
        assert own.mean() == pytest.approx(shares[i])
        assert (images[i][~own] == before[partners[i], 0, 0]).all()
        cut = np.argwhere(~own)
        if len(cut):
            assert np.prod(cut.max(0) - cut.min(0) + 1) == len(cut)  # a rectangle


@pytest.mark.parametrize("mix", [mixup, cutmix])
def test_probability(mix):
    before, images = batch(400, (4, 4, 1)), batch(400, (4, 4, 1))
    partners, shares = mix(images, rows(400), alpha=1.0, probability=0.25)
    alone = partners == np.arange(400)
    assert abs(alone.sum() - 300) < 4 * np.sqrt(400 * 0.25 * 0.75)
    assert (shares[alone] == 1).all()
    assert np.array_equal(images[alone], before[alone])
    assert (mix(images, rows(400), alpha=1.0, probability=0.0)[1] == 1).all()


@pytest.mark.parametrize("mix", [mixup, cutmix])
@pytest.mark.parametrize("n", [0, 1, 2])
def test_small_batches(mix, n):
    before, images = batch(n, (5, 5, 3)), batch(n, (5, 5, 3))
    partners, shares = mix(images, rows(n), alpha=0.2, probability=1.0)
    assert partners.tolist() == [[], [0], [1, 0]][n]
    assert shares.shape == (n,)
    if n < 2:
        assert np.array_equal(images, before)  # with itself: nothing changes


@pytest.mark.parametrize("mix", [mixup, cutmix])
def test_partners_are_everybody(mix):
    found = np.array([mix(batch(5, (2, 2, 1)), rows(5, epoch), alpha=1.0, probability=1.0)[0] for epoch in range(200)])
    assert all(set(found[:, i]) == set(range(5)) - {i} for i in range(5))


@pytest.mark.parametrize("alpha", [0.01, 0.2, 0.5, 1.0, 4.0, 100.0])
def test_symmetric_beta(alpha):
    """Mean and variance are those of Beta(alpha, alpha); and so are, of two alphas, the quarters."""
    draws = Draws(0, 0, 0)
    found = np.array([symmetric_beta(draws, alpha) for _ in range(5000)])
    variance = 1 / (4 * (2 * alpha + 1))
    assert 0 <= found.min() <= found.max() <= 1
    assert abs(found.mean() - 0.5) < 4 * np.sqrt(variance / 5000)
    assert found.var() == pytest.approx(variance, rel=0.1)
    if alpha == 1.0:
        assert np.abs(np.histogram(found, 4, (0, 1))[0] - 1250).max() < 4 * np.sqrt(5000 * 0.1875)
    if alpha == 0.5:  # the arcsine distribution: a third in the outer quarters each
        assert np.abs(np.histogram(found, (0, 0.25, 0.75, 1))[0] - 5000 / 3).max() < 4 * np.sqrt(5000 * 2 / 9)
