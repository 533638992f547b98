"""The messages of a queue as an async iterator.

It prints:

    archived one
    archived two
    given back three
    1 pending
"""

import asyncio
import sys

import pgqrs


async def main(dsn: str) -> None:
    async with await pgqrs.connect(dsn) as store:
        await store.queue("words")
        await (await store.producer("words")).enqueue_batch(["one", "two", "three"])
        async with store.consume_iter("words") as messages:
            async for message in messages:
                if message.payload == "three":
                    print("given back three")
                    break
                await messages.archive(message.id)
                print(f"archived {message.payload}")
        # The context has given back what the iterator still had.
        print(f"{(await store.metrics('words')).pending_messages} pending")


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "sqlite::memory:"))
