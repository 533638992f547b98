"""The store and what is made of it: producers and consumers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, overload

from . import _core
from ._arguments import batch_size as checked_size
from ._arguments import items, moment, not_negative, positive, text
from ._config import Config, renamed
from ._dead_letters import DeadLetters
from ._drive import in_thread
from ._errors import ConfigError, QueueAlreadyExistsError, QueueNotFoundError
from ._payload import Loading
from ._poll import ConsumerIterator
from ._tables import Messages, Queues, Workers
from ._typing import P

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from ._run import Run
    from ._workflow import WorkflowDef
    from ._workflow_tables import WorkflowRuns, Workflows, WorkflowSteps


def _delay(delay: float | timedelta) -> int | None:
    return not_negative("delay", delay) or None


class Producer:
    """Enqueues messages into one queue. Made by :meth:`Store.producer`.

    Any thread and any event loop may use it.

    Example:
        >>> producer = await store.producer("jobs")
        >>> message_id = await producer.enqueue({"to": "ada"}, priority=2)
    """

    def __init__(self, store: Store, queue: _core.Queue) -> None:
        self._store = store
        self._queue = queue

    @property
    def worker_id(self) -> int:
        """The id of the worker that its messages name as their producer."""
        return self._store._core.worker_id

    async def enqueue(
        self, payload: Any, *, priority: int = 5, delay: float | timedelta = 0
    ) -> int:
        """Stores a message and gives its id.

        When this returns, the message survives the death of every process and, at the default
        durability, the loss of power. When it raises, the message is not there, unless the error
        says that the outcome is unknown.

        Args:
            payload: Any JSON value, a pydantic model or a dataclass.
            priority: 0 (first) to 9.
            delay: How long nobody gets the message: a timedelta, or seconds.

        Raises:
            SerializationError: The payload cannot be written as JSON.
            ValidationError: The payload or another argument is outside its limits.
            RateLimitedError: See ``Config.max_enqueue_per_second``.
            QueueNotFoundError: The queue was deleted meanwhile.
        """
        return await self._queue.enqueue(payload, _delay(delay), priority)

    async def enqueue_delayed(self, payload: Any, delay_seconds: float) -> int:
        """The same as :meth:`enqueue`, but nobody gets it before ``delay_seconds`` are over."""
        return await self._queue.enqueue(payload, not_negative("delay_seconds", delay_seconds))

    async def enqueue_batch(
        self, payloads: Sequence[Any], *, priority: int = 5, delay: float | timedelta = 0
    ) -> list[int]:
        """Stores all of the messages or none, and gives their ids in the same order.

        Much faster than one call a message. The arguments and errors are those of :meth:`enqueue`;
        an error names the position of the payload that was refused.
        """
        return await self._queue.enqueue_batch(items("payloads", payloads), _delay(delay), priority)


class Consumer(Generic[P]):
    """Takes messages of one queue, as a worker with a name, a state and a heartbeat.

    It acts by id on the messages that it holds itself: for an id that is unknown, or a message that
    it does not hold any more, the answer is ``False``, and nothing is changed. Made by
    :meth:`Store.consumer`. Any thread and any event loop may use it.

    Example:
        >>> message_id = await producer.enqueue({"to": "ada"})
        >>> async with await store.consumer("jobs") as consumer:
        ...     for message in await consumer.dequeue(10):
        ...         print(message.payload, await consumer.archive(message.id))
        {'to': 'ada'} True
    """

    def __init__(self, store: Store, core: _core.Consumer, loading: Loading) -> None:
        self._store = store
        self._core = core
        self._loading = loading

    async def __aenter__(self) -> Consumer[P]:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def worker_id(self) -> int:
        """The id of this worker."""
        return self._core.worker_id

    async def dequeue(self, batch_size: int | None = None) -> list[_core.QueueMessage[P]]:
        """Takes up to ``batch_size`` visible messages, under the default lease, without waiting.

        Without a number it takes one. A message that is not archived, deleted or released within
        ``Config.default_lock_time_seconds`` becomes visible again.
        """
        size = 1 if batch_size is None else batch_size
        return self._loading(await self._core.dequeue(checked_size("batch_size", size)))

    async def dequeue_many_with_delay(
        self, limit: int, vt: float | timedelta
    ) -> list[_core.QueueMessage[P]]:
        """Takes up to ``limit`` messages under a lease of ``vt`` seconds, without waiting."""
        size = checked_size("limit", limit)
        return self._loading(await self._core.dequeue(size, positive("vt", vt)))

    async def dequeue_at(
        self, limit: int, vt: float | timedelta, current_time: str | datetime
    ) -> list[_core.QueueMessage[P]]:
        """The same as if it were ``current_time`` (ISO 8601).

        It takes what is visible then, so also delayed messages and those of leases that end before,
        and the lease counts from then. For tests of what happens later.
        """
        size = checked_size("limit", limit)
        at = moment("current_time", current_time)
        return self._loading(await self._core.dequeue_at(size, at, positive("vt", vt)))

    async def dequeue_wait(
        self, timeout: float | timedelta, batch_size: int = 1
    ) -> list[_core.QueueMessage[P]]:
        """Takes up to ``batch_size`` messages, and waits up to ``timeout`` seconds for the first.

        An enqueue, from whatever process, ends the wait.
        """
        size = checked_size("batch_size", batch_size)
        return self._loading(await self._core.dequeue_wait(size, not_negative("timeout", timeout)))

    async def archive(self, message_id: int) -> bool:
        """Finishes a message: it goes to the archive and is not handed out again."""
        return await self._core.ack(message_id)

    async def archive_many(self, message_ids: Sequence[int]) -> list[bool]:
        """Finishes many messages in one transaction."""
        return await self._core.ack_many(items("message_ids", message_ids))

    async def delete(self, message_id: int) -> bool:
        """Removes a message for good, with its payload."""
        return await self._core.delete(message_id)

    async def delete_many(self, message_ids: Sequence[int]) -> list[bool]:
        """Removes many messages for good, in one transaction."""
        return await self._core.delete_many(items("message_ids", message_ids))

    async def extend_vt(self, message_id: int, seconds: float | timedelta) -> bool:
        """Lets the lease end ``seconds`` from now. It can become shorter."""
        return await self._core.extend_lease(message_id, positive("seconds", seconds))

    async def release(self, message_id: int, *, delay: float | timedelta = 0) -> bool:
        """Gives a message back, visible again after ``delay``: a timedelta, or seconds."""
        return await self._core.release(message_id, not_negative("delay", delay))

    async def release_with_visibility(self, message_id: int, visible_at: str | datetime) -> bool:
        """Gives a message back, visible again at this time (ISO 8601); at once where it is past."""
        until = moment("visible_at", visible_at)
        return await self._core.release_until(message_id, until)

    async def release_messages(self, message_ids: Sequence[int]) -> int:
        """Gives messages back, and answers how many of them it held."""
        return sum(await self._core.release_many(items("message_ids", message_ids)))

    async def dead_letter(self, message_id: int, reason: str) -> bool:
        """Makes a message a dead letter, for this reason. See :meth:`Store.dead_letters`."""
        return await self._core.dead_letter(message_id, reason)

    async def interrupt(self) -> None:
        """Ends a ``poll`` of this consumer. ``StateTransitionError`` where there is none."""
        await self._core.set_status(_core.WorkerStatus.Interrupted)

    async def status(self) -> _core.WorkerStatus:
        """The state as it is in the database."""
        return await self._core.status()

    async def close(self) -> None:
        """Gives back what it holds, at once, and leaves the worker Stopped."""
        await self._core.close()


class Store:
    """An open database. Made by :func:`pgqrs.connect`; a program has one for each database.

    Any thread and any event loop may use it. It closes at the end of ``async with``, by
    :meth:`close`, or when nothing refers to it any more.

    Example:
        >>> async with await pgqrs.connect("sqlite::memory:") as other:
        ...     (await other.queue("jobs")).queue_name
        'jobs'
    """

    def __init__(self, core: _core.Store, config: Config) -> None:
        self._core = core
        self._config = config
        self._workflow_ids: dict[str, int] = {}

    async def __aenter__(self) -> Store:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Finishes what is under way, gives back what was not finished, and ends its threads.

        Every later call of it, and of what was made from it, raises ``PgqrsError``.
        """
        await in_thread(self._core.close)

    async def queue(self, name: str) -> _core.QueueInfo:
        """Makes a queue. ``QueueAlreadyExistsError`` where there is one of this name.

        A name has 1 to 255 bytes of UTF-8 without control characters, else ``ValidationError``.
        """
        await self._core.create_queue(name)
        return await self._info(name)

    async def ensure_queue(self, name: str) -> _core.QueueInfo:
        """The queue of this name, which is made where it is missing."""
        try:
            return await self.queue(name)
        except QueueAlreadyExistsError:
            return await self._info(name)

    async def _info(self, name: str) -> _core.QueueInfo:
        for queue in await self._core.queues():
            if queue.queue_name == name:
                return queue
        raise QueueNotFoundError(f"name: the queue {name!r} was deleted as soon as it was there")

    async def producer(self, queue: str) -> Producer:
        """A producer for a queue that exists (else ``QueueNotFoundError``)."""
        return Producer(self, await self._core.open_queue(queue))

    @overload
    async def consumer(self, queue: str, *, payload_type: None = None) -> Consumer[Any]: ...
    @overload
    async def consumer(self, queue: str, *, payload_type: type[P]) -> Consumer[P]: ...
    async def consumer(self, queue: str, *, payload_type: Any = None) -> Consumer[Any]:
        """A consumer of a queue that exists (else ``QueueNotFoundError``).

        Args:
            queue: The name of the queue.
            payload_type: A pydantic model, a dataclass or another type that pydantic reads: the
                payloads are instances of it. Reading one that does not fit raises
                ``SerializationError``.
        """
        loading = Loading(payload_type)
        core = await self._core.open_queue(queue)
        return Consumer(self, await core.new_consumer(), loading)

    @overload
    def consume_iter(
        self, queue: str, poll_interval_ms: int | None = None, *, payload_type: None = None
    ) -> ConsumerIterator[Any]: ...
    @overload
    def consume_iter(
        self, queue: str, poll_interval_ms: int | None = None, *, payload_type: type[P]
    ) -> ConsumerIterator[P]: ...
    def consume_iter(
        self, queue: str, poll_interval_ms: int | None = None, *, payload_type: Any = None
    ) -> ConsumerIterator[Any]:
        """The messages of a queue as they come, as an async iterator and context manager.

        It waits for an enqueue, not for the interval: that only says how often it looks whether it
        was closed.
        """
        return ConsumerIterator(self, queue, poll_interval_ms, Loading(payload_type))

    async def metrics(self, queue: str) -> _core.QueueMetrics:
        """How many messages of a queue are in which state (``QueueNotFoundError``)."""
        return await (await self._core.open_queue(queue)).metrics()

    async def dead_letters(self, queue: str) -> DeadLetters:
        """The messages of a queue that were given up (``QueueNotFoundError``)."""
        return DeadLetters(self, await self._core.open_queue(queue))

    async def get_queues(self) -> Queues:
        """The table of queues."""
        return Queues(self)

    async def get_messages(self) -> Messages:
        """The table of messages."""
        return Messages(self)

    async def get_workers(self) -> Workers:
        """The table of workers."""
        return Workers(self)

    async def get_workflows(self) -> Workflows:
        """The table of workflows."""
        from ._workflow_tables import Workflows

        return Workflows(self)

    async def get_workflow_runs(self) -> WorkflowRuns:
        """The table of runs."""
        from ._workflow_tables import WorkflowRuns

        return WorkflowRuns(self)

    async def get_workflow_steps(self) -> WorkflowSteps:
        """The table of steps."""
        from ._workflow_tables import WorkflowSteps

        return WorkflowSteps(self)

    async def trigger(
        self,
        workflow: WorkflowDef[Any, Any] | str,
        input: Any = None,
        *,
        idempotency_key: str | None = None,
        delay: float | timedelta | None = None,
        priority: int = 5,
    ) -> Run:
        """Triggers a run of a workflow.

        Args:
            workflow: The workflow, which is made where it is missing; or the name of one that is
                there (else ``QueueNotFoundError``).
            input: Any JSON value, a pydantic model or a dataclass.
            idempotency_key: The same key gives the same run of a workflow, with its first input,
                however often it is triggered.
            delay: How long nobody starts it: a timedelta, or seconds.
            priority: 0 (first) to 9.
        """
        from ._workflow import trigger

        create = not isinstance(workflow, str)
        return await trigger(self, workflow, input, idempotency_key, delay, priority, create=create)

    async def send_event(self, run: Run | int, name: str, payload: Any = None) -> None:
        """Sends an event to a run, or to that of this id, for :meth:`Run.wait_event`.

        ``ValidationError`` where there is no such run, or it is finished.
        """
        run_id = run if isinstance(run, int) else run.id()
        await self._core.send_event(run_id, text("name", name), payload)

    async def bootstrap(self) -> None:
        """Installs or upgrades the schema."""
        await self._core.install()


async def connect_with(config: Config) -> Store:
    """Opens a database, and installs the schema where there is none.

    Raises:
        ConfigError: The DSN or a field of the configuration has no meaning.
        PgqrsConnectionError: The database cannot be reached.
        SchemaError: What is in it belongs to another program or a newer version.
    """
    if not isinstance(config, Config):
        raise TypeError(f"config: a Config is wanted, not a {type(config).__name__}")
    try:
        return Store(await in_thread(_core.connect, config._fields()), config)
    except ConfigError as error:
        raise ConfigError(renamed(str(error))) from None


async def connect(dsn: str) -> Store:
    """Opens a database with the default configuration. See :class:`Config` for what a DSN is.

    Example:
        >>> store = await pgqrs.connect("sqlite::memory:")
    """
    return await connect_with(Config(dsn))
