"""What each of them does, and what is to come of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from peers import BACKENDS

# Seconds that a measurement is to take: who is slower does less of the same.
SECONDS = 4.0
LEAST_COUNT = 1_000


@dataclass(frozen=True)
class Scenario:
    """A role that every side plays, and the figure that it gives."""

    name: str
    title: str
    role: str
    # Messages at most.
    count: int
    arguments: tuple[str, ...] = ()
    # The role that prepares the database.
    fill: str | None = None
    figure: str = "rate"
    unit: str = "/s"
    less_is_better: bool = False
    # Whether everybody has `count` messages, however long that takes.
    is_fixed: bool = False
    # A transaction of somebody else is open on the server meanwhile.
    holds_transaction: bool = False
    backends: tuple[str, ...] = BACKENDS
    # How many times the best of the others pgqrs is to reach, by backend.
    least_ratio: dict[str, float] = field(default_factory=dict)


def drain(
    name: str, title: str, fill: str, workers: int, least_ratio: dict[str, float] | None = None
) -> Scenario:
    """A backlog that workers of one process handle."""
    return Scenario(
        name,
        title,
        "drain",
        200_000,
        ("--workers", str(workers)),
        fill=fill,
        least_ratio=least_ratio or {},
    )


def backlog(count: int) -> Scenario:
    """A drain of exactly so many: what a queue loses as it fills."""
    return Scenario(
        f"backlog-{count}",
        f"drain of a backlog of {count:,}",
        "drain",
        count,
        ("--workers", "1"),
        fill="fill",
        is_fixed=True,
    )


def enqueue(callers: int, least_ratio: dict[str, float] | None = None) -> Scenario:
    """Single enqueues, each waited for."""
    plural = "" if callers == 1 else "s"
    return Scenario(
        f"enqueue-{callers}",
        f"enqueue one by one, {callers} caller{plural}",
        "enqueue",
        100_000,
        ("--callers", str(callers)),
        least_ratio=least_ratio or {},
    )


def steady(name: str, title: str, seconds: int, holds: bool, ratio: dict[str, float]) -> Scenario:
    """Enqueueing and handling at the same time."""
    return Scenario(
        name,
        title,
        "steady",
        0,
        ("--seconds", str(seconds), "--outstanding", "5000"),
        is_fixed=True,
        holds_transaction=holds,
        backends=("postgres",) if holds else BACKENDS,
        least_ratio=ratio,
    )


SCENARIOS = (
    enqueue(1),
    enqueue(4),
    enqueue(16),
    enqueue(64, {"postgres": 3, "sqlite": 3}),
    Scenario("enqueue-bulk", "enqueue in bulk", "enqueue-bulk", 200_000),
    Scenario(
        "enqueue-bulk-4k",
        "enqueue in bulk, 4 KiB each",
        "enqueue-bulk",
        50_000,
        ("--payload", "4096"),
    ),
    drain("drain", "drain, enqueued in bulk", "fill", 1, {"postgres": 2.5, "sqlite": 2}),
    drain("drain-4", "drain by 4 workers, enqueued in bulk", "fill", 4, {"postgres": 2.5}),
    drain("drain-single", "drain, enqueued one by one", "fill-single", 1, {"postgres": 1}),
    drain("drain-single-4", "drain by 4 workers, enqueued one by one", "fill-single", 4),
    Scenario(
        "drain-4k",
        "drain, 4 KiB each",
        "drain",
        50_000,
        ("--workers", "1", "--payload", "4096"),
        fill="fill",
    ),
    backlog(10_000),
    backlog(100_000),
    backlog(1_000_000),
    Scenario("retry", "drain where one in ten fails once", "retry", 50_000, fill="fill"),
    steady("steady", "enqueue and handle at the same time", 60, False, {}),
    steady(
        "steady-pinned",
        "the same while a transaction is open",
        60,
        True,
        {"postgres": 5},
    ),
    Scenario(
        "wake",
        "idle wake-up",
        "wake",
        30,
        figure="ms",
        unit="ms",
        less_is_better=True,
        is_fixed=True,
    ),
)
