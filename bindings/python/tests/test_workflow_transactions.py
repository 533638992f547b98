"""Transactions of steps, used in ways that they are not made for."""

from __future__ import annotations

import asyncio
import threading

import pgqrs
from pgqrs import Run


async def test_a_thread_that_outlives_its_transaction_is_told_so(config: pgqrs.Config) -> None:
    ends: list[str] = []
    threads: list[threading.Thread] = []

    def ask(transaction: pgqrs.Transaction) -> None:
        try:
            while True:
                transaction.query("SELECT 1")
        except pgqrs.PgqrsError as error:
            ends.append(str(error))

    @pgqrs.transaction_step
    def leave(transaction: pgqrs.Transaction) -> None:
        threads.extend(threading.Thread(target=ask, args=[transaction]) for _ in range(2))
        for thread in threads:
            thread.start()
        transaction.query("SELECT 2")

    @pgqrs.workflow
    async def leaving(run: Run) -> None:
        await leave(run)

    store = await pgqrs.connect_with(config)
    run = await pgqrs.admin(store).create_workflow("leaving", None)
    await leaving(run)
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert ends == ["the transaction is over"] * 2
