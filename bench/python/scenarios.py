"""What is compared with what, and what is to come of it."""

from __future__ import annotations

from dataclasses import dataclass

# Who runs: the C++ library, the Python package of this repository, the existing one from PyPI, and
# two other packages for workflows.
CPP = "C++"
OURS = "Python"
EXISTING = "existing"
DBOS = "dbos"
ABSURD = "absurd"

BACKENDS = ("sqlite", "turso", "postgres")

# An idle wake-up of the existing package is half an interval of its polling; more of them say more.
WAKES = 30


@dataclass(frozen=True)
class Contestant:
    """Someone who does something to a database of its own, once a round."""

    name: str
    program: str
    role: str
    prepared_by: str | None = None  # Before; None: it begins with an empty one.
    reads: bool = False
    prepares: str = "fill"  # The role of who prepares it.
    side: str = "side.py"
    # Of the count: who takes much longer does less of the same.
    share: float = 1

    def share_of(self, count: int) -> int:
        """How much it does."""
        return round(count * self.share)


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


def workflow(name: str, program: str, role: str, share: float = 1) -> Contestant:
    """Someone who executes runs of workflows."""
    side = "workflow_side.py" if program in (OURS, EXISTING) else f"{program}_side.py"
    prepared_by = program if role in ("resume", "replay") else None
    return Contestant(
        name, program, role, prepared_by=prepared_by, prepares="steps", side=side, share=share
    )


# Whom the workflows are compared with, and how much less they do in the same time. Turso has none,
# and the existing package comes with Postgres alone.
PEERS: dict[str, dict[str, float]] = {
    "sqlite": {DBOS: 0.05},
    "turso": {},
    "postgres": {DBOS: 0.04, ABSURD: 0.1, EXISTING: 0.05},
}
# How much faster runs by a worker are to be than theirs.
LEAST_RATIOS = {("sqlite", DBOS): 15, ("postgres", DBOS): 15, ("postgres", ABSURD): 8}


def workflow_runs(backend: str, count: int) -> Scenario:
    """Runs of three steps: by a worker, 50 at once, and one after another."""
    peers = PEERS[backend]
    contestants = [
        workflow("C++, by a worker", CPP, "runs"),
        workflow("by a worker", OURS, "runs-by-worker"),
        workflow("50 at once", OURS, "runs-at-once"),
        workflow("one by one", OURS, "runs", 0.1),
    ]
    lines = [Line("runs of 3 steps, by a worker", "by a worker", "C++, by a worker")]
    for peer, share in peers.items():
        contestants.append(workflow(f"{peer}, by a worker", peer, "runs-by-worker", share))
        lines.append(
            Line(
                "runs of 3 steps, by a worker",
                "by a worker",
                f"{peer}, by a worker",
                least_ratio=LEAST_RATIOS.get((backend, peer)),
            )
        )
    for name, role in (("50 at once", "runs-at-once"), ("one by one", "runs")):
        lines.append(Line(f"runs of 3 steps, {name}", name))
        for peer, share in peers.items():
            if peer == ABSURD:
                continue  # It has its worker only.
            contestants.append(workflow(f"{peer}, {name}", peer, role, share / 2))
            lines.append(Line(f"runs of 3 steps, {name}", name, f"{peer}, {name}"))
    return Scenario(f"workflow-runs-{backend}", backend, count, tuple(contestants), tuple(lines))


def workflow_steps(backend: str) -> Scenario:
    """A run of many steps, and another process that goes on with it."""
    others = {CPP: "replay", **dict.fromkeys(PEERS[backend], "resume")}
    contestants = [
        workflow("steps", OURS, "steps"),
        workflow("resume", OURS, "resume"),
        workflow("limit, commits", CPP, "commits"),
    ]
    lines = [
        Line(
            "steps of a run of {count}",
            "steps",
            "limit, commits",
            least_ratio=1 / 1.6,  # A step is to cost no more than 1.6 commits.
        )
    ]
    for other, role in others.items():
        contestants.append(workflow(f"{other}, steps", other, "steps"))
        contestants.append(workflow(f"{other}, resume", other, role))
        lines.append(
            Line(
                "steps of a run of {count}",
                "steps",
                f"{other}, steps",
            )
        )
        lines.append(
            Line(
                "replay of {count} steps",
                "resume",
                f"{other}, resume",
                figure="replay_ms",
                unit="ms",
                less_is_better=True,
                most=20 if other == CPP else None,
            )
        )
    return Scenario(
        f"workflow-steps-{backend}",
        backend,
        1000,
        tuple(contestants),
        tuple(lines),
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
    *(workflow_runs(backend, 5_000) for backend in BACKENDS),
    *(workflow_steps(backend) for backend in BACKENDS),
)
