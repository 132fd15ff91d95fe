"""The exact one-sided McNemar test: is a challenger better than a champion on the samples where they differ?"""

from __future__ import annotations

import math

import numpy as np

from airflow_mlplat.errors import SpecError


def p_value(wins: int, losses: int) -> float:
    """Probability of so many wins or more among the discordant samples if neither model were better.

    The binomial tail P(X >= wins), X ~ B(wins + losses, 1/2), summed by logarithms so that it neither overflows nor
    vanishes early (McNemar 1947, doi:10.1007/BF02295996; exact form: Fagerland et al. 2013,
    doi:10.1186/1471-2288-13-91).

    Args:
        wins: Samples that only the challenger classifies rightly.
        losses: Samples that only the champion classifies rightly.

    Returns:
        0 to 1; 1 when there are no discordant samples.

    Raises:
        SpecError: A count is negative.
    """
    if wins < 0 or losses < 0:
        raise SpecError("counts of discordant samples are negative", got=(wins, losses))
    if wins <= losses:  # by symmetry, sum the smaller tail: P(X >= wins) = 1 - P(X >= losses + 1)
        return 1.0 - _tail(wins + losses, losses + 1)
    return _tail(wins + losses, wins)


def _tail(n: int, k: int) -> float:
    """P(X >= k) for X ~ B(n, 1/2), k > n / 2."""
    if k > n:
        return 0.0
    # Each term is the one before times (n - i) / (i + 1) < 1, so the first is the largest.
    first = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2.0)
    before = np.arange(k, n, dtype=np.float64)
    terms = np.exp(np.cumsum(np.log((n - before) / (before + 1.0))))
    return min(1.0, math.exp(first) * (1.0 + math.fsum(terms)))


def least_p_value(discordant: int) -> float:
    """The p-value if the challenger had won all discordant samples: no outcome gives a lower one."""
    return 0.5**discordant if discordant < 1075 else 0.0  # 2**-1075 is below the least double
