"""Durations in the terms of the library."""

from __future__ import annotations


def micros(seconds: float) -> int:
    """Microseconds."""
    return int(seconds * 1_000_000)
