"""Plays one role with one peer on one database, and prints its figures as a line of JSON."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import logging
import os
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING

from peer import Arguments, Peer
from scenarios import ROLES, Figures
from tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable

# Each peer's module has a class `Side`, and imports nothing that another peer needs.
PEERS = {
    "pgqueuer": "pgqueuer_peer",
    "procrastinate": "procrastinate_peer",
    "pgqrs-py": "pgqrs_peer",
    "awa": "awa_peer",
    "litequeue": "litequeue_peer",
    "persist-queue": "persist_queue_peer",
    "huey": "huey_peer",
    "honker": "honker_peer",
}
# Seconds without a message that was enqueued, or handled for the first time.
PATIENCE = 120


def parse(words: list[str]) -> tuple[str, Arguments]:
    """The peer's name, and the rest of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("role", choices=ROLES)
    for name in ("dsn", "schema", "path"):
        parser.add_argument(f"--{name}", default="")
    for name in ("count", "callers", "workers", "payload", "seconds", "outstanding"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Arguments, name))
    values = vars(parser.parse_args(words))
    return values.pop("peer"), Arguments(**values)


def watch(progress: Callable[[], int]) -> None:
    """Ends the process where nothing happens any more, whatever it waits for."""

    def body() -> None:
        last, since = -1, time.monotonic()
        while time.monotonic() - since < PATIENCE:
            time.sleep(1)
            if progress() != last:
                last, since = progress(), time.monotonic()
        print(f"no progress for {PATIENCE} s", file=sys.stderr, flush=True)
        os._exit(1)

    threading.Thread(target=body, daemon=True).start()


async def play(peer: Peer, tally: Tally) -> Figures:
    """Plays the role."""
    if peer.arguments.role != "describe":
        await peer.open()
    return await ROLES[peer.arguments.role](peer, tally)


def main() -> int:
    """Gives the code to exit with."""
    name, arguments = parse(sys.argv[1:])
    # Handlers that fail on purpose would fill stderr.
    logging.disable(logging.CRITICAL)
    try:
        peer: Peer = importlib.import_module(PEERS[name]).Side(arguments)
        tally = Tally(fails=arguments.role == "retry")
        # What is only delivered again and again is no progress.
        watch(lambda: peer.enqueued + len(tally.different))
        with asyncio.Runner(loop_factory=peer.loop_factory) as runner:
            figures = runner.run(play(peer, tally))
            print(json.dumps(figures), flush=True)
            # Threads and connections of a peer need not end well, nor in time.
            os._exit(0)
    except Exception:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


if __name__ == "__main__":
    main()
