"""When steps that failed are tried again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import _core
from ._arguments import instance, not_negative, whole
from ._errors import ValidationError

if TYPE_CHECKING:
    from datetime import timedelta

_MOST_ATTEMPTS = 1_000_000


class BackoffStrategy:
    """How long a step waits before its next try. Made by its class methods.

    Example:
        >>> backoff = pgqrs.BackoffStrategy.exponential(base=1, max=60)
        >>> [backoff.delay(retry) for retry in (0, 1, 2, 10)]
        [1.0, 2.0, 4.0, 60.0]
    """

    def __init__(self, kind: str, base: float | timedelta, max: float | timedelta) -> None:
        if kind not in ("fixed", "exponential", "jitter"):
            raise ValidationError(f"kind: is {kind!r}; fixed, exponential or jitter are possible")
        self._kind = kind
        self._base = not_negative("base", base)
        self._max = not_negative("max", max)

    @classmethod
    def fixed(cls, seconds: float | timedelta) -> BackoffStrategy:
        """The same each time."""
        return cls("fixed", seconds, seconds)

    @classmethod
    def exponential(
        cls, base: float | timedelta = 1, max: float | timedelta = 60
    ) -> BackoffStrategy:
        """``base`` before the first retry, then twice as long each time, at most ``max``."""
        return cls("exponential", base, max)

    @classmethod
    def exponential_with_jitter(
        cls, base: float | timedelta = 1, max: float | timedelta = 60
    ) -> BackoffStrategy:
        """The same, give or take a random quarter."""
        return cls("jitter", base, max)

    def delay(self, retry: int) -> float:
        """How many seconds the step waits before this retry, from 0."""
        return self._micros(whole("retry", retry) + 1) / 1_000_000

    def _micros(self, attempts: int) -> int:
        return _core.backoff_delay(self._kind, self._base, self._max, attempts)


class StepRetryPolicy:
    """How often a step that failed is tried again, and when.

    Args:
        max_attempts: How many tries follow the first one, at most.
        backoff: How long the step waits before each of them; by default a second, then twice as
            long each time, up to a minute, give or take a random quarter.

    Example:
        >>> policy = pgqrs.StepRetryPolicy(5, pgqrs.BackoffStrategy.fixed(10))
        >>> @pgqrs.step(retries=policy)
        ... async def fetch(run: pgqrs.Run, url: str) -> str:
        ...     return url
    """

    def __init__(self, max_attempts: int = 3, backoff: BackoffStrategy | None = None) -> None:
        if not 0 <= whole("max_attempts", max_attempts) <= _MOST_ATTEMPTS:
            raise ValidationError(
                f"max_attempts: must be from 0 to {_MOST_ATTEMPTS}, and is {max_attempts}"
            )
        self._max_attempts = max_attempts
        self._backoff = (
            BackoffStrategy.exponential_with_jitter()
            if backoff is None
            else instance("backoff", backoff, BackoffStrategy)
        )

    @property
    def max_attempts(self) -> int:
        """How many tries follow the first one, at most."""
        return self._max_attempts

    @property
    def backoff(self) -> BackoffStrategy:
        """How long the step waits before each of them."""
        return self._backoff


DEFAULT_POLICY = StepRetryPolicy()


def policy_of(retries: int | StepRetryPolicy | None) -> StepRetryPolicy | None:
    """A policy, or that with so many retries."""
    if retries is None or isinstance(retries, StepRetryPolicy):
        return retries
    return StepRetryPolicy(whole("retries", retries))
