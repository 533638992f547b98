"""Runs the sides in turn, each in a process and on a database of its own."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from places import DSN_VARIABLE, Place, new_place
from processes import SideFailed, percentile, run, say
from scenarios import LEAST_COUNT, SECONDS, Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from peers import Peer

Figures = dict[str, Any]

# A process that takes longer is given up.
PATIENCE = 900


class Unsupported(Exception):
    """A queue has nothing of the kind."""


@dataclass
class Result:
    """What a peer did in a scenario."""

    peer: Peer
    count: int = 0
    rounds: list[Figures] = field(default_factory=list)
    problem: str = ""  # Why there are no more rounds.
    is_unsupported: bool = False

    def values(self, figure: str) -> list[float]:
        """A figure of each round: its 99th percentile where there are several of it."""
        return [value_of(figures[figure]) for figures in self.rounds]

    def median(self, figure: str) -> float | None:
        """The median of the rounds; None where there is none."""
        values = self.values(figure)
        return statistics.median(values) if values else None


def value_of(value: float | list[float]) -> float:
    """A figure as one number."""
    return percentile(value, 0.99) if isinstance(value, list) else value


@dataclass(frozen=True)
class Sides:
    """The programs that drive the peers."""

    programs: dict[str, Path]
    folder: Path  # For the databases.

    def describe(self, peer: Peer) -> Figures:
        """The versions that run, and their settings."""
        return self._answer(peer, "describe", _arguments(Place(peer.backend, "")))

    def play(self, peer: Peer, scenario: Scenario, count: int) -> Figures:
        """Plays a scenario's role on a new database."""
        payload = _option(scenario.arguments, "--payload")
        with new_place(peer.backend, self.folder) as place:
            where = _arguments(place)
            numbers = ["--count", str(count)] if count else []
            if scenario.fill is not None:
                self._answer(peer, scenario.fill, [*where, *numbers, *payload])
                place.settle()
            with _open_transaction() if scenario.holds_transaction else nullcontext():
                return self._answer(peer, scenario.role, [*where, *numbers, *scenario.arguments])

    def _answer(self, peer: Peer, role: str, arguments: list[str]) -> Figures:
        command = [str(self.programs[peer.side]), peer.name, role, *arguments]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = run(command, environment, PATIENCE, role)
        lines = done.stdout.strip().splitlines()
        if done.returncode != 0 or not lines:
            last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
            raise SideFailed(f"{role}: exit code {done.returncode}: {last[0][:300]}")
        figures: Figures = json.loads(lines[-1])
        if "unsupported" in figures:
            raise Unsupported(figures["unsupported"])
        return figures


def _option(arguments: tuple[str, ...], name: str) -> list[str]:
    """An option of a role that those who prepare for it need too."""
    if name not in arguments:
        return []
    at = arguments.index(name)
    return list(arguments[at : at + 2])


def _arguments(place: Place) -> list[str]:
    if place.backend == "postgres":
        return ["--dsn", os.environ[DSN_VARIABLE], "--schema", place.database]
    return ["--path", place.database]


@contextmanager
def _open_transaction() -> Iterator[None]:
    """Somebody's transaction that stays open, with a snapshot and an id of its own."""
    command = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", os.environ[DSN_VARIABLE]]
    session = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert session.stdin is not None
    assert session.stdout is not None
    try:
        session.stdin.write("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT txid_current();\n")
        session.stdin.flush()
        if not session.stdout.readline().strip().isdigit():
            raise SideFailed("no transaction could be opened")
        yield
    finally:
        session.stdin.close()
        session.wait(timeout=60)


def _calibrated(sides: Sides, peer: Peer, scenario: Scenario, most: int) -> int:
    """How many messages it has: as many as it handles in a few seconds, by a first small run.

    That run warms up what there is to be warm, and counts for nothing else.
    """
    count = min(most, LEAST_COUNT)
    while count < most:
        rate: float = sides.play(peer, scenario, count)["rate"]
        enough = min(most, max(LEAST_COUNT, round(rate * SECONDS / 1000) * 1000))
        if enough <= 10 * count:
            return enough
        count *= 10
    return most


def run_scenario(
    sides: Sides, scenario: Scenario, peers: list[Peer], rounds: int, scale: float
) -> list[Result]:
    """Lets every peer play once a round. Who begins changes from round to round."""
    results = [Result(peer) for peer in peers]
    most = max(LEAST_COUNT, round(scenario.count * scale))
    for result in results:
        if scenario.is_fixed:
            result.count = scenario.count
        else:
            with _noting(scenario, result):
                result.count = _calibrated(sides, result.peer, scenario, most)
    for number in range(rounds):
        first = number % len(results)
        for result in results[first:] + results[:first]:
            if result.problem:
                continue
            with _noting(scenario, result):
                figures = sides.play(result.peer, scenario, result.count)
                result.rounds.append(figures)
                value = value_of(figures[scenario.figure])
                say(f"{scenario.name}, {result.peer.title}: {value:,.2f} {scenario.unit}")
    return results


@contextmanager
def _noting(scenario: Scenario, result: Result) -> Iterator[None]:
    """Notes what keeps a peer from going on."""
    try:
        yield
    except Unsupported as why:
        result.problem, result.is_unsupported = str(why), True
    except (SideFailed, subprocess.SubprocessError, KeyError, ValueError) as error:
        result.problem = str(error)
        say(f"{scenario.name}, {result.peer.title}: FAILED: {error}")
