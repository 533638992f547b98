"""Exceptions of steps as later executions see them, and arguments that are refused."""

from __future__ import annotations

import asyncio
import json
import subprocess
from dataclasses import dataclass
from typing import Any

import pytest
from workflow_helpers import calls, from_now, new_run, note, status_of, steps_of

import pgqrs
from pgqrs import Run, WorkflowStatus


class OwnError(Exception):
    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    def __str__(self) -> str:
        return f"own {self.number}"


class PickyError(Exception):
    def __init__(self, one: int, other: int) -> None:
        super().__init__(f"{one} and {other}")


class OddError(Exception):
    def __init__(self, thing: object) -> None:
        self.thing = thing

    def __str__(self) -> str:
        return f"odd {type(self.thing).__name__}"


async def raised_by_a_replay(config: pgqrs.Config, error: Exception) -> BaseException:
    seen: list[BaseException] = []

    @pgqrs.step
    async def act(run: Run) -> None:
        raise error

    @pgqrs.workflow
    async def catching(run: Run) -> None:
        try:
            await act(run)
        except Exception as caught:
            seen.append(caught)
        await run.sleep(60)

    _, run = await new_run(config)
    with pytest.raises(pgqrs.StepNotReadyError):
        await catching(run)
    await catching(run.with_time(from_now(61)))
    assert seen[0] is error
    error.__traceback__ = None  # The parameter of the test outlives the execution.
    return seen[1]


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no paper"),
        ValueError(),
        KeyError("k"),
        KeyError(5),
        IndexError(1, 2.5, None),
        FileNotFoundError(2, "No such file", "f"),
        subprocess.CalledProcessError(1, "ls"),
        json.JSONDecodeError("bad", "doc", 0),
        OwnError(3),
        PickyError(1, 2),
        pgqrs.ValidationError("v"),
    ],
)
async def test_the_same_exception_comes_out_of_a_replay(
    config: pgqrs.Config, error: Exception
) -> None:
    again = await raised_by_a_replay(config, error)
    assert type(again) is type(error)
    assert str(again) == str(error)
    if isinstance(error, KeyError | OwnError | subprocess.CalledProcessError):
        assert again.args == error.args
        assert vars(again) == vars(error)


@pytest.mark.parametrize(
    "error",
    [
        ExceptionGroup("several", [ValueError("a")]),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
        OddError(object()),
        OwnError(2**70),
    ],
)
async def test_one_that_cannot_be_made_again_is_replaced(
    config: pgqrs.Config, error: Exception
) -> None:
    again = await raised_by_a_replay(config, error)
    assert type(again) is pgqrs.RetriesExhaustedError
    assert str(again) == f"step 'act' failed: {error}"


@dataclass
class Amount:
    cents: int


async def test_a_result_of_another_type_is_no_success(config: pgqrs.Config) -> None:
    results: list[Any] = [{"euros": 1}, Amount(5)]

    @pgqrs.step(result_type=Amount, retries=1)
    async def fetch(run: Run) -> Any:
        return results.pop(0)

    @pgqrs.workflow
    async def fetching(run: Run) -> int:
        return (await fetch(run)).cents  # type: ignore[no-any-return]

    store, run = await new_run(config)
    with pytest.raises(pgqrs.SerializationError, match="output: is no Amount"):
        await fetching(run)
    [row] = await steps_of(store, run)
    assert row.status is WorkflowStatus.Error
    assert await fetching(run.with_time(from_now(100))) == 5
    by_hand = await pgqrs.admin(store).create_workflow("notes")
    results[:] = [Amount(6), {"euros": 1}]
    assert await fetch(by_hand) == await fetch(by_hand) == Amount(6)
    other = await pgqrs.admin(store).create_workflow("notes")
    with pytest.raises(pgqrs.SerializationError, match="output: is no Amount"):
        await fetch(other)
    assert [row.status for row in await steps_of(store, other)] == [WorkflowStatus.Error]


@pytest.mark.parametrize("delay", ["abc", -1, 1e15, float("nan")])
@pytest.mark.parametrize("by_hand", [True, False])
async def test_a_bad_retry_after_fails_the_step(
    config: pgqrs.Config, delay: Any, by_hand: bool
) -> None:
    @pgqrs.step
    async def act(run: Run) -> None:
        raise pgqrs.TransientStepError("busy", retry_after=delay)

    @pgqrs.workflow
    async def acting(run: Run) -> None:
        await act(run)

    store, run = await new_run(config)
    with pytest.raises((TypeError, ValueError, pgqrs.ValidationError), match="retry_after") as e:
        await (act(run) if by_hand else acting(run))
    assert isinstance(e.value.__cause__, pgqrs.TransientStepError)
    [row] = await steps_of(store, run)
    assert row.error is not None
    assert (row.error["is_transient"], row.retry_at) == (False, None)
    assert "retry_after" in row.error["message"]


