"""Workflows by DBOS for Python.

Its functions are plain ones, which it runs on a pool of threads; its queue looks for new workflows
at the shortest interval that still lets it sleep. All else is as it comes.
"""

from __future__ import annotations

import importlib.metadata
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from dbos import DBOS, DBOSConfig, SetWorkflowID

from sides import AT_ONCE, STEPS, Figures, die, expect, output_of, play, rate

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

QUEUE = "bench"
POLLING_INTERVAL = 0.01
LONG_RUN = "the long one"

bodies = 0


@DBOS.step()
def step(number: int) -> int:
    """Gives the number."""
    global bodies
    bodies += 1
    return number


@DBOS.workflow()
def short(first: int) -> int:
    """Has three steps."""
    return sum(step(first + number) for number in range(STEPS))


@DBOS.workflow()
def long(count: int) -> float:
    """Has many, and dies behind them where they were not replayed. Gives how long they took."""
    start = time.perf_counter()
    done = sum(step(1) for _ in range(count))
    if bodies:
        die(count, start)
    expect(done, count, "steps")
    return time.perf_counter() - start


def url_of(dsn: str) -> str:
    """A DSN as SQLAlchemy takes it: without an escaped folder of sockets for a host."""
    if dsn.startswith("sqlite://"):
        return "sqlite:///" + dsn.removeprefix("sqlite://").split("?")[0]
    parts = urlsplit(dsn)
    user, _, address = parts.netloc.rpartition("@")
    host, _, port = address.rpartition(":")
    query = dict(parse_qsl(parts.query)) | {"host": unquote(host), "port": port}
    text = "&".join(f"{key}={quote(value, safe='')}" for key, value in query.items())
    return f"postgresql://{user}@{parts.path}?{text}"


def launch(arguments: argparse.Namespace) -> None:
    """Opens the database, and starts what DBOS has in the background."""
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": url_of(arguments.dsn),
        "application_version": "1",
        "executor_id": "bench",
        "log_level": "ERROR",
    }
    if arguments.schema is not None:
        config["dbos_system_schema"] = arguments.schema
    DBOS(config=config)
    DBOS.launch()


def describe(arguments: argparse.Namespace) -> Figures:
    """What this side is."""
    return {"package": importlib.metadata.version("dbos")}


def runs(arguments: argparse.Namespace) -> Figures:
    """One after another."""
    launch(arguments)
    start = time.perf_counter()
    for number in range(arguments.count):
        expect(short(number), output_of(number), "output of a run")
    return rate(arguments.count, start)


def runs_at_once(arguments: argparse.Namespace) -> Figures:
    """So many at a time."""
    launch(arguments)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        start = time.perf_counter()
        outputs: Iterator[int] = threads.map(short, range(arguments.count))
        for number, output in enumerate(outputs):
            expect(output, output_of(number), "output of a run")
        return rate(arguments.count, start)


def runs_by_worker(arguments: argparse.Namespace) -> Figures:
    """A queue executes what is triggered."""
    launch(arguments)
    DBOS.register_queue(QUEUE, worker_concurrency=AT_ONCE, polling_interval_sec=POLLING_INTERVAL)
    start = time.perf_counter()
    handles = [DBOS.enqueue_workflow(QUEUE, short, number) for number in range(arguments.count)]
    for number, handle in enumerate(handles):
        expect(handle.get_result(), output_of(number), "output of a run")
    return rate(arguments.count, start)


def steps(arguments: argparse.Namespace) -> Figures:
    """Many of one run."""
    launch(arguments)
    with SetWorkflowID(LONG_RUN):
        long(arguments.count)
    raise AssertionError("it has not died")


def resume(arguments: argparse.Namespace) -> Figures:
    """What it goes on with at its launch, from the first step to the last one."""
    launch(arguments)
    seconds = DBOS.retrieve_workflow(LONG_RUN).get_result()
    expect(bodies, 0, "steps that ran again")
    return {"replay_ms": seconds * 1e3}


if __name__ == "__main__":
    play(
        {
            "describe": describe,
            "runs": runs,
            "runs-at-once": runs_at_once,
            "runs-by-worker": runs_by_worker,
            "steps": steps,
            "resume": resume,
        }
    )
    os._exit(0)  # Its threads do not end by themselves.
