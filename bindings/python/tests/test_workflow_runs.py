"""Runs that are executed by hand, and the records of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

import pgqrs
from pgqrs import StepResultStatus, WorkflowStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


async def new_run(config: pgqrs.Config, input: Any = None) -> tuple[pgqrs.Store, pgqrs.Run]:
    store = await pgqrs.connect_with(config)
    return store, await pgqrs.admin(store).create_workflow("greet", input)


async def status_of(run: pgqrs.Run) -> WorkflowStatus:
    return (await run.info()).status


def later(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


async def test_builders_make_trigger_and_find(config: pgqrs.Config) -> None:
    store = await pgqrs.connect_with(config)
    builder = pgqrs.workflow().name("greet").store(store)
    record = await builder.create()
    assert (record.name, (await builder.create()).id) == ("greet", record.id)
    assert [queue.queue_name for queue in await (await store.get_queues()).list()] == ["greet"]
    message = await builder.trigger({"to": "ada"}).execute()
    assert (message.payload, message.queue_id) == ({"to": "ada"}, record.queue_id)
    run = await pgqrs.run().message(message).store(store).execute()
    assert (run.id(), run.input, run.current_time) == (message.id, {"to": "ada"}, None)
    assert await (await store.get_workflows()).get_by_name("greet")
    with pytest.raises(pgqrs.ValidationError, match="no workflow 'other'"):
        await (await store.get_workflows()).get_by_name("other")
    with pytest.raises(pgqrs.QueueNotFoundError, match="other"):
        await pgqrs.workflow().name("other").store(store).trigger(None).execute()
    for incomplete in (pgqrs.workflow().name("x"), pgqrs.workflow().store(store)):
        with pytest.raises(pgqrs.ValidationError):
            await incomplete.create()


async def test_a_run_goes_to_its_success(config: pgqrs.Config) -> None:
    store, run = await new_run(config, {"a": 1})
    assert await status_of(run) is WorkflowStatus.Queued
    await run.start()
    assert await status_of(run) is WorkflowStatus.Running
    step = await run.acquire_step("one")
    assert step.status is StepResultStatus.Execute
    assert str(step.status) == "EXECUTE"
    await step.guard.success([1, 2])
    again = await pgqrs.step().run(run).name("one").execute()
    assert (again.status, again.value) == (StepResultStatus.Skipped, [1, 2])
    with pytest.raises(pgqrs.PgqrsError):
        again.guard  # noqa: B018
    message_builder = pgqrs.run().store(store).message(await find(store, run))
    assert await message_builder.get() is None
    await run.success({"done": True})
    assert await message_builder.get() == {"done": True}
    assert await message_builder.result() == {"done": True}
    [record] = await (await store.get_workflow_runs()).list()
    assert (record.id, record.message_id) == (run.id(), run.id())
    assert (record.status, record.input) == (WorkflowStatus.Success, {"a": 1})
    assert (record.output, record.error) == ({"done": True}, None)
    assert datetime.fromisoformat(record.created_at) <= datetime.fromisoformat(record.updated_at)
    [row] = await (await store.get_workflow_steps()).list()
    assert (row.run_id, row.step_name, row.status) == (run.id(), "one", WorkflowStatus.Success)
    assert (row.output, row.error, row.retry_at) == ([1, 2], None, None)
    with pytest.raises(pgqrs.ValidationError, match="Success"):
        await run.start()
    await pgqrs.admin(store).verify()


async def find(store: pgqrs.Store, run: pgqrs.Run) -> pgqrs.QueueMessage:
    message = await (await store.get_messages()).get(run.id())
    assert message is not None
    return message


async def test_a_run_that_failed_does_not_start_again(config: pgqrs.Config) -> None:
    store, run = await new_run(config)
    await run.start()
    await run.fail("out of paper")
    info = await run.info()
    assert info.status is WorkflowStatus.Error
    assert info.error is not None
    assert info.error["message"] == "out of paper"
    assert info.error["is_transient"] is False
    with pytest.raises(pgqrs.ValidationError, match="Error"):
        await run.start()
    with pytest.raises(pgqrs.PgqrsError, match="out of paper"):
        await pgqrs.run().message(await find(store, run)).store(store).result()


async def test_a_paused_run_is_resumed_by_its_start(config: pgqrs.Config) -> None:
    _, run = await new_run(config)
    await run.start()
    await run.pause("wait", 30)
    info = await run.info()
    assert info.status is WorkflowStatus.Paused
    assert info.error is not None
    assert info.error["message"] == "wait"
    await run.start()
    assert await status_of(run) is WorkflowStatus.Running
    await run.complete("done")
    assert await run.result() == "done"


async def test_cancel(config: pgqrs.Config) -> None:
    store, queued = await new_run(config)
    assert await queued.cancel()
    assert await status_of(queued) is WorkflowStatus.Cancelled
    assert not await queued.cancel()
    running = await pgqrs.admin(store).create_workflow("greet")
    await running.start()
    await running.cancel()
    assert await status_of(running) is WorkflowStatus.Cancelling
    with pytest.raises(pgqrs.ValidationError, match="Cancelling"):
        await running.start()
    with pytest.raises(pgqrs.PgqrsError, match="was cancelled"):
        await running.acquire_step("one")
    assert await status_of(running) is WorkflowStatus.Cancelled
    paused = await pgqrs.admin(store).create_workflow("greet")
    await paused.start()
    await paused.pause("wait", 30)
    await paused.cancel()
    assert await status_of(paused) is WorkflowStatus.Cancelled


async def test_retries_of_a_step(config: pgqrs.Config) -> None:
    _, run = await new_run(config)
    await run.start()
    step = await run.acquire_step("fetch")
    await step.guard.fail_transient("TIMEOUT", "no answer")
    with pytest.raises(pgqrs.StepNotReadyError, match="no answer"):
        await run.acquire_step("fetch")
    seconds = 2.0
    for _ in range(3):
        step = await run.acquire_step("fetch", current_time=later(seconds))
        await step.guard.fail_transient("TIMEOUT", "no answer")
        seconds = 2 * seconds + 60
    with pytest.raises(pgqrs.RetriesExhaustedError):
        await run.acquire_step("fetch", current_time=later(10_000))


async def test_the_time_of_a_retry_counts_from_the_given_time(config: pgqrs.Config) -> None:
    _, run = await new_run(config)
    at = datetime(2024, 1, 15, 10, tzinfo=UTC)
    past = run.with_time(at.isoformat())
    assert past.current_time == at.isoformat()
    step = await past.acquire_step("fetch")
    await step.guard.fail_transient("RATE_LIMITED", "too many", retry_after=10.0)
    with pytest.raises(pgqrs.StepNotReadyError):
        await past.acquire_step("fetch")
    with pytest.raises(pgqrs.StepNotReadyError):
        await run.with_time((at + timedelta(seconds=9)).isoformat()).acquire_step("fetch")
    builder = pgqrs.step().run(run).id("fetch").with_time(at + timedelta(seconds=11))
    assert (await builder.execute()).status is StepResultStatus.Execute


async def test_a_step_that_failed_for_good(config: pgqrs.Config) -> None:
    store, run = await new_run(config)
    step = await run.acquire_step("print")
    await step.guard.fail("no paper")
    await run.fail_step("cut", {"message": "blunt", "code": "KNIFE"})
    for name in ("print", "cut"):
        with pytest.raises(pgqrs.RetriesExhaustedError):
            await run.acquire_step(name)
    rows = {row.step_name: row for row in await (await store.get_workflow_steps()).list()}
    assert rows["print"].error is not None
    assert rows["print"].error["message"] == "no paper"
    assert rows["cut"].error is not None
    assert rows["cut"].error["code"] == "KNIFE"


async def test_two_executions_of_a_run_fence_each_other(config: pgqrs.Config) -> None:
    store, first = await new_run(config)
    step = await first.acquire_step("one")
    second = await pgqrs.run().message(await find(store, first)).store(store).execute()
    await second.start()
    with pytest.raises(pgqrs.PgqrsError, match="another execution"):
        await step.guard.success(1)
    assert (await second.acquire_step("one")).status is StepResultStatus.Execute


@pytest.mark.parametrize(
    "act",
    [
        lambda run: run.acquire_step(""),
        lambda run: run.acquire_step("x" * 256),
        lambda run: run.with_time("2024-13-01").acquire_step("one"),
        lambda run: run.pause("x", -1),
        lambda run: run.fail_step("x", {"message": object()}),
        lambda run: run.success(object()),
    ],
)
async def test_bad_input(
    config: pgqrs.Config, act: Callable[[pgqrs.Run], Coroutine[Any, Any, Any]]
) -> None:
    _, run = await new_run(config)
    await run.start()
    with pytest.raises((pgqrs.ValidationError, pgqrs.SerializationError)):
        await act(run)
    assert await status_of(run) is WorkflowStatus.Running


async def test_a_negative_retry_after_is_refused(config: pgqrs.Config) -> None:
    _, run = await new_run(config)
    step = await run.acquire_step("one")
    with pytest.raises(ValueError, match="retry_after must be non-negative"):
        await step.guard.fail_transient("X", "x", retry_after=-5.0)


async def test_a_run_that_is_not_there(config: pgqrs.Config) -> None:
    store = await pgqrs.connect_with(config)
    with pytest.raises(pgqrs.ValidationError):
        await (await store.get_workflow_runs()).get(123)
    with pytest.raises(pgqrs.ValidationError):
        await store.send_event(123, "x")


async def test_runs_are_listed_retried_and_forked(config: pgqrs.Config) -> None:
    store, run = await new_run(config, 1)
    for number in range(2, 4):
        await store.trigger("greet", number, idempotency_key=f"key {number}")
    again = await store.trigger("greet", 9, idempotency_key="key 2")
    runs = await store.get_workflow_runs()
    assert [each.input for each in await runs.list()] == [1, 2, 3]
    assert [each.input for each in await runs.list(newest_first=True, limit=2)] == [3, 2]
    [keyed] = await runs.list(idempotency_key="key 2")
    assert (keyed.id, keyed.idempotency_key) == (again.id(), "key 2")
    await run.complete_step("one", 11)
    await run.fail("no")
    assert [each.id for each in await runs.list(status=WorkflowStatus.Error)] == [run.id()]
    await runs.retry(run.id())
    assert await status_of(run) is WorkflowStatus.Queued
    fork = await runs.fork(run.id(), "one")
    assert (fork.input, await (await store.get_workflow_steps()).list(run_id=fork.id())) == (1, [])
    assert await runs.cancel_many(workflow="greet") == 4
    assert await (await store.get_workflows()).apply_retention("greet", max_count=1) == 3
    await pgqrs.admin(store).verify()
