"""Handlers for the command that runs a worker, and what such a process does.

It prints:

    worked on tea
    worked on coffee
    the worker ended with 0

From a shell: python -m pgqrs worker command_line:work --dsn sqlite:queue.db --queue orders
"""

import os
import signal
import subprocess
import sys
import tempfile

import pgqrs.sync


def work(message: pgqrs.QueueMessage) -> None:
    """Runs in a thread of the worker; a coroutine function would run in its event loop."""
    print(f"worked on {message.payload}", flush=True)


def main(dsn: str) -> None:
    with pgqrs.sync.connect(dsn) as store:
        store.queue("orders")
        store.producer("orders").enqueue_batch(["tea", "coffee"])
    # Closed before: a file of Turso is open in one process at a time.
    command = [sys.executable, "-m", "pgqrs", "worker", "command_line:work"]
    with subprocess.Popen(
        [*command, "--dsn", dsn, "--queue", "orders"],
        cwd=os.path.dirname(os.path.abspath(__file__)),
        stdout=subprocess.PIPE,
        text=True,
    ) as worker:
        assert worker.stdout is not None
        for _ in range(2):
            print(worker.stdout.readline(), end="")
        worker.send_signal(signal.SIGTERM)  # It finishes what it has begun.
    print(f"the worker ended with {worker.returncode}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(sys.argv[1] if len(sys.argv) > 1 else f"sqlite:{folder}/queue.db")
