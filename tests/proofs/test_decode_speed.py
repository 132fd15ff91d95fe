"""Decoded batches beside the bare loop and the peers, in rounds of one run: see benchmarks/README.md."""

from __future__ import annotations

import pytest

from benchmarks.loaders import BARE, HAND, OLD, TORCH, Table, contestants
from benchmarks.peers import OURS
from benchmarks.rounds import measure
from tests.proofs.conftest import Proof

IMAGES, ROUNDS, SECONDS = 4000, 15, 1.5


@pytest.mark.proof("decode-speed", slow=True)
def test_decode_speed(proof: Proof) -> None:
    table = Table(measure(contestants(IMAGES, ("decoded", "augmented", "old")), ROUNDS, SECONDS))
    best = table.ranking("decoded")[0]
    for mode, other, environment, least, what in (
        ("decoded", BARE, "bench", 0.95, "of the bare loop, two threads each"),
        ("decoded", best, None, 1.15, f"of the best peer, {best}"),
        ("decoded", TORCH, None, 1.7, "of torch's DataLoader with two processes"),
        ("decoded", BARE, OLD, 0.9, "of the bare loop on Python 3.9 with numpy 1.19"),
        ("augmented", BARE, "bench", 0.9, "of the bare loop with the same four augmentations"),
    ):
        ratio = table.ratio(mode, other, environment)
        ours, it = table.of(OURS, mode, environment), table.of(other, mode, environment)
        proof.row(
            ratio, what, f">= {least}", ratio >= least,
            f"medians {ours.median:.0f} and {it.median:.0f} samples/s of {ROUNDS} rounds, "
            f"spreads {ours.spread:.0%} and {it.spread:.0%}",
        )  # fmt: skip
    print("\n".join(f"{name}: {table.of(name, 'decoded').median:.0f} samples/s" for name in table.ranking("decoded")))
    print(f"{HAND}, media in memory: {table.of(HAND, 'decoded').median:.0f} samples/s")
