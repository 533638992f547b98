"""Dead letters: what cannot be done is put aside, to be looked at and replayed.

It prints:

    pay to nobody: no such account
    pay through the gateway: ...
    again: pay to nobody, read 1 time
    1 removed for good
"""

import asyncio
import sys

import pgqrs


async def main(dsn: str) -> None:
    config = pgqrs.Config(dsn)
    config.max_read_ct = 2  # A message that was read twice without an end is dead.
    async with await pgqrs.connect_with(config) as store:
        await store.queue("payments")
        producer = await store.producer("payments")
        consumer = await store.consumer("payments")
        dead = await store.dead_letters("payments")

        # By its consumer. (The handler of a Worker raises pgqrs.Discard.)
        message_id = await producer.enqueue("pay to nobody")
        await consumer.dequeue(1)
        await consumer.dead_letter(message_id, "no such account")

        # By the queue, where it would be read for the third time.
        gateway_id = await producer.enqueue("pay through the gateway")
        for _ in range(2):
            await consumer.dequeue(1)
            await consumer.release(gateway_id)
        assert await consumer.dequeue(1) == []

        for letter in await dead.list():
            print(f"{letter.payload}: {letter.reason}")

        # The same message with the same id; its read count begins anew.
        await dead.replay(message_id)
        [again] = await consumer.dequeue(1)
        print(f"again: {again.payload}, read {again.read_ct} time")
        await consumer.archive(again.id)
        print(f"{await dead.purge()} removed for good")


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "sqlite::memory:"))
