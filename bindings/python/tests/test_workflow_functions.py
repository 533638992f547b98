"""Workflows as functions: their steps, replays, waits and ends."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pydantic
import pytest
from workflow_helpers import calls, from_now, new_run, note, status_of, steps_of

import pgqrs
import pgqrs.decorators
from pgqrs import Run, WorkflowStatus

if TYPE_CHECKING:
    from collections.abc import Callable


@pgqrs.workflow(name="notes")
async def notes(run: Run, values: list[Any]) -> list[Any]:
    return [await note(run, value) for value in values]


def test_names_and_types() -> None:
    assert (notes.name, notes.version) == ("notes", 1)
    assert isinstance(notes, pgqrs.decorators.WorkflowDef)
    assert pgqrs.decorators.workflow is pgqrs.workflow
    assert pgqrs.decorators.step is pgqrs.step

    @pgqrs.workflow
    async def bare(run: Run) -> None: ...

    assert bare.name == "bare"
    with pytest.raises(ValueError, match="empty"):
        pgqrs.workflow(name="")
    with pytest.raises(TypeError):
        pgqrs.workflow(name=7)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="coroutine function"):
        pgqrs.workflow(lambda run: run)  # type: ignore[arg-type, return-value]
    with pytest.raises(TypeError, match="coroutine function"):
        pgqrs.step(len)  # type: ignore[arg-type]
    with pytest.raises(pgqrs.ValidationError):
        pgqrs.workflow(version=0)(bare._function)


async def test_the_first_argument_is_a_run() -> None:
    for function in (notes, note):
        with pytest.raises(TypeError, match="Run"):
            await function("no run", [])  # type: ignore[arg-type]


async def test_calls_of_one_name_are_steps_of_their_own(config: pgqrs.Config) -> None:
    store, run = await new_run(config, ["a", "b", "a"])
    assert await notes(run, run.input) == ["a", "b", "a"]
    assert calls == ["a", "b", "a"]
    rows = await steps_of(store, run)
    assert [(row.step_name, row.ordinal, row.output) for row in rows] == [
        ("note", 0, "a"),
        ("note", 1, "b"),
        ("note", 2, "a"),
    ]
    info = await run.info()
    assert (info.status, info.output) == (WorkflowStatus.Success, ["a", "b", "a"])
    assert await (await store.get_messages()).count() == 0
    await pgqrs.admin(store).verify()


async def test_a_run_that_has_succeeded_is_replayed(config: pgqrs.Config) -> None:
    _, run = await new_run(config, [1, 2])
    assert await notes(run, [1, 2]) == await notes(run, [1, 2]) == [1, 2]
    assert calls == [1, 2]
    with pytest.raises(pgqrs.NonDeterminismError):
        await notes(run, [1, 2, 3])
    assert await status_of(run) is WorkflowStatus.Success


async def test_what_a_step_raises_comes_out(config: pgqrs.Config) -> None:
    @pgqrs.step
    async def fail(run: Run) -> None:
        raise ValueError("no paper")

    @pgqrs.workflow
    async def failing(run: Run) -> None:
        await fail(run)

    store, run = await new_run(config)
    with pytest.raises(ValueError, match="no paper"):
        await failing(run)
    info = await run.info()
    assert info.status is WorkflowStatus.Error
    assert info.error is not None
    assert (info.error["message"], info.error["code"]) == ("no paper", "ValueError")
    assert info.error["step"] == "fail"
    [row] = await steps_of(store, run)
    assert row.status is WorkflowStatus.Error
    assert row.error is not None
    assert row.error["is_transient"] is False
    with pytest.raises(pgqrs.PgqrsError, match="no paper"):
        await run.result()
    with pytest.raises(pgqrs.ValidationError, match="Error"):
        await failing(run)


async def test_an_error_that_is_caught_is_the_same_in_a_replay(config: pgqrs.Config) -> None:
    seen: list[str] = []

    @pgqrs.step
    async def fail(run: Run) -> None:
        calls.append("fail")
        raise LookupError("not there")

    @pgqrs.workflow
    async def catching(run: Run) -> str:
        try:
            await fail(run)
        except LookupError as error:
            seen.append(str(error))
        await run.sleep(60)
        return "done"

    _, run = await new_run(config)
    with pytest.raises(pgqrs.StepNotReadyError):
        await catching(run)
    assert await catching(run.with_time(from_now(61))) == "done"
    assert (calls, seen) == (["fail"], ["not there", "not there"])


async def test_a_transient_failure_is_tried_again(config: pgqrs.Config) -> None:
    @pgqrs.step
    async def fetch(run: Run) -> int:
        calls.append("fetch")
        if len(calls) < 3:
            raise pgqrs.TransientStepError("busy", code="HTTP_429", retry_after=30)
        return len(calls)

    @pgqrs.workflow
    async def fetching(run: Run) -> int:
        return await fetch(run)

    store, run = await new_run(config)
    with pytest.raises(pgqrs.TransientStepError, match="busy"):
        await fetching(run)
    assert await status_of(run) is WorkflowStatus.Running
    assert await (await store.get_messages()).count() == 1
    [row] = await steps_of(store, run)
    assert row.status is WorkflowStatus.Error
    assert row.error is not None
    assert (row.error["code"], row.error["is_transient"]) == ("HTTP_429", True)
    assert row.retry_at is not None
    with pytest.raises(pgqrs.StepNotReadyError):
        await fetching(run.with_time(from_now(20)))
    with pytest.raises(pgqrs.TransientStepError):
        await fetching(run.with_time(from_now(40)))
    assert await fetching(run.with_time(from_now(80))) == 3


@pytest.mark.parametrize("retries", [2, pgqrs.StepRetryPolicy(2)])
async def test_retries_are_used_up(config: pgqrs.Config, retries: Any) -> None:
    @pgqrs.step(retries=retries)
    async def fetch(run: Run) -> None:
        calls.append("fetch")
        raise OSError("no line")

    @pgqrs.workflow
    async def fetching(run: Run) -> None:
        await fetch(run)

    _, run = await new_run(config)
    for seconds in (0, 100):
        with pytest.raises(OSError, match="no line"):
            await fetching(run.with_time(from_now(seconds)))
    with pytest.raises(pgqrs.RetriesExhaustedError, match="failed 3 times: no line"):
        await fetching(run.with_time(from_now(300)))
    assert calls == ["fetch"] * 3
    assert await status_of(run) is WorkflowStatus.Error


async def test_a_step_has_a_timeout(config: pgqrs.Config) -> None:
    @pgqrs.step(timeout=0.01)
    async def slow(run: Run) -> None:
        await asyncio.sleep(60)

    @pgqrs.workflow
    async def waiting(run: Run) -> None:
        await slow(run)

    store, run = await new_run(config)
    with pytest.raises(pgqrs.PgqrsError, match="longer than"):
        await waiting(run)
    [row] = await steps_of(store, run)
    assert row.error is not None
    assert row.error["code"] == "StepTimeout"


@pytest.mark.parametrize("raised", [pgqrs.PausedError, pgqrs.StepNotReadyError])
async def test_a_step_pauses_the_run(config: pgqrs.Config, raised: type[Exception]) -> None:
    @pgqrs.step
    async def ask(run: Run) -> str:
        calls.append("ask")
        if len(calls) == 1:
            await run.pause("wait for the boss", 3600)
            raise raised("paused")
        return "yes"

    @pgqrs.workflow
    async def asking(run: Run) -> str:
        return await ask(run)

    store, run = await new_run(config)
    with pytest.raises(raised):
        await asking(run)
    info = await run.info()
    assert info.status is WorkflowStatus.Paused
    assert info.error is not None
    assert info.error["message"] == "wait for the boss"
    [row] = await steps_of(store, run)
    assert row.status is WorkflowStatus.Error
    assert row.error is not None
    assert (row.error["code"], row.error["is_transient"]) == ("PAUSED", True)
    assert row.retry_at is not None
    await run.resume()
    assert await asking(run) == "yes"


async def test_a_cancelled_run_ends_at_its_next_step(config: pgqrs.Config) -> None:
    @pgqrs.workflow
    async def cancelled(run: Run) -> None:
        await note(run, 1)
        await run.cancel()
        try:
            await note(run, 2)
        except Exception:
            calls.append("caught")
        await note(run, 3)

    store, run = await new_run(config)
    with pytest.raises(pgqrs.WorkflowError, match="was cancelled") as caught:
        await cancelled(run)
    assert caught.value.code == "Cancelled"
    assert calls == [1, 2]
    assert await status_of(run) is WorkflowStatus.Cancelled
    assert len(await steps_of(store, run)) == 2


async def test_a_crash_leaves_the_run_as_it_was(config: pgqrs.Config) -> None:
    class Crash(BaseException):
        pass

    @pgqrs.workflow
    async def crashing(run: Run, crashes: bool) -> str:
        await note(run, "before")
        if crashes:
            raise Crash
        return "done"

    _, run = await new_run(config)
    with pytest.raises(Crash):
        await crashing(run, True)
    assert await status_of(run) is WorkflowStatus.Running
    assert await crashing(run, False) == "done"
    assert calls == ["before"]


async def test_changed_code_is_noticed(config: pgqrs.Config) -> None:
    @pgqrs.step
    async def other(run: Run) -> None: ...

    @pgqrs.workflow
    async def changing(run: Run, kind: str) -> None:
        if kind == "other":
            await other(run)
        if kind != "missing":
            await note(run, 1)
        await run.sleep(60)

    _, run = await new_run(config)
    with pytest.raises(pgqrs.StepNotReadyError):
        await changing(run, "first")
    for kind in ("other", "missing"):
        with pytest.raises(pgqrs.NonDeterminismError, match="is recorded"):
            await changing(run.with_time(from_now(61)), kind)
        info = await run.info()
        assert info.status is WorkflowStatus.Paused
        assert info.error is not None
        assert info.error["code"] == "NonDeterminismError"
    await changing(run.with_time(from_now(61)), "first")
    assert calls == [1]


async def test_time_and_uuids_are_recorded(config: pgqrs.Config) -> None:
    seen: list[Any] = []

    @pgqrs.workflow
    async def recording(run: Run) -> None:
        seen.append((await run.now(), await run.random_uuid(), await run.random_uuid()))
        await run.sleep(timedelta(minutes=1))

    _, run = await new_run(config)
    with pytest.raises(pgqrs.StepNotReadyError, match="sleeps"):
        await recording(run)
    await recording(run.with_time(from_now(61)))
    first, second = seen
    assert first == second
    now, one, other = first
    assert abs(now - datetime.now(UTC)) < timedelta(minutes=5)
    assert isinstance(one, uuid.UUID)
    assert one != other


async def test_events_are_received_in_their_order(config: pgqrs.Config) -> None:
    @pgqrs.workflow
    async def receiving(run: Run) -> list[Any]:
        first = await run.wait_event("word")
        second = await run.wait_event("word", timeout=3600)
        return [first, second, await run.wait_event("never", timeout=0)]

    store, run = await new_run(config)
    with pytest.raises(pgqrs.StepNotReadyError, match="'word'"):
        await receiving(run)
    await store.send_event(run, "word", {"n": 1})
    await store.send_event(run.id(), "word", 2)
    assert await receiving(run) == [{"n": 1}, 2, None]
    assert await receiving(run) == [{"n": 1}, 2, None]
    with pytest.raises(pgqrs.ValidationError, match="Success"):
        await store.send_event(run, "word")


async def test_a_child_gives_its_result(config: pgqrs.Config) -> None:
    @pgqrs.workflow
    async def double(run: Run, number: int) -> int:
        if number < 0:
            raise ValueError("is negative")
        return 2 * number

    @pgqrs.workflow
    async def parent(run: Run, number: int) -> int:
        child = await run.child(double, number)
        calls.append(child.id())
        result: int = await child.result()
        return result + 1

    store, first = await new_run(config)
    for number, run in ((4, first), (-1, await store.trigger(parent, -1))):
        with pytest.raises(pgqrs.StepNotReadyError, match="child run"):
            await parent(run, number)
        child = await (await store.get_workflow_runs()).run(calls[-1])
        assert (await child.info()).parent_id == run.id()
        if number > 0:
            await double(child, child.input)
            assert await parent(run, number) == 9
        else:
            with pytest.raises(ValueError, match="negative"):
                await double(child, child.input)
            with pytest.raises(pgqrs.WorkflowError, match="is negative") as caught:
                await parent(run, number)
            assert (caught.value.code, caught.value.step) == ("ValueError", None)
    assert calls[0] == calls[1] != calls[2] == calls[3]


# Types


class Order(pydantic.BaseModel):
    item: str
    placed: datetime


async def test_inputs_and_results_have_types(config: pgqrs.Config) -> None:
    order = Order(item="tea", placed=datetime(2026, 5, 17, tzinfo=UTC))

    @pgqrs.step(result_type=Order)
    async def place(run: Run, order: Order) -> Order:
        return order

    @pgqrs.workflow(input_type=Order)
    async def ordering(run: Run, order: Order) -> str:
        placed = await place(run, order)
        assert type(placed) is Order
        return placed.item

    store, _ = await new_run(config)
    run = await store.trigger(ordering, order)
    async with pgqrs.WorkflowWorker(store, [ordering]):
        assert await run.result(30) == "tea"
        bad = await store.trigger(ordering, {"item": 7})
        with pytest.raises(pgqrs.WorkflowError, match="is no Order"):
            await bad.result(30)


# Misuse


async def test_a_result_that_is_no_json_fails_the_step(config: pgqrs.Config) -> None:
    @pgqrs.step
    async def make(run: Run) -> object:
        return object()

    @pgqrs.workflow
    async def making(run: Run, in_step: bool) -> object:
        return await make(run) if in_step else object()

    store, first = await new_run(config)
    second = await store.trigger(making)
    for run, in_step in ((first, True), (second, False)):
        with pytest.raises(pgqrs.SerializationError, match=r"^output: "):
            await making(run, in_step)
        assert await status_of(run) is WorkflowStatus.Error


async def test_steps_have_no_steps(config: pgqrs.Config) -> None:
    @pgqrs.step
    async def outer(run: Run) -> None:
        await note(run, 1)

    @pgqrs.workflow
    async def nesting(run: Run) -> None:
        await outer(run)

    _, run = await new_run(config)
    with pytest.raises(pgqrs.PgqrsError, match="inside of a step"):
        await nesting(run)
    assert calls == []


@pytest.mark.parametrize(
    "call",
    [
        lambda run: run.sleep(1),
        lambda run: run.now(),
        lambda run: run.random_uuid(),
        lambda run: run.wait_event("x"),
        lambda run: run.child("x"),
    ],
)
async def test_waits_need_an_execution(config: pgqrs.Config, call: Callable[[Run], Any]) -> None:
    _, run = await new_run(config)
    with pytest.raises(pgqrs.PgqrsError, match="within a workflow"):
        await call(run)


async def test_a_step_outside_of_a_workflow_goes_by_its_name(config: pgqrs.Config) -> None:
    _, run = await new_run(config)
    assert await note(run, 1) == 1
    assert await note(run, 2) == 1
    assert calls == [1]
