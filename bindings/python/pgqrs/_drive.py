"""How coroutines of this package run, in an event loop and without one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

from . import _core

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from concurrent.futures import Future

T = TypeVar("T")


def run_blocking(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that awaits nothing but requests and what is below.

    All of these block then.
    """
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


async def in_thread(
    function: Callable[..., T], *args: Any, on_cancel: Callable[[], None] | None = None
) -> T:
    """The result of a function that blocks.

    With ``on_cancel``, which is called where this is cancelled, it waits for the function then too.
    """
    if _core.is_blocking():
        return function(*args)
    import asyncio  # Whoever awaits this has it already; `import pgqrs` does not need it.

    running = asyncio.get_running_loop().run_in_executor(None, function, *args)
    if on_cancel is None:
        return await running
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        on_cancel()
        await asyncio.wait([running])
        running.exception()  # Nobody else asks for it.
        raise


async def until_done(future: Future[None]) -> None:
    """Awaits what somebody else does, in this thread or in another one."""
    if _core.is_blocking():
        future.result()
        return
    import asyncio

    await asyncio.shield(asyncio.wrap_future(future))


async def pause(seconds: float) -> None:
    """Does nothing for a while."""
    if _core.is_blocking():
        time.sleep(seconds)
    else:
        import asyncio

        await asyncio.sleep(seconds)


async def to_the_end(request: Awaitable[Any]) -> None:
    """Awaits a request that is over, done or not, also where this is cancelled meanwhile."""
    if _core.is_blocking():
        await request
        return
    import asyncio

    running = asyncio.ensure_future(request)
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise
