"""What the tests of workflows have in common."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pgqrs
from pgqrs import Run, WorkflowStatus

calls: list[Any] = []


@pgqrs.step
async def note(run: Run, value: Any) -> Any:
    calls.append(value)
    return value


async def new_run(
    config: pgqrs.Config, input: Any = None, name: str = "notes"
) -> tuple[pgqrs.Store, Run]:
    store = await pgqrs.connect_with(config)
    return store, await pgqrs.admin(store).create_workflow(name, input)


async def steps_of(store: pgqrs.Store, run: Run) -> list[pgqrs.StepRecord]:
    return await (await store.get_workflow_steps()).list(run_id=run.id())


async def status_of(run: Run) -> WorkflowStatus:
    return (await run.info()).status


def from_now(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
