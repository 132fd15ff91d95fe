"""Raw samples on one core beside the peers, in rounds of one run: see benchmarks/README.md."""

from __future__ import annotations

import pytest

from benchmarks.loaders import Table, contestants
from benchmarks.peers import OURS
from benchmarks.rounds import measure
from tests.proofs.conftest import Proof

IMAGES, ROUNDS, SECONDS = 4000, 15, 1.0


@pytest.mark.proof("raw-speed", slow=True)
def test_raw_speed(proof: Proof) -> None:
    table = Table(measure(contestants(IMAGES, ("raw", "checked")), ROUNDS, SECONDS))
    best = table.ranking("raw")[0]
    ours, it, checked = table.of(OURS, "raw"), table.of(best, "raw"), table.of(OURS, "checked")
    ratio = table.ratio("raw", best)
    proof.row(
        ratio, f"of the best peer, {best}", ">= 1.1", ratio >= 1.1,
        f"medians {ours.median:.0f} and {it.median:.0f} samples/s of {ROUNDS} rounds, "
        f"spreads {ours.spread:.0%} and {it.spread:.0%}; checksums not looked at",
    )  # fmt: skip
    ratio = checked.median / ours.median
    proof.row(
        ratio, "of unchecked, with every CRC-32C compared", ">= 0.65", ratio >= 0.65,
        f"median {checked.median:.0f} samples/s, spread {checked.spread:.0%}",
    )  # fmt: skip
    print("\n".join(f"{name}: {table.of(name, 'raw').median:.0f} samples/s" for name in table.ranking("raw")))
