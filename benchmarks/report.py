"""What a run leaves in `results/`: a table for people, the same as JSON, a plot."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers import OURS

RESULTS = Path(__file__).parent / "results"
Row = dict[str, Any]
"""`part`, `name`, `median`, `low`, `high`, `unit`, and what else is known."""


def write(rows: Sequence[Row], facts: dict[str, Any], folder: Path = RESULTS) -> None:
    """Write `results.json`, `results.md` and `results.png`.

    Args:
        rows: Of all parts, in the order in which they are shown.
        facts: By `machine.facts`.
        folder: Where to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps({"machine": facts, "rows": list(rows)}, indent=1) + "\n")
    (folder / "results.md").write_text(markdown(rows, facts))
    plot(rows, folder / "results.png")


def markdown(rows: Sequence[Row], facts: dict[str, Any]) -> str:
    """The tables, a heading each part; below them the machine and the versions."""
    lines = ["# Results", ""]
    for part in dict.fromkeys(row["part"] for row in rows):
        own = [row for row in rows if row["part"] == part]
        lines += [
            f"## {part}",
            "",
            f"| | {own[0]['unit']}, median | lowest to highest | ours / it | |",
            "|---|---|---|---|---|",
        ]
        lines += [_line(row, own) for row in own]
        lines.append("")
    versions = "; ".join(
        f"`{name}`: " + ", ".join(f"{library} {version}" for library, version in found.items())
        for name, found in facts["versions"].items()
    )
    lines += [
        "## Machine", "",
        f"{facts['processor']}, {facts['cores']} cores, {facts['memory_gib']} GiB, Linux {facts['kernel']}; "
        f"{facts['load_1_minute']} processes were running in the minute before.", "",
        f"Versions. {versions}.",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _line(row: Row, part: Sequence[Row]) -> str:
    ours = next((other for other in part if other["name"] == OURS), None)
    # Seconds are the better the fewer, samples a second the more: a ratio above 1 always speaks for ours.
    ratio = None if ours is None or row is ours else ours["median"] / row["median"]
    ratio = 1 / ratio if ratio and row["unit"] == "s" else ratio
    name = f"**{row['name']}**" if row["name"] == OURS else row["name"]
    shown = f"{ratio:.2f}" if ratio else ""
    spread = f"{_number(row['low'])} to {_number(row['high'])}"
    return f"| {name} | {_number(row['median'])} | {spread} | {shown} | {row.get('note', '')} |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def plot(rows: Sequence[Row], path: Path) -> None:
    """One panel a part: bars of the medians, with lines from the lowest to the highest."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    parts = list(dict.fromkeys(row["part"] for row in rows))
    heights = [sum(row["part"] == part for row in rows) + 2 for part in parts]
    figure, axes = pyplot.subplots(
        len(parts), 1, figsize=(9, 0.3 * sum(heights) + 0.5), squeeze=False, height_ratios=heights, layout="constrained"
    )
    for part, axis in zip(parts, axes[:, 0]):
        own = [row for row in rows if row["part"] == part][::-1]
        medians = [row["median"] for row in own]
        ends = [[row["median"] - row["low"] for row in own], [row["high"] - row["median"] for row in own]]
        colours = ["tab:orange" if row["name"] == OURS else "tab:grey" for row in own]
        axis.barh([row["name"] for row in own], medians, xerr=ends, color=colours, ecolor="black", capsize=2)
        axis.set_title(f"{part} ({own[0]['unit']})", loc="left", fontsize=10)
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
