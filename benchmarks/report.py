"""What runs leave in `results/`: tables for people, the same as JSON, a plot."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers import OURS

RESULTS = Path(__file__).parent / "results"
Row = dict[str, Any]
"""`part`, `name`, `median`, `low`, `high`, `unit`, and what else is known."""
Results = dict[str, dict[str, Any]]
"""Benchmark → `machine` and `rows`."""


def add(name: str, rows: Sequence[Row], facts: dict[str, Any], folder: Path = RESULTS) -> None:
    """Put a benchmark's rows into `results.json`, in the place of its older ones; write `results.md` and `results.png`.

    Args:
        name: Of the benchmark.
        rows: In the order in which they are shown.
        facts: By `machine.facts`, when it began.
        folder: Where to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "results.json"
    results: Results = json.loads(path.read_text()) if path.exists() else {}
    results[name] = {"machine": facts, "rows": list(rows)}
    path.write_text(json.dumps(results, indent=1) + "\n")
    (folder / "results.md").write_text(markdown(results))
    plot([row for found in results.values() for row in found["rows"]], folder / "results.png")


def markdown(results: Results) -> str:
    """The tables, a heading each part; below those of a benchmark the machine and the versions that it ran on."""
    lines = ["# Results", ""]
    for name, found in results.items():
        rows, facts = found["rows"], found["machine"]
        for part in dict.fromkeys(row["part"] for row in rows):
            own = [row for row in rows if row["part"] == part]
            head = f"| | {own[0]['unit']}, median | lowest to highest | ours / it | |"
            lines += [f"## {part}", "", head, "|---|---|---|---|---|", *(_line(row, own) for row in own), ""]
        lines += [f"`{name}` ran on {_machine(facts)}", ""]
    return "\n".join(lines)


def _machine(facts: dict[str, Any]) -> str:
    versions = "; ".join(
        f"in `{name}` " + ", ".join(f"{library} {version}" for library, version in found.items())
        for name, found in facts["versions"].items()
    )
    return (
        f"{facts['processor']}, {facts['cores']} cores, {facts['memory_gib']} GiB, Linux {facts['kernel']}. "
        f"When it began, the load of other processes was {facts['load_1_minute']}. Versions: {versions}."
    ) + (f"\n\n**Remark.** {facts['remark']}" if facts.get("remark") else "")


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
