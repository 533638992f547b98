"""The results: a document for programs, and tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runner import Result
    from scenarios import Scenario

Document = dict[str, Any]


def of_scenario(scenario: Scenario, backend: str, results: list[Result]) -> Document:
    """What came of a scenario on a backend, every round of it."""
    document: Document = {
        "name": scenario.name,
        "title": scenario.title,
        "backend": backend,
        "figure": scenario.figure,
        "unit": scenario.unit,
        "less_is_better": scenario.less_is_better,
        "least_ratio": scenario.least_ratio.get(backend),
        "peers": [
            {
                "name": result.peer.name,
                "title": result.peer.title,
                "is_ours": result.peer.is_ours,
                "count": result.count,
                "median": result.median(scenario.figure),
                "rounds": result.rounds,
                "problem": result.problem,
                "is_unsupported": result.is_unsupported,
            }
            for result in results
        ],
    }
    document |= _compared(document)
    return document


def _compared(scenario: Document) -> Document:
    """Ours beside the best of the others."""
    ours = [peer for peer in scenario["peers"] if peer["is_ours"] and peer["median"]]
    others = [peer for peer in scenario["peers"] if not peer["is_ours"] and peer["median"]]
    if not ours or not others:
        return {"best": None, "ratio": None}
    pick = min if scenario["less_is_better"] else max
    best = pick(others, key=lambda peer: peer["median"])
    ratio = ours[0]["median"] / best["median"]
    return {
        "best": best["title"],
        "ratio": 1 / ratio if scenario["less_is_better"] else ratio,
    }


def number(value: float | None, unit: str) -> str:
    """ "1,150,000 /s", "0.412 ms"."""
    if value is None:
        return ""
    return f"{value:,.0f} {unit}" if unit == "/s" else f"{value:,.2f} {unit}"


def tables(document: Document) -> str:
    """Markdown: for each backend who takes part, and what they reach."""
    parts = []
    for backend in document["backends"]:
        scenarios = [each for each in document["scenarios"] if each["backend"] == backend]
        if scenarios:
            parts += [f"### {backend}", _peers(document, backend), *map(_table, scenarios)]
    return "\n\n".join(parts) + "\n"


def _peers(document: Document, backend: str) -> str:
    rows: list[tuple[str, ...]] = [("queue", "version", "delivery", "settings")]
    for peer in document["peers"]:
        if peer["backend"] != backend:
            continue
        if "skipped" in peer:
            rows.append((peer["title"], f"skipped: {peer['skipped']}", "", ""))
            continue
        told = peer["described"]
        settings = "; ".join(f"`{name}` {value}" for name, value in told["settings"].items())
        rows.append((peer["title"], told["package"], told["delivery"], settings))
    return _markdown(rows)


def _table(scenario: Document) -> str:
    measured = [peer for peer in scenario["peers"] if peer["median"] is not None]
    measured.sort(key=lambda peer: peer["median"], reverse=not scenario["less_is_better"])
    others = [peer for peer in scenario["peers"] if peer["median"] is None]
    figure = "99th percentile" if scenario["unit"] == "ms" else "median"
    rows: list[tuple[str, ...]] = [("queue", figure, "messages", "CPU a message", "")]
    for peer in measured + others:
        rows.append(
            (
                peer["title"],
                number(peer["median"], scenario["unit"]),
                f"{peer['count']:,}" if peer["count"] else "",
                _cpu(peer),
                peer["problem"],
            )
        )
    heading = f"**{scenario['title']}**"
    if scenario["ratio"] is not None:
        heading += f": pgqrs {scenario['ratio']:.2f} × the best of the others, {scenario['best']}"
    if scenario["least_ratio"] is not None:
        heading += f" (to reach: {scenario['least_ratio']:g})"
    return heading + "\n\n" + _markdown(rows)


def _cpu(peer: Document) -> str:
    used = [each["cpu_s"] for each in peer["rounds"] if "cpu_s" in each]
    if not used or not peer["count"]:
        return ""
    return f"{sorted(used)[len(used) // 2] / peer['count'] * 1e6:.1f} µs"


def _markdown(rows: list[tuple[str, ...]]) -> str:
    written = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([written[0], "| " + " | ".join(["---"] * len(rows[0])) + " |", *written[1:]])
