"""Compares pgqrs with other queues on the databases that they share.

In each round everybody plays each scenario once, in turn, in a process and on a database of its
own; medians of the rounds count. Who cannot take part is named with the reason.
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import report
from peers import BACKENDS, PEERS, Peer
from processes import SideFailed, say
from runner import Sides, run_scenario
from scenarios import SCENARIOS, Scenario


def parse() -> argparse.Namespace:
    """What the user asked for, and what the script adds."""
    parser = argparse.ArgumentParser(prog="scripts/bench-peers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="the medians count (default 3)")
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of messages")
    parser.add_argument(
        "--backend", choices=(*BACKENDS, "all"), default="all", help="one of them, or all"
    )
    for name, what in (("scenario", "scenarios"), ("peer", "queues, beside pgqrs,")):
        parser.add_argument(
            f"--{name}",
            action="append",
            default=[],
            help=f"only {what} with this in their names; may be repeated (--list names them)",
        )
    parser.add_argument("--list", action="store_true", help="name scenarios and queues")
    parser.add_argument("--json", type=Path, help="write the results to this file too")
    parser.add_argument("--dir", type=Path, help="a folder on the disk to measure")
    parser.add_argument(
        "--side", action="append", default=[], metavar="NAME=PROGRAM", help=argparse.SUPPRESS
    )
    parser.add_argument("--cpp", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.rounds < 1 or arguments.scale <= 0:
        parser.error("--rounds and --scale have to be positive")
    return arguments


def is_wanted(name: str, filters: list[str]) -> bool:
    """Whether the user asked for it."""
    return not filters or any(part in name for part in filters)


def wanted_peers(arguments: argparse.Namespace) -> list[Peer]:
    """Who is to take part."""
    return [
        peer
        for peer in PEERS
        if arguments.backend in (peer.backend, "all")
        and (peer.is_ours or is_wanted(peer.name, arguments.peer))
    ]


def describe(sides: Sides, peers: list[Peer]) -> list[dict[str, Any]]:
    """Who takes part with which version and settings, and who cannot."""
    described: list[dict[str, Any]] = []
    for peer in peers:
        entry: dict[str, Any] = {"name": peer.name, "backend": peer.backend, "title": peer.title}
        if peer.side not in sides.programs:
            entry["skipped"] = "its side could not be installed"
        else:
            try:
                entry["described"] = sides.describe(peer)
            except SideFailed as error:
                entry["skipped"] = str(error)
        if "skipped" in entry:
            say(f"{peer.title} ({peer.backend}) is skipped: {entry['skipped']}")
        described.append(entry)
    return described


def machine(cpp: Path, folder: Path) -> dict[str, Any]:
    """The machine and the versions of the databases, as the library's benchmark sees them."""
    command = [str(cpp), "--child", "describe", "--backend", "all", "--dir", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def main() -> int:
    """Runs what is asked for."""
    arguments = parse()
    scenarios: list[Scenario] = [
        each for each in SCENARIOS if is_wanted(each.name, arguments.scenario)
    ]
    peers = wanted_peers(arguments)
    if arguments.list:
        print("\n".join(f"scenario {each.name}: {each.title}" for each in scenarios))
        print("\n".join(f"queue {peer.name}: {peer.title} ({peer.backend})" for peer in peers))
        return 0
    folder = (arguments.dir or arguments.cpp.parent).resolve()
    programs = dict(side.split("=", 1) for side in arguments.side)
    sides = Sides({name: Path(program) for name, program in programs.items()}, folder)
    run = machine(arguments.cpp, folder)
    document: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "backends": [each for each in BACKENDS if arguments.backend in (each, "all")],
        "settings": {"rounds": arguments.rounds, "scale": arguments.scale},
        "machine": run["machine"],
        "versions": run["versions"],
        "peers": describe(sides, peers),
        "scenarios": [],
    }
    skipped = {(each["name"], each["backend"]) for each in document["peers"] if "skipped" in each}
    there = [peer for peer in peers if (peer.name, peer.backend) not in skipped]
    for scenario in scenarios:
        for backend in document["backends"]:
            own = [peer for peer in there if peer.backend == backend]
            if backend not in scenario.backends or not own:
                continue
            say(f"--- {scenario.name}, {backend}")
            results = run_scenario(sides, scenario, own, arguments.rounds, arguments.scale)
            document["scenarios"].append(report.of_scenario(scenario, backend, results))
            if arguments.json is not None:  # What is done is there, whatever comes.
                write(arguments.json, document)
    print(report.tables(document), flush=True)
    return 0


def write(path: Path, document: dict[str, Any]) -> None:
    """The results for programs."""
    text = json.dumps(document, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
