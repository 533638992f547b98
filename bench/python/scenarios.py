"""What is compared with what, and what is to come of it."""

from __future__ import annotations

from dataclasses import dataclass

# Who runs: the C++ library, the Python package of this repository, the existing one from PyPI.
CPP = "C++"
OURS = "Python"
EXISTING = "existing"

BACKENDS = ("sqlite", "turso", "postgres")

# An idle wake-up of the existing package is half an interval of its polling; more of them say more.
WAKES = 30


@dataclass(frozen=True)
class Contestant:
    """Someone who does something to a database of its own, once a round."""

    name: str
    program: str
    role: str
    filled_by: str | None = (
        None  # Before, with as many messages; None: it begins with an empty one.
    )
    reads: bool = False


@dataclass(frozen=True)
class Line:
    """A figure of one contestant, compared with another's where there is one.

    `{count}` in its name stands for the number of messages.

    The ratio is that of this contestant to the other, or the other way round where less is better.
    """

    name: str
    contestant: str
    other: str | None = None
    figure: str = "rate"
    unit: str = "/s"
    less_is_better: bool = False
    least_ratio: float | None = None
    most: float | None = None


@dataclass(frozen=True)
class Scenario:
    """Contestants that take turns, round by round, and what their figures say."""

    name: str
    backend: str
    count: int
    contestants: tuple[Contestant, ...]
    lines: tuple[Line, ...]
    least: int = 1000  # Messages, however small the scale.
    rounds: int | None = None  # As many as were asked for.
    is_scaled: bool = True

    def scaled(self, scale: float) -> int:
        """How many messages each contestant has."""
        if not self.is_scaled:
            return self.count
        return max(self.least, round(self.count * scale / 1000) * 1000)


def drains(backend: str, count: int) -> Scenario:
    """Draining a backlog: in C++, and in Python by a loop and by many tasks."""
    return Scenario(
        f"drain-{backend}",
        backend,
        count,
        (
            Contestant("C++, 1 × 50", CPP, "drain", CPP),
            Contestant("1 × 50", OURS, "drain", CPP),
            Contestant("1 × 50, payloads read", OURS, "drain", CPP, reads=True),
            Contestant("1,000 tasks × 1", OURS, "drain-by-tasks", CPP, reads=True),
        ),
        (
            Line("drain, 1 consumer × 50", "1 × 50", "C++, 1 × 50", least_ratio=0.6),
            Line(
                "drain, 1 consumer × 50, payloads read",
                "1 × 50, payloads read",
                "C++, 1 × 50",
                least_ratio=0.6,
            ),
            Line("drain, 1,000 tasks × 1", "1,000 tasks × 1", "C++, 1 × 50", least_ratio=0.3),
        ),
    )


def enqueues(backend: str, count: int) -> Scenario:
    """Enqueueing in batches of 1,000, in C++ and in Python."""
    return Scenario(
        f"enqueue-{backend}",
        backend,
        count,
        (
            Contestant("C++, × 1,000", CPP, "enqueue"),
            Contestant("× 1,000", OURS, "enqueue"),
        ),
        (Line("enqueue_batch of 1,000", "× 1,000", "C++, × 1,000", least_ratio=0.5),),
    )


def memory(backend: str) -> Scenario:
    """Whether a process that handles a million messages needs more and more memory."""
    return Scenario(
        f"memory-{backend}",
        backend,
        1_000_000,
        (Contestant("memory", OURS, "memory"),),
        (
            Line(
                "memory: growth over the second half of the messages",
                "memory",
                figure="growth",
                unit="MiB",
                most=4,
            ),
        ),
        least=400_000,
        rounds=1,
    )


def existing_drain(name: str, count: int) -> Scenario:
    """The existing package drains what it enqueued itself, and so does ours.

    How long the queue is matters: the more wait, the longer a dequeue of the existing one takes.
    """
    return Scenario(
        name,
        "postgres",
        count,
        (
            Contestant("existing", EXISTING, "drain", EXISTING, reads=True),
            Contestant("ours", OURS, "drain", OURS, reads=True),
        ),
        (
            Line(
                "drain of {count}, 1 consumer × 50, payloads read",
                "ours",
                "existing",
                least_ratio=8,
            ),
        ),
    )


def existing_enqueue() -> Scenario:
    """Single enqueues, a thousand of them at a time."""
    return Scenario(
        "existing-enqueue",
        "postgres",
        20_000,
        (
            Contestant("existing", EXISTING, "enqueue-by-tasks"),
            Contestant("ours", OURS, "enqueue-by-tasks"),
        ),
        (Line("1,000 concurrent enqueues × 1", "ours", "existing", least_ratio=10),),
    )


def existing_wake() -> Scenario:
    """How soon an idle consumer has a message."""

    def line(name: str, figure: str, least_ratio: float | None = None) -> Line:
        return Line(
            name,
            "ours",
            "existing",
            figure=figure,
            unit="ms",
            less_is_better=True,
            least_ratio=least_ratio,
        )

    return Scenario(
        "existing-wake",
        "postgres",
        WAKES,
        (
            Contestant("existing", EXISTING, "wake"),
            Contestant("ours", OURS, "wake"),
        ),
        (
            line("idle wake-up, from the return of enqueue", "since_return_ms", 20),
            line("idle wake-up, from the call of enqueue", "since_call_ms"),
        ),
        is_scaled=False,
    )


def import_time() -> Scenario:
    """What `import pgqrs` adds to the start of the interpreter."""
    return Scenario(
        "import",
        "",
        0,
        (
            Contestant("existing", EXISTING, "import"),
            Contestant("ours", OURS, "import"),
        ),
        (
            Line(
                "import pgqrs",
                "ours",
                "existing",
                figure="import_ms",
                unit="ms",
                less_is_better=True,
                most=50,
            ),
            Line("import asyncio, for comparison", "ours", figure="asyncio_ms", unit="ms"),
        ),
        is_scaled=False,
    )


SCENARIOS = (
    import_time(),
    drains("sqlite", 100_000),
    drains("turso", 50_000),
    drains("postgres", 50_000),
    enqueues("sqlite", 500_000),
    enqueues("turso", 500_000),
    enqueues("postgres", 300_000),
    existing_drain("existing-drain-short", 10_000),
    existing_drain("existing-drain-long", 50_000),
    existing_enqueue(),
    existing_wake(),
    *(memory(backend) for backend in BACKENDS),
)
