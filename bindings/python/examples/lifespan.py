"""A store for the time that a web application runs, as a lifespan of Starlette or FastAPI.

It needs neither of them: FastAPI(lifespan=lifespan) would call what main() calls here.

It prints:

    worked on tea
    POST /orders gave 202
    stopped
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from typing import Any

import pgqrs

DSN = sys.argv[1] if len(sys.argv) > 1 else "sqlite::memory:"


class Application:
    """What an application brings along."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}


worked = asyncio.Event()


async def work(message: pgqrs.QueueMessage) -> None:
    print(f"worked on {message.payload}")
    worked.set()


@contextlib.asynccontextmanager
async def lifespan(app: Application) -> AsyncIterator[None]:
    # Within a process of the server, after its fork.
    async with await pgqrs.connect(DSN) as store:
        with contextlib.suppress(pgqrs.QueueAlreadyExistsError):
            await store.queue("orders")
        app.state["orders"] = await store.producer("orders")
        worker = pgqrs.Worker(store, "orders", work)
        running = asyncio.create_task(worker.run())
        try:
            yield
        finally:
            worker.stop()
            await running  # Until the handlers that run have finished.


async def post_order(app: Application, order: str) -> int:
    """A handler of requests."""
    await app.state["orders"].enqueue(order)
    return 202


async def main() -> None:
    app = Application()
    async with lifespan(app):
        status = await post_order(app, "tea")
        await worked.wait()
        print(f"POST /orders gave {status}")
    print("stopped")


asyncio.run(main())
