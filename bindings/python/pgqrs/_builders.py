"""Builders of workflows, triggers, runs and steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _core
from ._arguments import instance, moment, text
from ._errors import QueueNotFoundError, ValidationError
from ._run import Run

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from ._step_result import StepResult
    from ._store import Store


class WorkflowTriggerBuilder:
    """Triggers a run of a workflow. Made by :meth:`WorkflowBuilder.trigger`.

    Example:
        >>> record = await pgqrs.workflow().name("greet").store(store).create()
        >>> trigger = pgqrs.workflow().name("greet").store(store).trigger("ada")
        >>> (await trigger.execute()).payload
        'ada'
    """

    def __init__(self, store: Store, name: str, input: Any) -> None:
        self._store = store
        self._name = name
        self._input = input

    async def execute(self) -> _core.QueueMessage[Any]:
        """The message that triggers the run, whose payload is the input."""
        core = self._store._core
        run_id = await core.trigger(self._name, self._input, "", None, 5)
        message = await core.find_message(run_id)
        if message is None:
            raise QueueNotFoundError(f"workflow {self._name!r} was deleted meanwhile")
        return message


class WorkflowBuilder:
    """Makes and triggers workflows. Each setter gives the builder. Made by ``pgqrs.workflow()``.

    Example:
        >>> record = await pgqrs.workflow().name("greet").store(store).create()
        >>> record.name
        'greet'
    """

    def __init__(self) -> None:
        self._store: Store | None = None
        self._name: str | None = None

    def name(self, name: str) -> WorkflowBuilder:
        """The name of the workflow."""
        self._name = text("name", name)
        return self

    def id(self, id: str) -> WorkflowBuilder:
        """The same as :meth:`name`."""
        self._name = text("id", id)
        return self

    def store(self, store: Store) -> WorkflowBuilder:
        """The store that it is of."""
        from ._store import Store

        self._store = instance("store", store, Store)
        return self

    def _checked(self) -> tuple[Store, str]:
        if self._store is None:
            raise ValidationError("store: there is none")
        if self._name is None:
            raise ValidationError("name: there is none")
        return self._store, self._name

    async def create(self) -> _core.WorkflowRecord:
        """The workflow of this name with its queue, which are made where they are missing."""
        store, name = self._checked()
        return await store._core.create_workflow(name)

    def trigger(self, input: Any = None) -> WorkflowTriggerBuilder:
        """What triggers a run with this input."""
        return WorkflowTriggerBuilder(*self._checked(), input)


class RunBuilder:
    """Finds the run of a message. Each setter gives the builder. Made by :func:`pgqrs.run`.

    Example:
        >>> record = await pgqrs.workflow().name("greet").store(store).create()
        >>> message = (
        ...     await pgqrs.workflow().name("greet").store(store).trigger("ada").execute()
        ... )
        >>> run = await pgqrs.run().message(message).store(store).execute()
        >>> run.id() == message.id
        True
    """

    def __init__(self) -> None:
        self._message: _core.QueueMessage[Any] | None = None
        self._store: Store | None = None

    def message(self, message: _core.QueueMessage[Any]) -> RunBuilder:
        """The message that triggered the run."""
        self._message = instance("message", message, _core.QueueMessage)
        return self

    def store(self, store: Store) -> RunBuilder:
        """The store that the message is of."""
        from ._store import Store

        self._store = instance("store", store, Store)
        return self

    def _run(self) -> Run:
        if self._message is None:
            raise ValidationError("message: there is none")
        if self._store is None:
            raise ValidationError("store: there is none")
        message = self._message
        return Run(self._store, message.id, message.queue_id, message.payload)

    async def execute(self) -> Run:
        """The run of the message. It is not started."""
        return self._run()

    async def result(self, timeout: float | timedelta | None = None) -> Any:
        """Waits for the end of the run, as :meth:`Run.result` does."""
        return await self._run().result(timeout)

    async def get(self) -> Any:
        """The output of the run; None while it has none."""
        run = self._run()
        try:
            info = await run.info()
        except ValidationError:
            return None  # Nobody has started it, and it was no trigger that made the message.
        return info.output


class StepBuilder:
    """Acquires a step by its exact name. Each setter gives the builder. Made by ``pgqrs.step()``.

    Example:
        >>> run = await pgqrs.admin(store).create_workflow("greet", "ada")
        >>> step = await pgqrs.step().run(run).name("compose").execute()
        >>> await step.guard.success("Hello ada")
    """

    def __init__(self) -> None:
        self._run: Run | None = None
        self._name: str | None = None
        self._time: str | datetime | None = None

    def run(self, run: Run) -> StepBuilder:
        """The run that the step is of."""
        self._run = instance("run", run, Run)
        return self

    def name(self, name: str) -> StepBuilder:
        """The name of the step."""
        self._name = text("name", name)
        return self

    def id(self, id: str) -> StepBuilder:
        """The same as :meth:`name`."""
        self._name = text("id", id)
        return self

    def with_time(self, time: str | datetime) -> StepBuilder:
        """The time that decides whether a step that failed may be tried again (ISO 8601)."""
        moment("time", time)
        self._time = time
        return self

    async def execute(self) -> StepResult:
        """Acquires the step, as :meth:`Run.acquire_step` does."""
        if self._run is None:
            raise ValidationError("run: there is none")
        if self._name is None:
            raise ValidationError("name: there is none")
        return await self._run.acquire_step(self._name, self._time)
