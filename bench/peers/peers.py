"""Who takes part."""

from __future__ import annotations

from dataclasses import dataclass

BACKENDS = ("postgres", "sqlite", "turso")


@dataclass(frozen=True)
class Peer:
    """A queue, as its side (the program that drives it) knows it."""

    name: str
    side: str  # The folder of its side.
    backend: str
    title: str
    is_ours: bool = False


PEERS = (
    Peer("pgqrs", "pgqrs", "postgres", "pgqrs", is_ours=True),
    Peer("river", "go", "postgres", "River"),
    Peer("graphile-worker", "node", "postgres", "Graphile Worker"),
    Peer("pg-boss", "node", "postgres", "pg-boss"),
    Peer("pgqueuer", "python", "postgres", "pgqueuer"),
    Peer("procrastinate", "python", "postgres", "procrastinate"),
    Peer("awa", "python", "postgres", "Awa"),
    Peer("pgqrs-py", "python", "postgres", "pgqrs in Rust, from Python"),
    Peer("pgqrs", "pgqrs", "sqlite", "pgqrs", is_ours=True),
    Peer("goqite", "go", "sqlite", "goqite"),
    Peer("plainjob", "node", "sqlite", "plainjob"),
    Peer("huey", "python", "sqlite", "huey"),
    Peer("litequeue", "python", "sqlite", "litequeue"),
    Peer("honker", "python", "sqlite", "honker"),
    Peer("persist-queue", "python", "sqlite", "persist-queue"),
    Peer("pgqrs-turso", "pgqrs", "turso", "pgqrs", is_ours=True),
)
