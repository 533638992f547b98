"""The workflows of a store, their runs and their steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _core
from ._arguments import items, moment, not_negative, text, whole
from ._errors import ValidationError
from ._run import Run

if TYPE_CHECKING:
    import builtins
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from ._store import Store

_PAGE = 1000


class Workflows:
    """The workflows of a store. Made by :meth:`Store.get_workflows`.

    Example:
        >>> record = await pgqrs.workflow().name("greet").store(store).create()
        >>> workflows = await store.get_workflows()
        >>> (await workflows.get_by_name("greet")).id == record.id
        True
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get_by_name(self, name: str) -> _core.WorkflowRecord:
        """The workflow of this name; ``ValidationError`` where there is none."""
        found = await self._store._core.find_workflow(name)
        if found is None:
            raise ValidationError(f"name: there is no workflow {name!r}")
        return found

    async def list(self) -> list[_core.WorkflowRecord]:
        """All workflows, by name."""
        return await self._store._core.workflows()

    async def count(self) -> int:
        """How many workflows there are."""
        return len(await self.list())

    async def apply_retention(
        self,
        name: str,
        *,
        max_age: float | timedelta | None = None,
        max_count: int | None = None,
    ) -> int:
        """Removes finished runs of a workflow with their steps, and gives their number.

        Args:
            name: The name of the workflow.
            max_age: Those that finished longer ago go: a timedelta, or seconds.
            max_count: All but so many of the last ones that finished go.
        """
        age = None if max_age is None else not_negative("max_age", max_age)
        return await self._store._core.apply_run_retention(name, age, max_count)


class WorkflowRuns:
    """The runs of a store. Made by :meth:`Store.get_workflow_runs`.

    Example:
        >>> run = await pgqrs.admin(store).create_workflow("greet", "ada")
        >>> runs = await store.get_workflow_runs()
        >>> [record.input for record in await runs.list(workflow="greet")]
        ['ada']
        >>> await runs.cancel_many(workflow="greet")
        1
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(
        self,
        *,
        workflow: str = "",
        status: _core.WorkflowStatus | Sequence[_core.WorkflowStatus] = (),
        idempotency_key: str = "",
        parent_id: int | None = None,
        created_from: str | datetime | None = None,
        created_to: str | datetime | None = None,
        newest_first: bool = False,
        after_id: int = 0,
        limit: int | None = None,
    ) -> list[_core.RunRecord]:
        """The runs that meet all that is given, by id.

        Args:
            workflow: The name of their workflow.
            status: Their status, or several.
            idempotency_key: The key that they were triggered with.
            parent_id: The run that has triggered them.
            created_from: Triggered at this time (ISO 8601) or later.
            created_to: Triggered before this time.
            newest_first: From the largest id downwards.
            after_id: Those behind this one, in this order.
            limit: At most so many. None: all.
        """
        if limit is not None and whole("limit", limit) < 1:
            raise ValidationError(f"limit: must be at least 1, and is {limit}")
        found: builtins.list[_core.RunRecord] = []
        while True:
            size = _PAGE if limit is None else min(_PAGE, limit - len(found))
            page = await self._store._core.runs(
                workflow,
                _statuses(status),
                idempotency_key,
                parent_id,
                _time("created_from", created_from),
                _time("created_to", created_to),
                newest_first,
                found[-1].id if found else after_id,
                size,
            )
            found += page
            if len(page) < size or len(found) == limit:
                return found

    async def count(self) -> int:
        """How many runs there are."""
        return len(await self.list())

    async def get(self, run_id: int) -> _core.RunRecord:
        """A run; ``ValidationError`` where there is none of this id."""
        return await self._store._core.run_info(run_id)

    async def run(self, run_id: int) -> Run:
        """The same, to do something with it."""
        info = await self.get(run_id)
        return Run(self._store, info.id, info.workflow_id, info.input)

    async def cancel_many(
        self,
        *,
        workflow: str = "",
        status: _core.WorkflowStatus | Sequence[_core.WorkflowStatus] = (),
        idempotency_key: str = "",
        parent_id: int | None = None,
        created_from: str | datetime | None = None,
        created_to: str | datetime | None = None,
    ) -> int:
        """Cancels all unfinished runs that :meth:`list` gives, and tells how many."""
        return await self._store._core.cancel_runs(
            workflow,
            _statuses(status),
            idempotency_key,
            parent_id,
            _time("created_from", created_from),
            _time("created_to", created_to),
        )

    async def retry(self, run_id: int) -> None:
        """Lets a run that failed or was cancelled go on.

        Steps that have succeeded stay, the others have all their tries again. ``ValidationError``
        where it is in another state.
        """
        await self._store._core.retry_run(run_id)

    async def fork(
        self, run_id: int, from_step: str = "", ordinal: int = 0, *, version: int | None = None
    ) -> Run:
        """Triggers a new run with the input of an old one, and with its steps before that one.

        Args:
            run_id: The old run.
            from_step: The first step that is to run again. Empty: none, but for those without an
                outcome.
            ordinal: Which call of that name it is, from 0.
            version: That of the code. None: that of the old run.
        """
        made = await self._store._core.fork_run(run_id, from_step, ordinal, version)
        return await self.run(made)


class WorkflowSteps:
    """The steps of a store's runs. Made by :meth:`Store.get_workflow_steps`.

    Example:
        >>> run = await pgqrs.admin(store).create_workflow("greet", "ada")
        >>> await run.complete_step("compose", "Hello ada")
        >>> steps = await store.get_workflow_steps()
        >>> [step.output for step in await steps.list(run_id=run.id())]
        ['Hello ada']
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(
        self, *, run_id: int | None = None, name: str = "", limit: int | None = None
    ) -> list[_core.StepRecord]:
        """The steps of a run, or of all; those of one name, or all; in the order of their ids."""
        if limit is not None and whole("limit", limit) < 1:
            raise ValidationError(f"limit: must be at least 1, and is {limit}")
        found: builtins.list[_core.StepRecord] = []
        while True:
            size = _PAGE if limit is None else min(_PAGE, limit - len(found))
            after = found[-1].id if found else 0
            page = await self._store._core.steps(run_id, text("name", name), after, size)
            found += page
            if len(page) < size or len(found) == limit:
                return found

    async def count(self) -> int:
        """How many steps there are."""
        return len(await self.list())


def _statuses(status: Any) -> list[_core.WorkflowStatus]:
    if isinstance(status, _core.WorkflowStatus):
        return [status]
    return items("status", status)


def _time(argument: str, time: str | datetime | None) -> int | None:
    return None if time is None else moment(argument, time)
