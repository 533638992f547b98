"""The results: a table for people and a document for programs."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from processes import percentile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rounds import Figures, Outcome, Rounds
    from scenarios import Line

HEADER = ("scenario", "with", "its figure", "Python", "ratio", "target", "verdict", "CPU a message")
NUMBERS = (2, 3, 4, 7)


def of_round(figures: Figures, figure: str) -> float:
    """A figure of a round: its median where there are several of it."""
    value = figures[figure]
    return statistics.median(value) if isinstance(value, list) else float(value)


def median(rounds: Sequence[Figures | None], figure: str) -> float | None:
    """The median of the rounds that went well."""
    values = [of_round(figures, figure) for figures in rounds if figures is not None]
    return statistics.median(values) if values else None


def median_ratio(line: Line, own_rounds: Rounds, other_rounds: Rounds) -> float | None:
    """The median of the rounds' own ratios.

    The sides of a round ran next to each other, while the speed of a disk drifts.
    """
    ratios = []
    for own, other in zip(own_rounds, other_rounds, strict=False):
        if own is not None and other is not None:
            ratio = of_round(own, line.figure) / of_round(other, line.figure)
            ratios.append(1 / ratio if line.less_is_better else ratio)
    return statistics.median(ratios) if ratios else None


def evaluate(outcome: Outcome, line: Line) -> dict[str, Any]:
    """What one line of the table says."""
    own_rounds = outcome.rounds[line.contestant]
    other_rounds = outcome.rounds[line.other] if line.other is not None else []
    result: dict[str, Any] = {
        "scenario": outcome.scenario.name,
        "backend": outcome.scenario.backend,
        "name": line.name.format(count=f"{outcome.count:,}"),
        "figure": line.figure,
        "unit": line.unit,
        "other_name": line.other,
        "python": median(own_rounds, line.figure),
        "other": median(other_rounds, line.figure),
        "ratio": median_ratio(line, own_rounds, other_rounds),
        "least_ratio": line.least_ratio,
        "most": line.most,
        "rounds": len(own_rounds),
    }
    for key, rounds in (("python", own_rounds), ("other", other_rounds)):
        well = [figures for figures in rounds if figures is not None]
        if well and "cpu_us" in well[0]:
            result[f"{key}_cpu_us"] = median(well, "cpu_us")
        if well and isinstance(well[0][line.figure], list):
            samples = [value for figures in well for value in figures[line.figure]]
            result[f"{key}_p99"] = percentile(samples, 0.99)
            result[f"{key}_samples"] = len(samples)
    result["reached"] = _is_reached(line, result)
    return result


def _is_reached(line: Line, result: dict[str, Any]) -> bool | None:
    if line.least_ratio is not None:
        return result["ratio"] is not None and result["ratio"] >= line.least_ratio
    if line.most is not None:
        return result["python"] is not None and result["python"] < line.most
    return None


def with_unit(value: float | None, unit: str, p99: float | None = None) -> str:
    """ "1,150,000 /s", "0.412 ms"."""
    if value is None:
        return "none"
    number = f"{value:,.0f}" if unit == "/s" else f"{value:.2f}"
    text = f"{number} {unit}"
    return text if p99 is None else f"{text} (p99 {p99:.2f})"


def _target(result: dict[str, Any]) -> str:
    if result["least_ratio"] is not None:
        return f"≥ {result['least_ratio']:g}"
    return "" if result["most"] is None else f"< {result['most']:g} {result['unit']}"


def _cpu(result: dict[str, Any]) -> str:
    parts = [f"{result[key]:.1f}" for key in ("other_cpu_us", "python_cpu_us") if key in result]
    return " → ".join(parts) + " µs" if parts else ""


def _row(result: dict[str, Any]) -> tuple[str, ...]:
    unit = result["unit"]
    backend = f"{result['backend']}: " if result["backend"] else ""
    has_other = result["other_name"] is not None
    return (
        backend + result["name"],
        result["other_name"] or "",
        with_unit(result["other"], unit, result.get("other_p99")) if has_other else "",
        with_unit(result["python"], unit, result.get("python_p99")),
        f"{result['ratio']:.2f}" if result["ratio"] is not None else "",
        _target(result),
        {None: "", True: "reached", False: "MISSED"}[result["reached"]],
        _cpu(result),
    )


def table(results: list[dict[str, Any]], failures: list[dict[str, str]]) -> str:
    """In Markdown, so that it can be pasted into a page."""
    rows = [HEADER, *(_row(result) for result in results)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADER))]

    def written(cells: tuple[str, ...]) -> str:
        padded = [
            cell.rjust(width) if i in NUMBERS else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return "| " + " | ".join(padded) + " |"

    rule = ["-" * (width - 1) + (":" if i in NUMBERS else "-") for i, width in enumerate(widths)]
    lines = [written(rows[0]), "| " + " | ".join(rule) + " |", *map(written, rows[1:])]
    lines += [
        f"FAILED {failure['scenario']}, {failure['contestant']}: {failure['error']}"
        for failure in failures
    ]
    return "\n".join(lines)
