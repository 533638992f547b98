"""Workflows that do several things at the same time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from workflow_helpers import calls, from_now, new_run, note, steps_of

import pgqrs
from pgqrs import Run


async def test_gathered_steps_run_at_the_same_time(config: pgqrs.Config) -> None:
    together = asyncio.Barrier(3)

    @pgqrs.step
    async def meet(run: Run, number: int) -> int:
        calls.append(number)
        await asyncio.wait_for(together.wait(), 30)
        return number

    @pgqrs.workflow
    async def gathering(run: Run) -> list[int]:
        return await asyncio.gather(*(meet(run, number) for number in range(3)))

    _, run = await new_run(config)
    assert await gathering(run) == [0, 1, 2]
    assert await gathering(run) == [0, 1, 2]
    assert calls == [0, 1, 2]


@pytest.mark.parametrize("slow", [0, 1])
async def test_branches_count_by_themselves(config: pgqrs.Config, slow: int) -> None:
    """Whatever turns they take, in the replay each has its own results."""
    first_is_done = asyncio.Event()

    @pgqrs.step
    async def work(run: Run, name: str) -> str:
        calls.append(name)
        if name == f"{slow}a" and not first_is_done.is_set():
            await asyncio.wait_for(first_is_done.wait(), 30)
        if name == f"{1 - slow}b":
            first_is_done.set()
        return name

    async def branch(run: Run, number: int) -> list[str]:
        return [await work(run, f"{number}a"), await work(run, f"{number}b")]

    @pgqrs.workflow
    async def branching(run: Run) -> list[list[str]]:
        results = list(await asyncio.gather(branch(run, 0), branch(run, 1)))
        await note(run, "end")
        return results

    store, run = await new_run(config)
    expected = [["0a", "0b"], ["1a", "1b"]]
    assert await branching(run) == expected
    assert await branching(run) == expected
    assert len(calls) == 5
    assert {row.step_name for row in await steps_of(store, run)} == {
        "branch[0]/work",
        "branch[1]/work",
        "note",
    }


async def test_waits_of_branches_add_up(config: pgqrs.Config) -> None:
    @pgqrs.workflow
    async def waiting(run: Run) -> list[Any]:
        return list(
            await asyncio.gather(
                run.wait_event("one", 7200), run.wait_event("other"), run.sleep(3600), note(run, 1)
            )
        )

    store, run = await new_run(config)
    with pytest.raises(pgqrs.StepNotReadyError):
        await waiting(run)
    assert calls == [1]
    assert len(await steps_of(store, run)) == 4
    consumer = await store.consumer("notes")
    assert await consumer.dequeue() == []
    await store.send_event(run, "other", "x")
    [message] = await consumer.dequeue()
    assert message.id == run.id()
    await store.send_event(run, "one", "y")
    assert await waiting(run.with_time(from_now(3601))) == ["y", "x", None, 1]


async def test_a_task_group_is_suspended_as_well(config: pgqrs.Config) -> None:
    @pgqrs.workflow
    async def grouping(run: Run) -> str:
        async with asyncio.TaskGroup() as group:
            slept = group.create_task(run.sleep(3600))
            noted = group.create_task(note(run, 1))
        await slept
        return f"noted {await noted}"

    _, run = await new_run(config)
    with pytest.raises(pgqrs.StepNotReadyError):
        await grouping(run)
    assert await grouping(run.with_time(from_now(3601))) == "noted 1"
    assert calls == [1]


async def by_gather(run: Run, call: Any) -> None:
    await asyncio.gather(call, note(run, "beside"))


async def by_wait_for(run: Run, call: Any) -> None:
    await asyncio.wait_for(call, 30)


async def by_task_group(run: Run, call: Any) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(call)


async def by_task(run: Run, call: Any) -> None:
    await asyncio.create_task(call)


@pytest.mark.parametrize("way", [by_gather, by_wait_for, by_task_group, by_task])
async def test_branches_of_branches_get_their_own_results(config: pgqrs.Config, way: Any) -> None:
    """Though the first one comes to its second step last."""
    seen: list[Any] = []
    other_is_done = asyncio.Event()

    @pgqrs.step
    async def first(run: Run, name: str) -> None:
        if name == "a":
            await asyncio.wait_for(other_is_done.wait(), 30)

    @pgqrs.step
    async def second(run: Run, name: str) -> str:
        other_is_done.set()
        return name

    async def branch(run: Run, name: str) -> str:
        await way(run, first(run, name))
        return await second(run, name)

    @pgqrs.workflow
    async def branching(run: Run) -> None:
        seen.append(await asyncio.gather(branch(run, "a"), branch(run, "b")))
        await run.sleep(60)

    store, run = await new_run(config)
    with pytest.raises(pgqrs.StepNotReadyError):
        await branching(run)
    await branching(run.with_time(from_now(61)))
    assert seen == [["a", "b"]] * 2
    names = {row.step_name for row in await steps_of(store, run)}
    assert {"branch[0]/second", "branch[1]/second", "sleep"} <= names


async def test_what_runs_before_a_task_changes_nothing(config: pgqrs.Config) -> None:
    """In the replay, the function goes on to its next step before the task comes to its first."""

    async def branch(run: Run) -> Any:
        return await note(run, "branch")

    @pgqrs.workflow
    async def branching(run: Run) -> list[Any]:
        task = asyncio.create_task(branch(run))
        values = [await note(run, "one"), await note(run, "two"), await task]
        await run.sleep(60)
        return values

    _, run = await new_run(config)
    with pytest.raises(pgqrs.StepNotReadyError):
        await branching(run)
    assert await branching(run.with_time(from_now(61))) == ["one", "two", "branch"]
    assert sorted(calls) == ["branch", "one", "two"]


async def test_tasks_of_a_step_do_not_count(config: pgqrs.Config) -> None:
    async def branch(run: Run) -> Any:
        return await note(run, "branch")

    async def inner() -> int:
        return 1

    @pgqrs.step
    async def gathering(run: Run) -> int:
        return sum(await asyncio.gather(inner(), inner()))

    @pgqrs.workflow
    async def working(run: Run) -> None:
        await gathering(run)
        inner.__name__ = "branch"
        await gathering(run)
        await asyncio.gather(branch(run))
        await run.sleep(60)

    store, run = await new_run(config)
    with pytest.raises(pgqrs.StepNotReadyError):
        await working(run)
    await working(run.with_time(from_now(61)))
    assert calls == ["branch"]
    assert "branch[0]/note" in {row.step_name for row in await steps_of(store, run)}


async def test_the_task_factory_of_the_program_makes_the_tasks(config: pgqrs.Config) -> None:
    class OwnTask(asyncio.Task[Any]):
        pass

    async def branch(run: Run) -> None:
        kinds.append(type(asyncio.current_task()))
        await note(run, 1)

    @pgqrs.workflow
    async def branching(run: Run) -> None:
        await asyncio.gather(branch(run), branch(run))

    kinds: list[Any] = []
    loop = asyncio.get_running_loop()

    def make(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> OwnTask:
        return OwnTask(coroutine, loop=loop, **options)

    loop.set_task_factory(make)
    _, run = await new_run(config)
    await branching(run)
    assert kinds == [OwnTask, OwnTask]
    assert loop.get_task_factory() is make


@pytest.mark.skipif(not hasattr(asyncio, "eager_task_factory"), reason="needs Python 3.12")
async def test_tasks_may_begin_at_once(config: pgqrs.Config) -> None:
    async def branch(run: Run, name: str) -> Any:
        await asyncio.gather(note(run, name))
        return await note(run, name + name)

    @pgqrs.workflow
    async def branching(run: Run) -> list[Any]:
        values = await asyncio.gather(branch(run, "a"), branch(run, "b"))
        await run.sleep(60)
        return values

    factory = asyncio.eager_task_factory  # type: ignore[attr-defined]
    asyncio.get_running_loop().set_task_factory(factory)
    _, run = await new_run(config)
    with pytest.raises(pgqrs.StepNotReadyError):
        await branching(run)
    assert await branching(run.with_time(from_now(61))) == ["aa", "bb"]


async def test_deep_branches_have_short_names(config: pgqrs.Config) -> None:
    async def walk(run: Run, depth: int) -> None:
        await note(run, depth)
        if depth:
            await asyncio.gather(walk(run, depth - 1))

    @pgqrs.workflow
    async def walking(run: Run) -> None:
        await walk(run, 100)

    store, run = await new_run(config)
    await walking(run)
    await walking(run)
    assert len(calls) == 101
    assert all(len(row.step_name) <= 255 for row in await steps_of(store, run))


# What is left behind


async def test_a_task_that_is_left_behind_is_ended(config: pgqrs.Config) -> None:
    async def branch(run: Run) -> None:
        await note(run, "begun")
        try:
            await asyncio.sleep(3600)
        finally:
            calls.append("ended")
            errors.append(await asyncio.gather(note(run, "late"), return_exceptions=True))

    @pgqrs.workflow
    async def leaving(run: Run) -> str:
        tasks.append(asyncio.create_task(branch(run)))
        while not calls:
            await asyncio.sleep(0)
        await run.now()
        return "done"

    errors: list[Any] = []
    tasks: list[asyncio.Task[None]] = []
    _, run = await new_run(config)
    assert await leaving(run) == "done"
    assert calls == ["begun", "ended"]
    assert tasks[0].cancelled()
    [[error]] = errors
    assert isinstance(error, pgqrs.PgqrsError)
    assert "has ended" in str(error)


@pytest.mark.parametrize(
    "act",
    [
        lambda run: note(run, 1),
        lambda run: run.sleep(1),
        lambda run: run.wait_event("x"),
        lambda run: run.pause("x"),
        lambda run: run.start(),
        lambda run: run.success(1),
        lambda run: run.fail("x"),
        lambda run: run.acquire_step("x"),
        lambda run: run.complete_step("x", 1),
    ],
)
async def test_the_run_of_an_execution_ends_with_it(config: pgqrs.Config, act: Any) -> None:
    kept: list[Run] = []

    @pgqrs.workflow
    async def keeping(run: Run) -> None:
        kept.append(run)
        await run.sleep(3600)

    _, run = await new_run(config)
    with pytest.raises(pgqrs.StepNotReadyError):
        await keeping(run)
    with pytest.raises(pgqrs.PgqrsError, match=r"execution of run \d+ has ended"):
        await act(kept[0])
    with pytest.raises(pgqrs.StepNotReadyError):
        await keeping(run)
    await run.start()


async def test_a_task_that_is_left_behind_does_not_execute_by_hand(config: pgqrs.Config) -> None:
    async def act() -> None:
        await go.wait()
        await note(run, "late")

    @pgqrs.workflow
    async def leaving(_: Run) -> None:
        tasks.append(asyncio.create_task(act()))

    go = asyncio.Event()
    tasks: list[asyncio.Task[None]] = []
    _, run = await new_run(config)
    await leaving(run)
    go.set()
    with pytest.raises(pgqrs.PgqrsError, match=r"note: the execution of run \d+ has ended"):
        await tasks[0]


async def test_only_tasks_of_the_workflow_call_steps(config: pgqrs.Config) -> None:
    async def serve(run_of: asyncio.Future[Run]) -> None:
        await note(await run_of, 1)

    @pgqrs.workflow
    async def asking(run: Run) -> None:
        run_of.set_result(run)
        await server

    run_of: asyncio.Future[Run] = asyncio.get_running_loop().create_future()
    server = asyncio.create_task(serve(run_of))
    _, run = await new_run(config)
    with pytest.raises(pgqrs.PgqrsError, match="a task that its workflow has not made"):
        await asking(run)
    assert calls == []
