"""Confidence intervals of a share, and of the difference of two shares measured on the same samples."""

from __future__ import annotations

import math

Z_95 = 1.959963984540054
"""97.5 % quantile of the normal distribution: two-sided 95 %."""


def wilson(successes: int, n: int, z: float = Z_95) -> tuple[float, float]:
    """Wilson's score interval of a share (Wilson 1927, doi:10.1080/01621459.1927.10502953).

    Args:
        successes: 0 to n.
        n: How many were tried; 0 gives (0, 1).
        z: Quantile of the normal distribution.

    Returns:
        Lower and upper bound, 0 to 1.
    """
    if n == 0:
        return 0.0, 1.0
    share, square = successes / n, z * z
    centre = (share + square / (2 * n)) / (1 + square / n)
    half = z / (1 + square / n) * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, centre - half)  # exactly, as algebra has it
    high = 1.0 if successes == n else min(1.0, centre + half)
    return low, high


def paired_difference(wins: int, losses: int, n: int, z: float = Z_95) -> tuple[float, float]:
    """Interval of the difference of two accuracies on the same samples (Agresti and Min 2005, doi:10.1002/sim.1781).

    Args:
        wins: Samples that only the first classifies rightly.
        losses: Samples that only the second classifies rightly.
        n: All samples.
        z: Quantile of the normal distribution.

    Returns:
        Lower and upper bound, -1 to 1.
    """
    # The paper adds 1/2 to each of the four cells of the paired table.
    gained, lost, total = wins + 0.5, losses + 0.5, n + 2
    difference = (gained - lost) / total
    half = z * math.sqrt(gained + lost - (gained - lost) ** 2 / total) / total
    return max(-1.0, difference - half), min(1.0, difference + half)
