"""``python -m pgqrs worker MODULE:FUNCTION --dsn DSN --queue QUEUE``."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import logging
import os
import sys
from typing import TYPE_CHECKING, Any

from . import Config, PgqrsError, Worker, connect_with

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def _load(name: str) -> Callable[..., Any]:
    """The function that ``module:function`` names."""
    module, colon, function = name.partition(":")
    if not colon or not module or not function:
        raise argparse.ArgumentTypeError(f"{name!r} is not MODULE:FUNCTION")
    sys.path.insert(0, os.getcwd())
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if not callable(found):
        raise argparse.ArgumentTypeError(f"{name!r} is no function")
    made: Callable[..., Any] = found
    return made


def _count(text: str) -> int:
    """A number from 1."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1, and is {text!r}")
    return number


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pgqrs")
    commands = parser.add_subparsers(dest="command", required=True)
    worker = commands.add_parser("worker", help="run a function for every message of a queue")
    worker.add_argument("handler", type=_load, help="MODULE:FUNCTION, async or plain")
    worker.add_argument(
        "--dsn",
        default=os.environ.get("PGQRS_DSN"),
        help="the database, else that of the variable PGQRS_DSN: a password in it shows in ps here",
    )
    worker.add_argument("--queue", required=True, help="the queue, which exists")
    worker.add_argument("--schema", default="public", help="the schema of Postgres (public)")
    worker.add_argument("--concurrency", type=_count, default=1, help="handlers at a time (1)")
    worker.add_argument("--lease", type=float, default=30, help="seconds of a lease (30)")
    worker.add_argument("--max-attempts", type=_count, default=5, help="tries of a message (5)")
    worker.add_argument("--verbose", action="store_true", help="log what is going on")
    options = parser.parse_args(arguments)
    if not options.dsn:
        worker.error("one of --dsn and the variable PGQRS_DSN is needed")
    return options


async def _work(options: argparse.Namespace) -> None:
    config = Config(options.dsn, schema=options.schema)
    config.max_read_ct = options.max_attempts
    store = await connect_with(config)
    worker = Worker(
        store,
        options.queue,
        options.handler,
        concurrency=options.concurrency,
        lease=options.lease,
        max_attempts=options.max_attempts,
    )
    logging.info("working on queue %s", options.queue)
    await worker.run(handle_signals=True)
    logging.info("stopped; %d handled, %d failures", worker.handled, worker.failed)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command, and gives the exit code."""
    options = _parse(arguments)
    logging.basicConfig(
        level=logging.INFO if options.verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    try:
        asyncio.run(_work(options))
    except PgqrsError as error:
        print(f"pgqrs: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
