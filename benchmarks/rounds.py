"""Rounds of measurements: in each one every contestant runs once, in a new process, in another order."""

from __future__ import annotations

import json
import os
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.peer import WORKERS
from benchmarks.prepare import run

CORES = {"raw": 1, "checked": 1, "decoded": WORKERS, "antialiased": WORKERS, "augmented": WORKERS}
"""Mode → cores that its process may use."""


@dataclass(frozen=True)
class Contestant:
    """One line of a table.

    Args:
        name: A key of `peers.PEERS` or of `floors.FLOORS`.
        mode: A key of `CORES`.
        environment: That it runs in.
        folder: Of its data.
    """

    name: str
    mode: str
    environment: str
    folder: Path


@dataclass
class Speeds:
    """Samples a second of one contestant, a figure a round; and the seconds until its first batch."""

    rounds: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Samples a second."""
        return statistics.median(self.rounds)

    @property
    def spread(self) -> float:
        """How far the extremes lie apart, as a part of the median."""
        return (max(self.rounds) - min(self.rounds)) / self.median


def measure(
    contestants: Sequence[Contestant], rounds: int, seconds: float, say: Callable[[str], None] = print
) -> dict[Contestant, Speeds]:
    """Run them all.

    Args:
        contestants: All different.
        rounds: How often.
        seconds: That each is counted for, after its first batch.
        say: Told of each round.
    """
    speeds = {contestant: Speeds() for contestant in contestants}
    draws = random.Random(0)
    for number in range(rounds):
        for contestant in draws.sample(list(contestants), len(contestants)):
            found = _once(contestant, seconds, number)
            speeds[contestant].rounds.append(found["samples"] / found["seconds"])
            speeds[contestant].first.append(found["first_batch_seconds"])
        say(f"round {number + 1} of {rounds}; 1-minute load {os.getloadavg()[0]:.1f}")
    return speeds


@dataclass
class Duel:
    """Two contestants, of which one ran right after the other each time: what a machine's speed does within minutes, as
    on hosts that are shared, then changes both alike.

    Args:
        one: Samples a second, a figure a round.
        other: Of the same rounds.
    """

    one: list[float] = field(default_factory=list)
    other: list[float] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """One to other, a figure a round."""
        return [mine / its for mine, its in zip(self.one, self.other)]

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios."""
        return statistics.median(self.ratios)

    def __str__(self) -> str:
        low, _, high = statistics.quantiles(self.ratios, n=4)
        mine, its = statistics.median(self.one), statistics.median(self.other)
        return (
            f"median of {len(self.one)} pairs, quartiles {low:.3f} and {high:.3f}; {mine:.0f} and {its:.0f} samples/s"
        )


def duel(one: Contestant, other: Contestant, rounds: int, seconds: float) -> Duel:
    """Run both in turn, the one first in every second round.

    Args:
        one: Whose speed is the numerator.
        other: It may be of another mode.
        rounds: How often each, 2 or more.
        seconds: As for `measure`.
    """
    found = Duel()
    for number in range(rounds):
        turns = [(one, found.one), (other, found.other)]
        for contestant, speeds in turns if number % 2 == 0 else reversed(turns):
            counted = _once(contestant, seconds, number)
            speeds.append(counted["samples"] / counted["seconds"])
    return found


def _once(contestant: Contestant, seconds: float, number: int) -> dict[str, float]:
    usable = sorted(os.sched_getaffinity(0))
    needed = CORES[contestant.mode]
    # One core: another one each round, so that no contestant is tied to a busy one.
    cores = [usable[(number + i) % len(usable)] for i in range(needed)]
    printed = run(
        contestant.environment, "measure", contestant.name, contestant.mode, contestant.folder, seconds,
        ",".join(map(str, cores)),
    )  # fmt: skip
    return json.loads(printed.splitlines()[-1])
