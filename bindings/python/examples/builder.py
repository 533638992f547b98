"""Polling with a builder, until the consumer is interrupted.

It prints:

    handled [1, 2]
    handled [3]
    Polling, then Suspended
"""

import asyncio
import sys

import pgqrs


async def main(dsn: str) -> None:
    async with await pgqrs.connect(dsn) as store:
        await store.queue("numbers")
        await pgqrs.produce_batch(store, "numbers", [1, 2, 3])
        consumer = await store.consumer("numbers")
        done = asyncio.Event()

        async def handle(messages: list[pgqrs.QueueMessage]) -> None:
            print("handled", [message.payload for message in messages])
            if messages[-1].payload == 3:
                done.set()

        polling = asyncio.create_task(
            pgqrs.dequeue().worker(consumer).batch(2).handle_batch(handle).poll(store)
        )
        await done.wait()
        before = await consumer.status()
        await consumer.interrupt()
        try:
            await polling
        except pgqrs.PgqrsError:  # The end of a poll is always one.
            print(f"{before.name}, then {(await consumer.status()).name}")


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "sqlite::memory:"))
