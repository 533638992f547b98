"""Payloads that are pydantic models, checked where they are read.

It prints:

    ada pays 12.50
    refused: payload: is no Payment
    1 dead letter
"""

import asyncio
import sys
from decimal import Decimal

from pydantic import BaseModel

import pgqrs


class Payment(BaseModel):
    payer: str
    amount: Decimal


async def main(dsn: str) -> None:
    async with await pgqrs.connect(dsn) as store:
        await store.queue("payments")
        producer = await store.producer("payments")
        await producer.enqueue(Payment(payer="ada", amount=Decimal("12.50")))
        await producer.enqueue({"payer": "bob"})  # From a program that knows nothing of the model.

        async with await store.consumer("payments", payload_type=Payment) as consumer:
            for message in await consumer.dequeue(10):
                try:
                    payment = message.payload  # A Payment, for mypy too. It is read here.
                except pgqrs.SerializationError as error:
                    print("refused:", str(error).partition(":")[0] + ": is no Payment")
                    await consumer.dead_letter(message.id, "no Payment")
                else:
                    print(f"{payment.payer} pays {payment.amount}")
                    await consumer.archive(message.id)
        print(f"{await (await store.dead_letters('payments')).count()} dead letter")


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "sqlite::memory:"))
