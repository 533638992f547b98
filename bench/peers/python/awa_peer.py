"""Awa, with its own driver in Rust."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import awa

from peer import Arguments, Description, Peer
from postgres import MAX_CONNECTIONS, Counter, with_settings
from scenarios import FILL_CALLERS
from tally import ExpectedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peer import Handler
    from tally import Payload

QUEUE = "bench"
CONCURRENCY = 64


@dataclass
class Bench:
    """The job; its name is part of the kind's."""

    n: int
    pad: str
    t: int = 0
