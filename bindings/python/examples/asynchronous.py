"""A producer and a consumer in one event loop.

It prints:

    produces three
    took tea
    took coffee
    took water
    3 archived
"""

import asyncio
import sys

import pgqrs


async def produce(store: pgqrs.Store) -> None:
    producer = await store.producer("orders")
    print("produces three")
    # One transaction: all of them or none.
    await producer.enqueue_batch(["tea", "coffee", "water"])


async def consume(store: pgqrs.Store) -> int:
    archived = 0
    # Leaving the context gives back what was not finished.
    async with await store.consumer("orders") as consumer:
        while archived < 3:
            # An enqueue ends the wait, here after ten seconds at most.
            for message in await consumer.dequeue_wait(10):
                print(f"took {message.payload}")
                archived += await consumer.archive(message.id)
    return archived


async def main(dsn: str) -> None:
    async with await pgqrs.connect(dsn) as store:
        await store.queue("orders")
        archived, _ = await asyncio.gather(consume(store), produce(store))
        print(f"{archived} archived")


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "sqlite::memory:"))
