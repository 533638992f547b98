"""What the sides have in common, most of it those that compare workflows.

Each side is a process of its own.

A side plays one role on a database, checks what came of it, and prints its figures as a line of
JSON. A workflow of the first three roles has three steps, that of the last two as many as `--count`
says.

* `runs`: one run after another, each waited for.
* `runs-at-once`: the same, `AT_ONCE` runs at a time.
* `runs-by-worker`: all runs are triggered, and a worker executes up to `AT_ONCE` of them at a time.
* `steps`: a run of many steps; behind the last one its process dies.
* `resume`: another process goes on with it, and does not repeat a step.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

AT_ONCE = 50
STEPS = 3

Figures = dict[str, Any]


class WrongOutcome(Exception):
    """Something is missing, happened twice, or is not what it must be."""


def expect(found: object, expected: object, what: str) -> None:
    """Raises where something is not as it must be."""
    if found != expected:
        raise WrongOutcome(f"{what}: {found}, not {expected}")


def output_of(first: int) -> int:
    """What a run of three steps gives."""
    return sum(first + number for number in range(STEPS))


def rate(count: int, start: float) -> Figures:
    """How many a second, since then."""
    return {"rate": count / (time.perf_counter() - start)}


def die(count: int, start: float) -> NoReturn:
    """Tells how long the steps took, and ends the process as SIGKILL would."""
    seconds = time.perf_counter() - start
    print(json.dumps({"step_ms": seconds * 1e3 / count, "rate": count / seconds}), flush=True)
    os._exit(0)


def parse() -> argparse.Namespace:
    """What to do, and where."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("role")
    parser.add_argument("--dsn", default="")
    parser.add_argument("--schema", help="of Postgres")
    parser.add_argument("--count", type=int, default=0, help="of runs, or of steps")
    return parser.parse_args()


def play(roles: dict[str, Callable[[argparse.Namespace], Figures]]) -> None:
    """Plays the role that the command line names."""
    arguments = parse()
    print(json.dumps(roles[arguments.role](arguments)), flush=True)


def play_async(
    roles: dict[str, Callable[[argparse.Namespace], Coroutine[Any, Any, Figures]]],
) -> None:
    """The same where the roles are coroutines."""

    def blocking(
        role: Callable[[argparse.Namespace], Coroutine[Any, Any, Figures]],
    ) -> Callable[[argparse.Namespace], Figures]:
        return lambda arguments: asyncio.run(role(arguments))

    play({name: blocking(role) for name, role in roles.items()})