@pytest.mark.parametrize(
    "act",
    [
        lambda store, run: run.acquire_step("\ud800"),
        lambda store, run: run.complete_step("\ud800"),
        lambda store, run: run.pause("\ud800"),
        lambda store, run: store.trigger("\ud800"),
        lambda store, run: store.trigger("x", idempotency_key="\ud800"),
        lambda store, run: store.send_event(run, "\ud800"),
        lambda store, run: pgqrs.step().run(run).name("\ud800").execute(),
    ],
)
async def test_names_are_unicode(config: pgqrs.Config, act: Any) -> None:
    store, run = await new_run(config)
    with pytest.raises(pgqrs.ValidationError, match="surrogate"):
        await act(store, run)


async def test_definitions_have_names_of_unicode() -> None:
    for define in (pgqrs.step, pgqrs.workflow):
        with pytest.raises(pgqrs.ValidationError, match="surrogate"):
            define(name="\ud800")(note.__wrapped__)  # type: ignore[attr-defined]


async def test_a_trigger_by_a_name_makes_no_workflow(config: pgqrs.Config) -> None:
    store = await pgqrs.connect_with(config)
    for _ in range(2):
        with pytest.raises(pgqrs.QueueNotFoundError, match="there is no workflow 'notse'"):
            await store.trigger("notse")
    await pgqrs.workflow().name("notse").store(store).create()
    assert (await store.trigger("notse", 5)).input == 5
    await pgqrs.admin(store).delete_queue("notse", force=True)
    with pytest.raises(pgqrs.QueueNotFoundError, match="there is no workflow 'notse'"):
        await store.trigger("notse", 6)
    assert await (await store.get_workflows()).list() == []


async def test_an_idempotent_trigger_gives_the_input_of_the_run(config: pgqrs.Config) -> None:
    store, _ = await new_run(config)
    first = await store.trigger("notes", {"v": 1}, idempotency_key="k")
    second = await store.trigger("notes", {"v": 2}, idempotency_key="k")
    assert first.id() == second.id()
    assert second.input == first.input == {"v": 1}


# Guards


async def test_steps_are_acquired_at_the_same_time(config: pgqrs.Config) -> None:
    store, run = await new_run(config)
    steps = await asyncio.gather(*(run.acquire_step(f"step {n}") for n in range(5)))
    await asyncio.gather(*(step.guard.success(n) for n, step in enumerate(steps)))
    assert {row.output for row in await steps_of(store, run)} == set(range(5))
    other = await pgqrs.admin(store).create_workflow("notes")
    assert await asyncio.gather(note(other, 1), other.complete_step("two", 2)) == [1, None]
    assert calls == [1]


@pytest.mark.parametrize(
    "end",
    [
        lambda guard: guard.success(2),
        lambda guard: guard.fail("no"),
        lambda guard: guard.fail_transient("X", "no"),
    ],
)
async def test_a_guard_ends_its_step_once(config: pgqrs.Config, end: Any) -> None:
    store, run = await new_run(config)
    guard = (await run.acquire_step("one")).guard
    await guard.success(1)
    with pytest.raises(pgqrs.PgqrsError, match="was ended already"):
        await end(guard)
    fenced = (await run.acquire_step("two")).guard
    owner = await (await store.get_workflow_runs()).run(run.id())
    await owner.start()
    for _ in range(2):
        with pytest.raises(pgqrs.PgqrsError, match="another execution"):
            await end(fenced)
    await owner.complete_step("two", 2)
    assert {row.output for row in await steps_of(store, run)} == {1, 2}
    assert await status_of(run) is WorkflowStatus.Running


async def test_a_guard_can_be_used_again_where_nothing_was_stored(config: pgqrs.Config) -> None:
    store, run = await new_run(config)
    guard = (await run.acquire_step("one")).guard
    with pytest.raises(pgqrs.SerializationError):
        await guard.success(object())
    await guard.fail("no")
    [row] = await steps_of(store, run)
    assert row.attempts == 1
