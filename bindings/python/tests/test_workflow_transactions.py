"""Steps with transactions."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from workflow_helpers import calls, from_now, new_run, status_of, steps_of

import pgqrs
from pgqrs import Run, WorkflowStatus


async def test_a_transaction_step_happens_once(config: pgqrs.Config) -> None:
    is_postgres = config.dsn.startswith("postgres")
    table = f'"{config.schema}".book' if is_postgres else "book"
    insert = f"INSERT INTO {table} VALUES ({'$1' if is_postgres else '?'})"

    @pgqrs.transaction_step
    def book(transaction: pgqrs.Transaction, amount: int, fails: bool = False) -> list[Any]:
        calls.append(amount)
        transaction.execute(f"CREATE TABLE IF NOT EXISTS {table} (amount int)")
        assert transaction.execute(insert, [amount]) == 1
        if fails:
            raise ValueError("wrong amount")
        return [list(row) for row in transaction.query(f"SELECT amount FROM {table}")]

    @pgqrs.workflow
    async def booking(run: Run) -> list[Any]:
        try:
            await book(run, 1, fails=True)
        except ValueError:
            calls.append("failed")
        rows = await book(run, 5)
        await run.sleep(60)
        return rows

    store, run = await new_run(config)
    with pytest.raises(pgqrs.StepNotReadyError):
        await booking(run)
    assert await booking(run.with_time(from_now(61))) == [[5]]
    assert calls == [1, "failed", 5, "failed"]
    assert [row.kind for row in await steps_of(store, run)][:2] == ["Transaction"] * 2


async def test_a_statement_that_fails_fails_the_transaction_step(config: pgqrs.Config) -> None:
    @pgqrs.transaction_step
    def query(transaction: pgqrs.Transaction) -> None:
        transaction.query("SELECT 1 FROM nowhere")

    @pgqrs.workflow
    async def querying(run: Run) -> None:
        await query(run)

    _, run = await new_run(config)
    with pytest.raises(pgqrs.InternalError, match="nowhere"):
        await querying(run)
    assert await status_of(run) is WorkflowStatus.Error


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


async def test_a_cancelled_transaction_step_is_rolled_back(config: pgqrs.Config) -> None:
    is_postgres = config.dsn.startswith("postgres")
    table = f'"{config.schema}".book' if is_postgres else "book"
    begun, go = threading.Event(), threading.Event()

    @pgqrs.transaction_step
    def book(transaction: pgqrs.Transaction) -> str:
        calls.append("book")
        transaction.execute(f"CREATE TABLE IF NOT EXISTS {table} (amount int)")
        begun.set()
        go.wait(60)
        return "booked"

    @pgqrs.transaction_step
    def book_again(transaction: pgqrs.Transaction) -> str:
        transaction.execute(f"CREATE TABLE {table} (amount int)")
        return "booked"

    @pgqrs.workflow
    async def booking(run: Run) -> str:
        task = asyncio.create_task(asyncio.wait_for(book(run), 3600))
        while not begun.is_set():
            await asyncio.sleep(0.01)
        task.cancel()
        asyncio.get_running_loop().call_later(0.05, go.set)
        [error] = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(error, asyncio.CancelledError)
        assert go.is_set()
        return await book_again(run)

    store, run = await new_run(config)
    assert await booking(run) == "booked"
    assert calls == ["book"]
    assert [row.step_name for row in await steps_of(store, run)] == ["book_again"]


@pytest.mark.parametrize(
    ("sql", "parameters", "says"),
    [
        ("SELECT 1", "abc", "a list or a tuple is wanted"),
        ("SELECT 1", b"abc", "a list or a tuple is wanted"),
        ("SELECT 1", ["\ud800"], "parameters: a str holds a lone surrogate"),
        ("SELECT 1", [object()], "parameters: None, bool, int"),
        ("\ud800", [], "sql: a str holds a lone surrogate"),
        (5, [], "sql: a str is wanted"),
    ],
)
async def test_bad_statements(config: pgqrs.Config, sql: Any, parameters: Any, says: str) -> None:
    @pgqrs.transaction_step
    def ask(transaction: pgqrs.Transaction) -> int:
        for use in (transaction.execute, transaction.query):
            with pytest.raises((TypeError, pgqrs.ValidationError), match=says):
                use(sql, parameters)
        return len(transaction.query("SELECT 1"))

    @pgqrs.workflow
    async def asking(run: Run) -> int:
        return await ask(run)

    _, run = await new_run(config)
    assert await asking(run) == 1
