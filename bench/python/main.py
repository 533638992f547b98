"""Compares the Python package with the C++ library below it, and with others.

In each round every contestant runs once, in a process and on a database of its own; the table shows
medians. The exit code is 0 where every scenario ran and did what it must, whatever the figures.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import report
from processes import SideFailed, say
from rounds import Figures, Outcome, Programs, run_scenario
from scenarios import SCENARIOS, Scenario

# A scenario begins no other round once its share of the seconds that are left is over.
ROUNDS, QUICK_ROUNDS = 5, 2
SCALE, QUICK_SCALE = 1.0, 0.15
SECONDS, QUICK_SECONDS = 540, 105


def parse() -> argparse.Namespace:
    """What the user asked for, and what the script adds."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench-python",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="rough figures in two minutes")
    parser.add_argument("--rounds", type=int, help=f"the medians count (default {ROUNDS})")
    parser.add_argument("--scale", type=float, help="of the numbers of messages (default 1)")
    parser.add_argument(
        "--scenario",
        action="append",
        default=[],
        help="only scenarios with this in their names; may be repeated (--list names them)",
    )
    parser.add_argument("--list", action="store_true", help="name the scenarios")
    parser.add_argument("--json", type=Path, help="write the results to this file too")
    parser.add_argument(
        "--dir", type=Path, help="a folder on the disk to measure; by default that of the build"
    )
    for program in ("cpp", "python", "package", "existing", "peers"):
        parser.add_argument(f"--{program}", type=Path, required=True, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.rounds is None:
        arguments.rounds = QUICK_ROUNDS if arguments.quick else ROUNDS
    if arguments.scale is None:
        arguments.scale = QUICK_SCALE if arguments.quick else SCALE
    if arguments.rounds < 1 or arguments.scale <= 0:
        parser.error("--rounds and --scale have to be positive")
    return arguments


def wanted(filters: list[str]) -> list[Scenario]:
    """The scenarios that the user asked for."""
    return [
        scenario
        for scenario in SCENARIOS
        if not filters or any(part in scenario.name for part in filters)
    ]


def print_header(run: Figures) -> None:
    """The machine and the versions."""
    versions, machine, settings = run["versions"], run["machine"], run["settings"]
    print(
        f"pgqrs {versions['pgqrs']}, the existing package {versions['existing']}, "
        f"DBOS {versions['dbos']}, absurd {versions['absurd']}, "
        f"Python {versions['python']}, SQLite {versions['sqlite']}, "
        f"Postgres {versions['postgres']}, {versions['build_type']} build"
    )
    print(
        f"{machine['processor']}, {machine['cores']} cores, {machine['file_system']}; a sync takes "
        f"{machine['sync_ms']:.2f} ms; median of {settings['rounds']} rounds, "
        f"scale {settings['scale']:g}\n",
        flush=True,
    )


def run_all(
    programs: Programs, scenarios: list[Scenario], arguments: argparse.Namespace
) -> list[Outcome]:
    """Runs scenarios, each for its share of the time that is left."""
    end = time.monotonic() + (QUICK_SECONDS if arguments.quick else SECONDS)
    outcomes = []
    for number, scenario in enumerate(scenarios):
        say(f"--- {scenario.name}")
        now = time.monotonic()
        share = max(0.0, end - now) / (len(scenarios) - number)
        outcomes.append(
            run_scenario(programs, scenario, arguments.rounds, arguments.scale, now + share)
        )
    return outcomes


def failures_of(outcomes: list[Outcome]) -> list[dict[str, str]]:
    """Who could not do its part, and why."""
    return [failure for outcome in outcomes for failure in outcome.failures]


def notes_on(outcomes: list[Outcome]) -> list[str]:
    """Whose process ended badly after it had done its part."""
    notes = []
    for outcome in outcomes:
        for name, rounds in outcome.rounds.items():
            ends = [figures["end"] for figures in rounds if figures and "end" in figures]
            if ends:
                notes.append(
                    f"NOTE {outcome.scenario.name}, {name}: in {len(ends)} of {len(rounds)} rounds "
                    f"it {', '.join(sorted(set(ends)))} at its exit, after it had done its part"
                )
    return notes


def document(run: Figures, outcomes: list[Outcome], results: list[Any]) -> dict[str, Any]:
    """All that was found, every round of it."""
    rounds = [
        {"scenario": outcome.scenario.name, "count": outcome.count, "contestants": outcome.rounds}
        for outcome in outcomes
    ]
    return run | {"results": results, "rounds": rounds, "failures": failures_of(outcomes)}


def main() -> int:
    """Runs what is asked for."""
    arguments = parse()
    scenarios = wanted(arguments.scenario)
    if arguments.list:
        print("\n".join(scenario.name for scenario in scenarios))
        return 0
    programs = Programs(
        cpp=arguments.cpp,
        python=arguments.python,
        package=arguments.package,
        existing=arguments.existing,
        peers=arguments.peers,
        folder=(arguments.dir or arguments.cpp.parent).resolve(),
    )
    try:
        run = programs.describe()
    except SideFailed as error:
        print(f"bench-python: {error}", file=sys.stderr)
        return 1
    run["settings"] |= {"rounds": arguments.rounds, "scale": arguments.scale, "backend": "all"}
    print_header(run)
    outcomes = run_all(programs, scenarios, arguments)
    results = [
        report.evaluate(outcome, line) for outcome in outcomes for line in outcome.scenario.lines
    ]
    failures = failures_of(outcomes)
    print("\n".join([report.table(results, failures), *notes_on(outcomes)]))
    print(
        "\nratio: the median of the ratios of the rounds; for times, how much sooner.", flush=True
    )
    if arguments.json is not None:
        text = json.dumps(document(run, outcomes, results), indent=2, ensure_ascii=False)
        arguments.json.write_text(text + "\n", encoding="utf-8")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
