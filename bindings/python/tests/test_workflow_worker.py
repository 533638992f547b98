"""Workers that execute runs, and polls that do."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
from typing import Any

import pytest

import pgqrs
import pgqrs.sync
from pgqrs import Run, WorkflowStatus

LONG = 60


@pgqrs.step
async def add(run: Run, a: int, b: int) -> int:
    return a + b


@pgqrs.workflow(name="sum")
async def sum_up(run: Run, numbers: list[int]) -> int:
    total = 0
    for number in numbers:
        total = await add(run, total, number)
    return total


async def test_runs_are_executed(config: pgqrs.Config) -> None:
    store = await pgqrs.connect_with(config)
    runs = [await store.trigger(sum_up, [n, 1, 2]) for n in range(20)]
    worker = pgqrs.WorkflowWorker(store, [sum_up], concurrency=8)
    async with worker:
        results = await asyncio.gather(*(run.result(LONG) for run in runs))
    assert results == [n + 3 for n in range(20)]
    assert (worker.succeeded, worker.failed) == (20, 0)
    assert await (await store.get_messages()).count() == 0
    await pgqrs.admin(store).verify()


async def test_each_run_has_one_place_at_least(config: pgqrs.Config) -> None:
    store = await pgqrs.connect_with(config)
    runs = [await store.trigger(sum_up, [n]) for n in range(5)]
    async with pgqrs.WorkflowWorker(store, [sum_up]):
        assert [await run.result(LONG) for run in runs] == list(range(5))


async def test_a_retry_triggers_a_failed_child_again(config: pgqrs.Config) -> None:
    works = False

    @pgqrs.workflow
    async def child(run: Run) -> int:
        if not works:
            raise ValueError("not yet")
        return 5

    @pgqrs.workflow
    async def parent(run: Run) -> Any:
        return await (await run.child(child)).result()

    store = await pgqrs.connect_with(config)
    run = await store.trigger(parent)
    async with pgqrs.WorkflowWorker(store, [parent, child]):
        with pytest.raises(pgqrs.WorkflowError, match="not yet"):
            await run.result(LONG)
        works = True
        await (await store.get_workflow_runs()).retry(run.id())
        assert await run.result(LONG) == 5


async def test_waits_hold_nothing(config: pgqrs.Config) -> None:
    @pgqrs.workflow
    async def double(run: Run, number: int) -> int:
        await run.sleep(0.05)
        return 2 * number

    @pgqrs.workflow
    async def parent(run: Run, number: int) -> int:
        children = [await run.child(double, number), await run.child(double, number + 1)]
        sent = await run.wait_event("go")
        results = await asyncio.gather(*(child.result() for child in children))
        total: int = sum(results) + int(sent)
        return total

    store = await pgqrs.connect_with(config)
    runs = [await store.trigger(parent, number) for number in range(3)]
    worker = pgqrs.WorkflowWorker(store, [parent, double])
    async with worker:
        for run in runs:
            await store.send_event(run, "go", 100)
        results = await asyncio.gather(*(run.result(LONG) for run in runs))
    assert results == [102 + 4 * number for number in range(3)]
    assert worker.failed == 0
    assert worker.succeeded == 9


async def test_a_retry_occupies_no_worker(config: pgqrs.Config) -> None:
    tries: list[int] = []

    @pgqrs.step(retries=pgqrs.StepRetryPolicy(3, pgqrs.BackoffStrategy.fixed(0.05)))
    async def flaky(run: Run) -> int:
        tries.append(1)
        if len(tries) < 3:
            raise OSError("no line")
        return len(tries)

    @pgqrs.workflow
    async def trying(run: Run) -> int:
        return await flaky(run)

    store = await pgqrs.connect_with(config)
    run = await store.trigger(trying)
    async with pgqrs.WorkflowWorker(store, [trying]) as worker:
        assert await run.result(LONG) == 3
    assert worker.suspended == 2


async def test_a_failure_is_counted_and_told(config: pgqrs.Config) -> None:
    @pgqrs.step
    async def print_it(run: Run) -> None:
        raise ValueError("no paper")

    @pgqrs.workflow
    async def failing(run: Run) -> None:
        await print_it(run)

    store = await pgqrs.connect_with(config)
    run = await store.trigger(failing)
    async with pgqrs.WorkflowWorker(store, [failing]) as worker:
        with pytest.raises(pgqrs.WorkflowError, match="no paper") as caught:
            await run.result(LONG)
    assert (caught.value.code, caught.value.step) == ("ValueError", "print_it")
    assert (worker.succeeded, worker.failed) == (0, 1)


async def test_runs_go_on_with_their_version(config: pgqrs.Config) -> None:
    async def old(run: Run) -> str:
        await run.wait_event("go")
        return "old"

    async def new(run: Run) -> str:
        return "new"

    first, second = (
        pgqrs.workflow(name="versions", version=number)(function)
        for number, function in ((1, old), (2, new))
    )
    store = await pgqrs.connect_with(config)
    old_run = await store.trigger(first)
    async with pgqrs.WorkflowWorker(store, [first]) as worker:
        while not worker.suspended:
            await asyncio.sleep(0.01)
    new_run = await store.trigger("versions")
    async with pgqrs.WorkflowWorker(store, [first, second]):
        assert await new_run.result(LONG) == "new"
        await store.send_event(old_run, "go")
        assert await old_run.result(LONG) == "old"


async def test_a_stop_gives_the_runs_back(config: pgqrs.Config) -> None:
    begun, go = asyncio.Event(), asyncio.Event()
    steps: list[int] = []

    @pgqrs.step
    async def long(run: Run, number: int) -> int:
        steps.append(number)
        begun.set()
        await go.wait()
        return number

    @pgqrs.workflow
    async def working(run: Run) -> list[int]:
        return [await long(run, number) for number in range(3)]

    store = await pgqrs.connect_with(config)
    run = await store.trigger(working)
    async with pgqrs.WorkflowWorker(store, [working], lease=3600) as worker:
        await asyncio.wait_for(begun.wait(), LONG)
        worker.stop()
        await asyncio.sleep(0)
        go.set()
    assert steps == [0]
    assert worker.suspended == 1
    assert (await run.info()).status is WorkflowStatus.Running
    async with pgqrs.WorkflowWorker(store, [working], lease=3600):
        assert await run.result(LONG) == [0, 1, 2]
    assert steps == [0, 1, 2]


async def test_a_worker_goes_on_without_a_queue_that_was_deleted(
    config: pgqrs.Config, caplog: pytest.LogCaptureFixture
) -> None:
    @pgqrs.workflow
    async def other(run: Run) -> None: ...

    store = await pgqrs.connect_with(config)
    run = await store.trigger(other)
    worker = pgqrs.WorkflowWorker(store, [other, sum_up])
    running = asyncio.ensure_future(worker.run())
    await run.result(LONG)
    await pgqrs.admin(store).delete_queue("other", force=True)
    while "'other' are executed no more" not in caplog.text:
        await asyncio.sleep(0.01)
    assert await (await store.trigger(sum_up, [1, 2])).result(LONG) == 3
    await pgqrs.admin(store).delete_queue("sum", force=True)
    with pytest.raises(pgqrs.QueueNotFoundError, match="sum"):
        await asyncio.wait_for(running, LONG)


async def test_sigterm_stops_a_worker(config: pgqrs.Config) -> None:
    @pgqrs.workflow
    async def kill(run: Run) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    store = await pgqrs.connect_with(config)
    await store.trigger(kill)
    worker = pgqrs.WorkflowWorker(store, [kill])
    await asyncio.wait_for(worker.run(handle_signals=True), LONG)
    with pytest.raises(pgqrs.PgqrsError, match="runs already"):
        await worker.run()


async def test_a_cancelled_run_and_a_paused_one(config: pgqrs.Config) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    @pgqrs.step
    async def wait(run: Run) -> None:
        begun.set()
        await go.wait()

    @pgqrs.workflow
    async def waiting(run: Run) -> str:
        await wait(run)
        await add(run, 1, 2)
        return "done"

    store = await pgqrs.connect_with(config)
    for act in ("cancel", "pause"):
        begun.clear()
        go.clear()
        run = await store.trigger(waiting)
        async with pgqrs.WorkflowWorker(store, [waiting]):
            await asyncio.wait_for(begun.wait(), LONG)
            await getattr(run, act)()
            go.set()
            if act == "cancel":
                with pytest.raises(pgqrs.WorkflowError):
                    await run.result(LONG)
                continue
            while (await run.info()).status is not WorkflowStatus.Paused:
                await asyncio.sleep(0.01)
            await run.resume()
            assert await run.result(LONG) == "done"


@pytest.mark.parametrize(
    "arguments",
    [{"concurrency": 0}, {"lease": 0.01}, {"workflows": []}, {"workflows": [sum_up, sum_up]}],
)
async def test_bad_arguments(config: pgqrs.Config, arguments: dict[str, Any]) -> None:
    store = await pgqrs.connect_with(config)
    with pytest.raises(pgqrs.ValidationError):
        pgqrs.WorkflowWorker(store, **{"workflows": [sum_up], **arguments})
    with pytest.raises(TypeError, match="WorkflowDef"):
        pgqrs.WorkflowWorker(store, ["sum"])  # type: ignore[list-item]


# Polls


async def poll_until(store: pgqrs.Store, workflow: Any, run: Run, status: WorkflowStatus) -> None:
    consumer = await store.consumer(workflow.name)
    polling = asyncio.ensure_future(
        pgqrs.dequeue().worker(consumer).poll_interval(10).handle_workflow(workflow).poll(store)
    )
    while (await run.info()).status is not status and not polling.done():
        await asyncio.sleep(0.01)
    if polling.done():
        polling.result()
    await consumer.interrupt()
    with pytest.raises(pgqrs.PgqrsError, match="interrupted"):
        await polling


async def test_a_poll_executes_runs(config: pgqrs.Config) -> None:
    store = await pgqrs.connect_with(config)
    run = await store.trigger(sum_up, [1, 2, 3])
    await poll_until(store, sum_up, run, WorkflowStatus.Success)
    assert await run.result() == 6
    assert await (await store.get_messages()).count() == 0


async def test_a_message_that_no_trigger_made_becomes_a_run(config: pgqrs.Config) -> None:
    store = await pgqrs.connect_with(config)
    record = await pgqrs.workflow().name("sum").store(store).create()
    message_id = await pgqrs.produce(store, "sum", [4, 5])
    run = Run(store, message_id, record.queue_id, [4, 5])
    async with pgqrs.WorkflowWorker(store, [sum_up]):
        while not await (await store.get_workflow_runs()).list():
            await asyncio.sleep(0.01)
        assert await run.result(LONG) == 9


async def test_a_crash_comes_out_of_the_poll(config: pgqrs.Config) -> None:
    class Crash(BaseException):
        pass

    @pgqrs.workflow
    async def crashing(run: Run) -> None:
        raise Crash

    store = await pgqrs.connect_with(config)
    run = await store.trigger(crashing)
    consumer = await store.consumer("crashing")
    with pytest.raises(Crash):
        await pgqrs.dequeue().worker(consumer).handle_workflow(crashing).poll(store)
    assert (await run.info()).status is WorkflowStatus.Running
    assert (await store.metrics("crashing")).locked_messages == 1
    assert await consumer.release(run.id())


# Without async


def test_workflows_without_async(config: pgqrs.Config) -> None:
    @pgqrs.sync.step
    def twice(run: pgqrs.sync.Run, number: int) -> int:
        return 2 * number

    @pgqrs.sync.workflow(name="twice")
    def doubling(run: pgqrs.sync.Run, number: int) -> int:
        threads.add(threading.get_ident())
        first = twice(run, number)
        run.sleep(0)
        return twice(run, first)

    threads: set[int] = set()
    with pgqrs.sync.connect_with(config) as store:
        run = store.trigger(doubling, 3)
        assert doubling(run, 3) == 12
        runs = [store.trigger(doubling, number) for number in range(5)]
        with pgqrs.sync.WorkflowWorker(store, [doubling], concurrency=2) as worker:
            assert [each.result(LONG) for each in runs] == [0, 4, 8, 12, 16]
        assert worker.succeeded == 5
        assert len(threads) > 1
        with pytest.raises(TypeError, match="plain function"):
            pgqrs.sync.step(add)  # type: ignore[arg-type]


# Leaks


async def test_nothing_of_a_run_stays(config: pgqrs.Config) -> None:
    store = await pgqrs.connect_with(config)
    runs = [await store.trigger(sum_up, [n]) for n in range(20)]
    async with pgqrs.WorkflowWorker(store, [sum_up], concurrency=4):
        for run in runs:
            await run.result(LONG)
    del runs, run
    await asyncio.sleep(0)
    gc.collect()
    kinds = ("RunControl", "ClaimedStep", "Execution")
    assert not [each for each in gc.get_objects() if type(each).__name__ in kinds]


async def test_a_workflow_is_no_handler_of_messages(config: pgqrs.Config) -> None:
    store = await pgqrs.connect_with(config)

    @pgqrs.workflow
    async def flow(run: pgqrs.Run, given: Any) -> Any:
        return given

    with pytest.raises(TypeError, match="WorkflowWorker"):
        pgqrs.Worker(store, "flow", flow)
