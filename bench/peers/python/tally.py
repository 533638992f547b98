"""What a worker has handled: which numbers, how often, and how late."""

from __future__ import annotations

import time
from typing import Any

from errors import Failure

Payload = dict[str, Any]

# One of so many messages fails at first where retries are measured.
FAILING = 10


class ExpectedError(Exception):
    """What a handler raises to have its message delivered again."""


class Tally:
    """Notes messages as handlers begin with them; from any thread, since each step is atomic."""

    def __init__(self, fails: bool = False) -> None:
        self._fails = fails
        self._failed: set[int] = set()
        self.numbers: list[int] = []
        self.different: set[int] = set()
        self.begun: list[float] = []
        self.latencies: list[float] = []

    def handle(self, payload: Payload) -> None:
        """Is the handler of every peer. Raises where the message is to be delivered again."""
        now = time.time()
        number = payload["n"]
        self.begun.append(now)
        if "t" in payload:
            self.latencies.append(now - payload["t"] / 1e6)
        self.numbers.append(number)
        self.different.add(number)
        if self._fails and number % FAILING == 0 and number not in self._failed:
            self._failed.add(number)
            raise ExpectedError(f"message {number} fails once")

    def deliveries(self, count: int) -> int:
        """How many deliveries ``count`` messages take where none is delivered in vain."""
        return count + (-(-count // FAILING) if self._fails else 0)

    def is_complete(self, count: int) -> bool:
        """Whether each of ``count`` messages was handled, and those that failed again."""
        return (
            len(self.numbers) >= self.deliveries(count)
            and len(self.different) >= count
            and not self._is_any_failed_once()
        )

    def verify(self, count: int) -> int:
        """Raises unless every number was handled as often as it has to be; gives the surplus."""
        missing = set(range(count)) - self.different
        strange = self.different.difference(range(count))
        if missing or strange:
            raise Failure(f"{len(missing)} messages never handled, {len(strange)} never enqueued")
        if self._is_any_failed_once():
            raise Failure("a failed message was not handled again")
        return len(self.numbers) - self.deliveries(count)

    def _is_any_failed_once(self) -> bool:
        if not self._fails:
            return False
        handled: dict[int, int] = {}
        for number in self.numbers:
            handled[number] = handled.get(number, 0) + 1
        return any(handled[number] < 2 for number in self._failed)
