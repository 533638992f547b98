"""Runs the coroutines of this package without an event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from . import _core

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


def run_blocking(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that awaits nothing but requests, each of which blocks."""
    before = _core.set_blocking(True)
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    finally:
        _core.set_blocking(before)
        coroutine.close()
    raise RuntimeError("a coroutine of pgqrs awaited something else than a request")
