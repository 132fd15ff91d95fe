"""The promotion gate: the best of the challengers that are significantly better than the champion, if any.

Every challenger that is tested on a test set is a look at it. Look t has the level `alpha * 6 / (pi^2 * t^2)`; these
sum to alpha over all t, so that the probability of ever promoting a model that is no better stays below alpha,
however many are tried (union bound; alpha spending as in Foster and Stine 2008, doi:10.1111/j.1467-9868.2007.00643.x).
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from airflow_mlplat.errors import SpecError
from airflow_mlplat.stages import intervals, mcnemar

PROMOTED, REJECTED, UNDECIDED = "promoted", "rejected", "undecided"


@dataclass(frozen=True)
class Contender:
    """A model as the gate sees it.

    Args:
        model: Its digest.
        correct: Which samples of the test set it classifies rightly: bool (n,).
    """

    model: str
    correct: np.ndarray

    @property
    def accuracy(self) -> float:
        """Share of samples that it classifies rightly."""
        return float(np.mean(self.correct))


@dataclass(frozen=True)
class Look:
    """One challenger's test against the champion.

    Args:
        model: The challenger's digest.
        accuracy: The challenger's.
        look: The how-manieth test on this test set it is, from 1.
        level: What the p-value may be at most.
        wins: Samples that only the challenger classifies rightly.
        losses: Samples that only the champion classifies rightly.
        p_value: Exact, one-sided.
        difference: The challenger's accuracy less the champion's.
        interval: 95 % bounds of that difference.
        outcome: `promoted` if it is significantly better, `rejected` or `undecided`.
        reason: Why.
    """

    model: str
    accuracy: float
    look: int
    level: float
    wins: int
    losses: int
    p_value: float
    difference: float
    interval: tuple[float, float]
    outcome: str
    reason: str


@dataclass(frozen=True)
class Verdict:
    """What the gate says.

    Args:
        outcome: `promoted`, `rejected` or `undecided`.
        reason: Why, in a sentence.
        challenger: Digest of the model that it is about: the one to promote, or the most accurate.
        looks_spent: How many looks at the test set this comparison took.
        tests: One per challenger, in their order; empty when there was no champion.
    """

    outcome: str
    reason: str
    challenger: str
    looks_spent: int
    tests: tuple[Look, ...]

    def to_json(self) -> dict[str, Any]:
        """As plain JSON."""
        tests = [{**dataclasses.asdict(test), "interval": list(test.interval)} for test in self.tests]
        return {**dataclasses.asdict(self), "tests": tests}


def level(alpha: float, look: int) -> float:
    """The level of a look, 1, 2, …: they sum to alpha."""
    return alpha * 6.0 / (math.pi**2 * look**2)


def decide(challengers: list[Contender], champion: Contender | None, alpha: float = 0.05, looks: int = 0) -> Verdict:
    """Compare challengers with a champion.

    Args:
        challengers: One or more.
        champion: None if there is none yet: the most accurate challenger is promoted, and no look is spent.
        alpha: Probability of a false promotion over all looks, above 0 and below 1.
        looks: Earlier looks at this test set. Challenger i, from 0, is look `looks + 1 + i`.

    Raises:
        SpecError: No challengers, or a number out of range.
    """
    _check(challengers, champion, alpha, looks)
    if champion is None:
        best = _best(challengers)
        reason = f"no champion yet; the best challenger has accuracy {best.accuracy:.4f}"
        return Verdict(PROMOTED, reason, best.model, 0, ())
    tests = tuple(_test(one, champion, alpha, looks + 1 + i) for i, one in enumerate(challengers))
    for outcome in (PROMOTED, UNDECIDED, REJECTED):
        found = {test.model: test for test in tests if test.outcome == outcome}
        if found:
            break
    best = _best([one for one in challengers if one.model in found])
    return Verdict(outcome, found[best.model].reason, best.model, len(tests), tests)


def _check(challengers: list[Contender], champion: Contender | None, alpha: float, looks: int) -> None:
    if not challengers:
        raise SpecError("nothing to compare", expected="one challenger or more", got=0)
    check_numbers(alpha, looks)
    sizes = {len(one.correct) for one in [*challengers, *([champion] if champion else [])]}
    if len(sizes) != 1 or 0 in sizes:
        raise SpecError("contenders were not measured on the same samples", got=f"{sorted(sizes)} samples")


def check_numbers(alpha: float, looks: int) -> None:
    """Raise a SpecError if a level, or how often it was looked before, is none."""
    if isinstance(alpha, bool) or not isinstance(alpha, (int, float)) or not 0 < alpha < 1:
        raise SpecError("alpha must be a probability", expected="above 0, below 1", got=repr(alpha))
    if isinstance(looks, bool) or not isinstance(looks, int) or looks < 0:
        raise SpecError("looks must be a whole number", expected="0 or more", got=repr(looks))


def _best(contenders: list[Contender]) -> Contender:
    return min(contenders, key=lambda one: (-one.accuracy, one.model))


def _test(challenger: Contender, champion: Contender, alpha: float, look: int) -> Look:
    wins = int(np.sum(challenger.correct & ~champion.correct))
    losses = int(np.sum(champion.correct & ~challenger.correct))
    n, p, allowed = len(champion.correct), mcnemar.p_value(wins, losses), level(alpha, look)
    if challenger.model == champion.model:
        outcome, reason = REJECTED, "it is the champion"
    elif p <= allowed:
        outcome, reason = PROMOTED, "better than the champion"
    elif mcnemar.least_p_value(wins + losses) > allowed:
        outcome, reason = UNDECIDED, "the test set is too small to tell"
    else:
        outcome, reason = REJECTED, "not shown to be better than the champion"
    numbers = (
        f"accuracy {challenger.accuracy:.4f} against {champion.accuracy:.4f}; of {wins + losses} samples where they "
        f"differ the challenger is right on {wins}; p = {p:.3g}, level {allowed:.3g} at look {look}"
    )
    return Look(
        challenger.model, challenger.accuracy, look, allowed, wins, losses, p, (wins - losses) / n,
        intervals.paired_difference(wins, losses, n), outcome, f"{reason}: {numbers}",
    )  # fmt: skip
