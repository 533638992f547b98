"""How executions of a workflow end, and what becomes of that which is still at work."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Any

import pytest
from workflow_helpers import calls, from_now, new_run, note, status_of, steps_of

import pgqrs
import pgqrs.sync
from pgqrs import Run, WorkflowStatus

LONG = 60


class Branches:
    """A workflow of which one branch is in a step while another one ends its step."""

    def __init__(self, act: Any) -> None:
        self.begun, self.go = asyncio.Event(), asyncio.Event()
        self.act = act

        @pgqrs.step
        async def long(run: Run) -> str:
            calls.append("long")
            self.begun.set()
            await self.go.wait()
            return "long"

        @pgqrs.step
        async def short(run: Run) -> str:
            await self.begun.wait()
            await self.act(run)
            return "short"

        async def branch(run: Run) -> str:
            await short(run)
            return await note(run, "next")

        async def group(run: Run) -> list[str]:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(branch(run)), group.create_task(long(run))]
            return [task.result() for task in tasks]

        async def gather(run: Run) -> list[str]:
            return list(await asyncio.gather(branch(run), long(run)))

        self.ways = {way.__name__: way for way in (group, gather)}


@pytest.mark.parametrize("way", ["group", "gather"])
async def test_a_stop_lets_every_branch_end_its_step(config: pgqrs.Config, way: str) -> None:
    async def stop(_: Run) -> None:
        worker.stop()
        asyncio.get_running_loop().call_later(0.05, branches.go.set)

    branches = Branches(stop)
    definition = pgqrs.workflow(name="branching")(branches.ways[way])
    store = await pgqrs.connect_with(config)
    run = await store.trigger(definition)
    worker = pgqrs.WorkflowWorker(store, [definition], lease=3600)
    await asyncio.wait_for(worker.run(), LONG)
    assert calls == ["long"]
    assert {row.output for row in await steps_of(store, run)} == {"long", "short"}
    async with pgqrs.WorkflowWorker(store, [definition], lease=3600):
        assert await run.result(LONG) == ["next", "long"]
    assert calls == ["long", "next"]


@pytest.mark.parametrize("way", ["group", "gather"])
async def test_a_pause_lets_every_branch_end_its_step(config: pgqrs.Config, way: str) -> None:
    async def pause(run: Run) -> None:
        await run.pause("rest")
        asyncio.get_running_loop().call_later(0.05, branches.go.set)

    branches = Branches(pause)
    definition = pgqrs.workflow(name="branching")(branches.ways[way])
    store, run = await new_run(config, name="branching")
    with pytest.raises(pgqrs.PausedError):
        await definition(run)
    assert await status_of(run) is WorkflowStatus.Paused
    assert {row.output for row in await steps_of(store, run)} == {"long", "short"}
    await run.resume()
    assert await definition(run) == ["next", "long"]
    assert calls == ["long", "next"]


async def test_what_branches_wait_for_is_kept_by_a_stop(config: pgqrs.Config) -> None:
    @pgqrs.step(retries=3)
    async def failing(run: Run) -> None:
        calls.append("failing")
        raise OSError("no line")

    @pgqrs.step
    async def stopping(run: Run) -> None:
        while calls != ["failing"]:
            await asyncio.sleep(0)
        worker.stop()

    async def branch(run: Run) -> None:
        await stopping(run)
        await note(run, 1)

    @pgqrs.workflow
    async def waiting(run: Run) -> None:
        await asyncio.gather(run.sleep(3600), failing(run), branch(run))

    store = await pgqrs.connect_with(config)
    run = await store.trigger(waiting)
    worker = pgqrs.WorkflowWorker(store, [waiting], lease=3600)
    await asyncio.wait_for(worker.run(), LONG)
    rows = {row.step_name: row for row in await steps_of(store, run)}
    assert rows["sleep"].wake_at is not None
    assert rows["failing"].attempts == 1
    assert rows["failing"].retry_at is not None
    assert calls == ["failing"]
    consumer = await store.consumer("waiting")
    assert [message.id for message in await consumer.dequeue()] == [run.id()]


async def test_a_pause_outside_of_a_step_happens_once(config: pgqrs.Config) -> None:
    @pgqrs.workflow
    async def resting(run: Run) -> str:
        await note(run, 1)
        await run.pause("rest", 3600)
        await run.pause("rest again")
        await note(run, 2)
        return "done"

    _, run = await new_run(config)
    for reason in ("rest", "rest again"):
        with pytest.raises(pgqrs.PausedError):
            await resting(run)
        info = await run.info()
        assert info.status is WorkflowStatus.Paused
        assert info.error is not None
        assert info.error["message"] == reason
        await run.resume()
    assert await resting(run) == await resting(run) == "done"
    assert calls == [1, 2]


# Cancellation


async def cancelled_by_what_it_awaits() -> None:
    task = asyncio.create_task(asyncio.sleep(3600))
    task.cancel()
    await task


@pytest.mark.parametrize("in_step", [True, False])
async def test_a_cancellation_of_its_own_fails_the_run(config: pgqrs.Config, in_step: bool) -> None:
    @pgqrs.step
    async def act(run: Run) -> None:
        await cancelled_by_what_it_awaits()

    @pgqrs.workflow
    async def cancelled(run: Run) -> None:
        calls.append("called")
        await (act(run) if in_step else cancelled_by_what_it_awaits())

    store = await pgqrs.connect_with(config)
    run = await store.trigger(cancelled)
    async with pgqrs.WorkflowWorker(store, [cancelled]):
        with pytest.raises(pgqrs.WorkflowError):
            await run.result(LONG)
    info = await run.info()
    assert info.status is WorkflowStatus.Error
    assert info.error is not None
    assert info.error["code"] == "CancelledError"
    assert info.error.get("step") == ("act" if in_step else None)
    assert calls == ["called"]


async def test_a_cancellation_that_is_caught_is_the_same_in_a_replay(
    config: pgqrs.Config,
) -> None:
    @pgqrs.step
    async def act(run: Run) -> None:
        await cancelled_by_what_it_awaits()

    @pgqrs.workflow
    async def catching(run: Run) -> None:
        try:
            await act(run)
        except asyncio.CancelledError:
            calls.append("caught")
        await run.sleep(60)

    _, run = await new_run(config)
    with pytest.raises(pgqrs.StepNotReadyError):
        await catching(run)
    await catching(run.with_time(from_now(61)))
    assert calls == ["caught"] * 2


async def test_a_cancelled_task_leaves_the_run_as_it_was(config: pgqrs.Config) -> None:
    @pgqrs.workflow
    async def waiting(run: Run) -> None:
        await note(run, 1)
        await asyncio.sleep(3600)

    _, run = await new_run(config)
    task = asyncio.create_task(waiting(run))
    while not calls:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await status_of(run) is WorkflowStatus.Running


# Threads


def test_threads_of_a_workflow_call_no_steps(config: pgqrs.Config) -> None:
    late: list[Any] = []
    go = threading.Event()

    @pgqrs.sync.step
    def act(run: pgqrs.sync.Run, value: Any) -> Any:
        calls.append(value)
        return value

    def act_later(run: pgqrs.sync.Run) -> None:
        go.wait(LONG)
        act(run, "late")

    @pgqrs.sync.workflow
    def threading_(run: pgqrs.sync.Run, kind: str) -> Any:
        with ThreadPoolExecutor(1) as threads:
            if kind == "step":
                return threads.submit(act, run, 1).result()
            if kind == "sleep":
                return threads.submit(run.sleep, 1).result()
        late.append(executor.submit(act_later, run))
        return act(run, "in its own thread")

    with (
        ThreadPoolExecutor(1) as executor,
        pgqrs.sync.connect_with(config) as store,
        pgqrs.sync.WorkflowWorker(store, [threading_]),
    ):
        for kind in ("step", "sleep"):
            with pytest.raises(pgqrs.WorkflowError, match="in another thread"):
                store.trigger(threading_, kind).result(LONG)
        assert store.trigger(threading_, "late").result(LONG) == "in its own thread"
        by_hand = pgqrs.sync.admin(store).create_workflow("by hand", "late")
        threading_(by_hand, "late")
        go.set()
        for each in late:
            with pytest.raises(pgqrs.PgqrsError, match="has ended"):
                each.result(LONG)
    assert calls == ["in its own thread"] * 2


def test_a_plain_workflow_that_raises_a_cancellation_has_failed(config: pgqrs.Config) -> None:
    @pgqrs.sync.workflow
    def raising(run: pgqrs.sync.Run, kind: str) -> None:
        raise {"asyncio": asyncio.CancelledError, "futures": CancelledError}[kind]("no")

    with (
        pgqrs.sync.connect_with(config) as store,
        pgqrs.sync.WorkflowWorker(store, [raising]),
    ):
        for kind in ("asyncio", "futures"):
            with pytest.raises(pgqrs.WorkflowError, match="no"):
                store.trigger(raising, kind).result(LONG)
