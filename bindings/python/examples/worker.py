"""A worker: a function for every message, which runs again where it fails.

It prints:

    tea: the machine is cold
    tea: served at try 2
    cake: not yet
    cake: served at try 1
    42: no order
    2 handled, 1 failures
    dead: 42, Discard: no order
"""

import asyncio
import sys

import pgqrs


async def main(dsn: str) -> None:
    async with await pgqrs.connect(dsn) as store:
        await store.queue("orders")
        producer = await store.producer("orders")
        await producer.enqueue("tea", priority=0)

        seen: set[object] = set()

        async def serve(message: pgqrs.QueueMessage) -> None:
            order = message.payload
            if order in seen:
                print(f"{order}: served at try {message.read_ct}")
                following = {"tea": "cake", "cake": 42}
                await producer.enqueue(following[order])
                return
            seen.add(order)
            if order == "tea":
                print("tea: the machine is cold")
                raise RuntimeError("the machine is cold")  # Comes again, later each time.
            elif order == "cake":
                print("cake: not yet")
                raise pgqrs.RetryAfter(0.05)  # Comes again; this was no try.
            else:
                print(f"{order}: no order")
                worker.stop()
                raise pgqrs.Discard("no order")  # Does not come again.

        worker = pgqrs.Worker(store, "orders", serve, concurrency=4, base_delay=0.05)
        await worker.run(handle_signals=True)  # Returns after stop(), SIGINT or SIGTERM.

        print(f"{worker.handled} handled, {worker.failed} failures")
        for letter in await (await store.dead_letters("orders")).list():
            print(f"dead: {letter.payload}, {letter.reason}")


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "sqlite::memory:"))
