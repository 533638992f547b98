"""Compares the ratios of a run of the benchmarks with the least that each is to be."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

Thresholds = dict[str, dict[str, float]]


def judge(results: list[dict[str, Any]], thresholds: Thresholds) -> list[tuple[str, ...]]:
    """A row for each threshold: what it is of, what was found, what it is to be, the verdict."""
    found = {(each["backend"], each["scenario"]): each["ratio"] for each in results}
    rows: list[tuple[str, ...]] = []
    for backend, scenarios in thresholds.items():
        for scenario, least in scenarios.items():
            ratio = found.get((backend, scenario))
            is_well = ratio is not None and ratio >= least
            told = "not measured" if ratio is None else f"{ratio:.2f}"
            rows.append(
                (f"{backend}: {scenario}", told, f">= {least:g}", "ok" if is_well else "FELL")
            )
    return rows


def main() -> int:
    """Gives 1 where a ratio fell below its threshold, or is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="what pgqrs_bench --json has written")
    parser.add_argument("thresholds", type=Path)
    arguments = parser.parse_args()
    document = json.loads(arguments.results.read_text(encoding="utf-8"))
    thresholds: Thresholds = json.loads(arguments.thresholds.read_text(encoding="utf-8"))
    rows = judge(document["results"], thresholds)
    for row in rows:
        print("| " + " | ".join(row) + " |")
    fallen = sum(row[-1] != "ok" for row in rows)
    print(f"{len(rows) - fallen} of {len(rows)} ratios hold")
    return 1 if fallen else 0


if __name__ == "__main__":
    sys.exit(main())
