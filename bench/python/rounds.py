"""Runs the contestants of a scenario in turn, each in a process and on a database of its own."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from places import Place, new_place
from processes import SideFailed, run, say
from scenarios import ABSURD, CPP, DBOS, EXISTING, OURS, Contestant, Scenario

if TYPE_CHECKING:
    from pathlib import Path

Figures = dict[str, Any]

IMPORTS = 11
# A process that takes longer is given up. It is far more than any of them needs.
PATIENCE = 180


# Nothing where the contestant failed.
Rounds = list[Figures | None]


def _end_of(done: subprocess.CompletedProcess[str]) -> str:
    """How a process ended; nothing where it ended well."""
    if done.returncode < 0:
        return f"died of {signal.Signals(-done.returncode).name}"
    return "failed" if done.returncode > 0 else ""


@dataclass(frozen=True)
class Programs:
    """The programs of the sides."""

    cpp: Path
    python: Path
    package: Path  # The folder of our package, for our Python.
    existing: Path  # The Python that has the existing package.
    peers: Path  # The Python that has DBOS and absurd.
    folder: Path  # For the databases.

    def describe(self) -> Figures:
        """The machine and the versions, as each side knows them."""
        answer = self._answer(
            [str(self.cpp), "--child", "describe", "--backend", "all", "--dir", str(self.folder)]
        )
        answer["versions"]["python"] = self._python(OURS, "side.py", "describe", [])["python"]
        existing = self._python(EXISTING, "side.py", "describe", [])
        answer["versions"]["existing"] = existing["package"]
        for peer in (DBOS, ABSURD):
            described = self._python(peer, f"{peer}_side.py", "describe", [])
            answer["versions"][peer] = described["package"]
        return answer

    def run(self, contestant: Contestant, backend: str, count: int) -> Figures:
        """Lets a contestant do its part on a new database."""
        if contestant.role == "import":
            return self._import(contestant.program)
        count = contestant.share_of(count)
        with new_place(backend, self.folder) as place:
            prepared_by = contestant.prepared_by
            if prepared_by is not None:
                self._play(prepared_by, contestant.side, contestant.prepares, place, count)
                place.settle()
            program, role = contestant.program, contestant.role
            return self._play(program, contestant.side, role, place, count, contestant.reads)

    def _play(
        self, program: str, side: str, role: str, place: Place, count: int, reads: bool = False
    ) -> Figures:
        numbers = ["--count", str(count)]
        if program == CPP:
            return self._answer([str(self.cpp), "--child", role, *place.cpp_arguments(), *numbers])
        more = ["--read"] if reads else []
        return self._python(program, side, role, [*place.python_arguments(), *numbers, *more])

    def _python(self, program: str, side: str, role: str, arguments: list[str]) -> Figures:
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), side)
        return self._answer([self._interpreter(program), path, role, *arguments], program)

    def _interpreter(self, program: str) -> str:
        return str(
            {OURS: self.python, EXISTING: self.existing, DBOS: self.peers, ABSURD: self.peers}[
                program
            ]
        )

    def _environment(self, program: str) -> dict[str, str]:
        environment = dict(os.environ)
        environment.pop("PYTHONPATH", None)
        if program == OURS:
            environment["PYTHONPATH"] = str(self.package)
        return environment

    def _answer(self, command: list[str], program: str = CPP) -> Figures:
        done = run(command, self._environment(program), PATIENCE, program)
        how = _end_of(done)
        # The existing package sometimes brings the interpreter down at its exit. What it has found
        # before that counts; what happened is said.
        if how and not (program == EXISTING and done.returncode < 0 and done.stdout):
            last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
            raise SideFailed(f"{program} {how}: {last[0]}")
        figures: Figures = json.loads(done.stdout)
        return figures | {"end": how} if how else figures

    def _import(self, program: str) -> Figures:
        """Milliseconds that an import adds to the start and the end of the interpreter."""
        statements = {"bare": "pass", "asyncio": "import asyncio", "pgqrs": "import pgqrs"}
        took: dict[str, list[float]] = {name: [] for name in statements}
        for _ in range(IMPORTS + 1):
            for name, statement in statements.items():
                start = time.perf_counter()
                subprocess.run(
                    [self._interpreter(program), "-c", statement],
                    check=True,
                    env=self._environment(program),
                    timeout=PATIENCE,
                )
                took[name].append((time.perf_counter() - start) * 1e3)
        # The first of each fills the caches.
        medians = {name: statistics.median(times[1:]) for name, times in took.items()}
        return {
            "import_ms": medians["pgqrs"] - medians["bare"],
            "asyncio_ms": medians["asyncio"] - medians["bare"],
            "bare_ms": medians["bare"],
        }


@dataclass
class Outcome:
    """What a scenario gave: the figures of each contestant, round by round."""

    scenario: Scenario
    count: int
    rounds: dict[str, Rounds] = field(default_factory=dict)
    failures: list[dict[str, str]] = field(default_factory=list)


def run_scenario(
    programs: Programs, scenario: Scenario, rounds: int, scale: float, deadline: float
) -> Outcome:
    """Runs every contestant once a round, and begins no other round after the deadline.

    Who begins changes from round to round.
    """
    outcome = Outcome(scenario, scenario.scaled(scale))
    outcome.rounds = {contestant.name: [] for contestant in scenario.contestants}
    for number in range(scenario.rounds or rounds):
        if number > 0 and time.monotonic() > deadline:
            say(f"{scenario.name}: no time for more than {number} of {rounds} rounds")
            break
        first = number % len(scenario.contestants)
        for contestant in scenario.contestants[first:] + scenario.contestants[:first]:
            outcome.rounds[contestant.name].append(_run_once(programs, contestant, outcome))
    return outcome


def _run_once(programs: Programs, contestant: Contestant, outcome: Outcome) -> Figures | None:
    scenario = outcome.scenario
    try:
        figures = programs.run(contestant, scenario.backend, outcome.count)
    except (SideFailed, subprocess.SubprocessError) as error:
        failure = {"scenario": scenario.name, "contestant": contestant.name, "error": str(error)}
        outcome.failures.append(failure)
        say(f"{scenario.name}, {contestant.name}: FAILED: {error}")
        return None
    told = {key: round(value, 2) for key, value in figures.items() if isinstance(value, float)}
    say(f"{scenario.name}, {contestant.name}: {told or 'done'}")
    return figures
