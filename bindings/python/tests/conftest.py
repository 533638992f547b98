"""What the tests share: each runs on every backend."""

from __future__ import annotations

import os
import signal
import uuid
from typing import TYPE_CHECKING

import pytest
import workflow_helpers

import pgqrs

if TYPE_CHECKING:
    from pathlib import Path

BACKENDS = ["sqlite", "turso", "postgres"]

# What a shell starts in the background ignores Ctrl-C, and so would all that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(params=BACKENDS)
def dsn(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of its own."""
    if request.param != "postgres":
        return f"{request.param}:{tmp_path}/queue.db"
    server = os.environ.get("PGQRS_TEST_POSTGRES_DSN")
    if not server:
        pytest.skip("PGQRS_TEST_POSTGRES_DSN names no server")
    return server


@pytest.fixture
def config(dsn: str) -> pgqrs.Config:
    """How to open it, with no limit on the rate."""
    config = pgqrs.Config(dsn, schema=f"py_{uuid.uuid4().hex[:12]}")
    config.max_enqueue_per_second = None
    config.max_enqueue_burst = None
    return config


@pytest.fixture(autouse=True)
def no_calls() -> None:
    workflow_helpers.calls.clear()
