"""Our loader beside its peers: which contestants there are, and what their speeds say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.peer import BATCH
from benchmarks.peers import OURS, PEERS
from benchmarks.prepare import images, prepare
from benchmarks.rounds import Contestant, Speeds

BARE, HAND, TORCH = "bare loop", "hand-written threads", "torch DataLoader, files"
OLD = "job-half"
"""The environment with Python 3.9 and numpy 1.19."""


def contestants(count: int, modes: Sequence[str], names: Sequence[str] = tuple(PEERS)) -> list[Contestant]:
    """All of them, their data written.

    Args:
        count: Images in the set, at least one batch.
        modes: `raw`, `checked`, `decoded`, `antialiased`, `augmented`, and `old`: `decoded` in the environment `OLD`.
        names: Of peers; ours among them.

    Raises:
        ValueError: Fewer images than a batch.
    """
    if count < BATCH:
        raise ValueError(f"{count} images are less than a batch of {BATCH}")
    source = images(count)
    folders = {name: prepare(name, source) for name in names}
    ours = folders[OURS]
    made = [
        Contestant(name, mode, PEERS[name][1], folders[name])
        for mode in ("raw", "decoded")
        for name in names
        if mode in modes
    ]
    extra = {
        "checked": [Contestant(OURS, "checked", "bench", ours)],
        "decoded": [Contestant(name, "decoded", "bench", source) for name in (BARE, HAND)],
        "antialiased": _pair("antialiased", "bench", ours, source),
        "augmented": _pair("augmented", "bench", ours, source),
        "old": _pair("decoded", OLD, ours, source),
    }
    return made + [contestant for mode in modes for contestant in extra.get(mode, [])]


def _pair(mode: str, environment: str, ours: Path, source: Path) -> list[Contestant]:
    return [Contestant(OURS, mode, environment, ours), Contestant(BARE, mode, environment, source)]


class Table:
    """Speeds, to be asked for by name.

    Args:
        speeds: By `rounds.measure`.
    """

    def __init__(self, speeds: dict[Contestant, Speeds]) -> None:
        self._speeds = {(c.name, c.mode, c.environment): found for c, found in speeds.items()}

    def of(self, name: str, mode: str, environment: str | None = None) -> Speeds:
        """One contestant's; in its own environment if none is told.

        Raises:
            KeyError: It did not take part.
        """
        return self._speeds[name, mode, environment or PEERS.get(name, ("", "bench"))[1]]

    def ranking(self, mode: str) -> list[str]:
        """The peers, ours not among them, the fastest first."""
        names = [name for name, (_, environment) in PEERS.items() if (name, mode, environment) in self._speeds]
        return sorted((name for name in names if name != OURS), key=lambda name: -self.of(name, mode).median)

    def ratio(self, mode: str, name: str, environment: str | None = None) -> float:
        """How many times as fast as another ours is: the ratio of the medians over the same rounds."""
        return self.of(OURS, mode, environment).median / self.of(name, mode, environment).median
