"""Bad input, through every function: a clear error that names the argument, and nothing is done."""

from __future__ import annotations

import inspect
import math
import re
from typing import TYPE_CHECKING, Any

import pytest

import pgqrs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

WRONG_TYPES: list[Any] = [None, "x", b"x", 1.5, [], {}, object()]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schema", ""),
        ("schema", 5),
        ("schema", "x" * 64),
        ("max_connections", 0),
        ("max_connections", "many"),
        ("connection_timeout_seconds", 0),
        ("connection_timeout_seconds", math.nan),
        ("connection_timeout_seconds", None),
        ("default_lock_time_seconds", -1),
        ("default_max_batch_size", 0),
        ("default_max_batch_size", "x"),
        ("max_read_ct", 0),
        ("max_read_ct", 2.5),
        ("heartbeat_interval_seconds", 0.01),
        ("poll_interval_ms", 0),
        ("max_payload_size_bytes", 0),
        ("max_payload_size_bytes", -5),
        ("max_string_length", "x"),
        ("max_object_depth", -1),
        ("forbidden_keys", 7),
        ("forbidden_keys", [7]),
        ("required_keys", "name"),
        ("max_enqueue_per_second", 0),
        ("max_enqueue_burst", -1),
    ],
)
async def test_a_field_of_the_configuration_is_named(field: str, value: Any) -> None:
    config = pgqrs.Config("sqlite::memory:")
    setattr(config, field, value)
    with pytest.raises(pgqrs.ConfigError, match=f"^{field}: "):
        await pgqrs.connect_with(config)


def test_a_field_that_does_not_exist_cannot_be_set() -> None:
    config = pgqrs.Config("sqlite::memory:")
    with pytest.raises(AttributeError):
        config.max_read_count = 5  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        config.dsn = "sqlite:other.db"  # type: ignore[misc]


@pytest.mark.parametrize("dsn", ["", "mysql://x", "sqlite:", "turso:", "nonsense", 5, None])
async def test_a_dsn_without_meaning_is_refused(dsn: Any) -> None:
    with pytest.raises(pgqrs.ConfigError):
        await pgqrs.connect(dsn)


async def test_no_configuration_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="config: a Config is wanted, not a str"):
        await pgqrs.connect_with("sqlite::memory:")  # type: ignore[arg-type]


async def test_an_unreachable_server_is_a_connection_error() -> None:
    config = pgqrs.Config("postgresql://127.0.0.1:1/none")
    config.connection_timeout_seconds = 0.2
    with pytest.raises(pgqrs.PgqrsConnectionError):
        await pgqrs.connect_with(config)


class Calls:
    """Every call that takes arguments, by name, with a good value for each argument."""

    def __init__(
        self, store: pgqrs.Store, producer: pgqrs.Producer, consumer: pgqrs.Consumer
    ) -> None:
        iso = "2026-05-17T08:30:00+00:00"
        queues, messages, workers = (
            pgqrs.Queues(store),
            pgqrs.Messages(store),
            pgqrs.Workers(store),
        )
        dead = pgqrs.DeadLetters(store, producer._queue)
        admin = pgqrs.admin(store)
        self.calls: list[tuple[Callable[..., Any], dict[str, Any]]] = [
            (store.queue, {"name": "other"}),
            (store.producer, {"queue": "jobs"}),
            (store.consumer, {"queue": "jobs"}),
            (store.metrics, {"queue": "jobs"}),
            (store.dead_letters, {"queue": "jobs"}),
            (store.consume_iter, {"queue": "jobs", "poll_interval_ms": 5}),
            (admin.delete_queue, {"name": "nothing"}),
            (admin.release_worker_messages, {"worker_id": 1}),
            (producer.enqueue, {"payload": 1, "priority": 5, "delay": 1}),
            (producer.enqueue_batch, {"payloads": [1], "priority": 5, "delay": 1}),
            (producer.enqueue_delayed, {"payload": 1, "delay_seconds": 1}),
            (consumer.dequeue, {"batch_size": 1}),
            (consumer.dequeue_many_with_delay, {"limit": 1, "vt": 1}),
            (consumer.dequeue_at, {"limit": 1, "vt": 1, "current_time": iso}),
            (consumer.dequeue_wait, {"timeout": 0, "batch_size": 1}),
            (consumer.archive, {"message_id": 1}),
            (consumer.archive_many, {"message_ids": [1]}),
            (consumer.delete, {"message_id": 1}),
            (consumer.delete_many, {"message_ids": [1]}),
            (consumer.extend_vt, {"message_id": 1, "seconds": 1}),
            (consumer.release, {"message_id": 1, "delay": 0}),
            (consumer.release_with_visibility, {"message_id": 1, "visible_at": iso}),
            (consumer.release_messages, {"message_ids": [1]}),
            (consumer.dead_letter, {"message_id": 1, "reason": "x"}),
            (queues.purge, {"name": "jobs"}),
            (queues.metrics, {"name": "jobs"}),
            (queues.apply_retention, {"name": "jobs", "max_age": 1, "max_count": 1}),
            (messages.get, {"message_id": 1}),
            (messages.list, {"after_id": 0, "limit": 1}),
            (messages.list_archived_by_queue, {"queue_id": 1}),
            (workers.get, {"worker_id": 1}),
            (workers.health_stats, {"timeout_seconds": 1}),
            (workers.purge_stale, {"timeout_seconds": 3600}),
            (dead.list, {"after_id": 0, "limit": 1}),
            (dead.replay, {"message_id": 1}),
            (pgqrs.dequeue().from_queue, {"name": "jobs"}),
            (pgqrs.dequeue().batch, {"size": 1}),
            (pgqrs.dequeue().poll_interval, {"milliseconds": 1}),
            (pgqrs.dequeue().at, {"time": iso}),
        ]


async def call(function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    result = function(**arguments)
    return await result if inspect.isawaitable(result) else result


async def error_of(function: Callable[..., Any], arguments: dict[str, Any]) -> Exception | None:
    try:
        await call(function, arguments)
    except Exception as error:
        return error
    return None


# What an argument takes besides the type of its good value.
ALSO: dict[str, tuple[type, ...]] = {
    "payload": (object,),
    "batch_size": (type(None),),
    "poll_interval_ms": (type(None),),
    "max_age": (type(None), float),
    "max_count": (type(None),),
    "timeout_seconds": (type(None), float),
    "delay": (float,),
    "delay_seconds": (float,),
    "vt": (float,),
    "timeout": (float,),
    "seconds": (float,),
}
# What errors call them: the library its own names, builders those of their setters.
ALIASES = {
    "name": "name|queue",
    "size": "batch",
    "milliseconds": "poll_interval",
    "time": "at",
}


async def test_a_value_of_a_wrong_type_names_its_argument(config: pgqrs.Config) -> None:
    async with await pgqrs.connect_with(config) as store:
        await store.queue("jobs")
        producer = await store.producer("jobs")
        consumer = await store.consumer("jobs")
        for function, good in Calls(store, producer, consumer).calls:
            for argument, value in good.items():
                for wrong in WRONG_TYPES:
                    if isinstance(wrong, (type(value), *ALSO.get(argument, ()))):
                        continue
                    error = await error_of(function, {**good, argument: wrong})
                    what = f"{function.__name__}, {argument}={wrong!r}: {error!r}"
                    assert isinstance(error, TypeError | pgqrs.ValidationError), what
                    assert re.search(ALIASES.get(argument, argument), str(error)), what
        assert (await store.metrics("jobs")).total_messages == 0


@pytest.mark.parametrize(
    ("name", "argument", "value"),
    [
        ("enqueue", "priority", -1),
        ("enqueue", "priority", 10),
        ("enqueue", "priority", 2**80),
        ("enqueue", "delay", -1),
        ("enqueue", "delay", math.inf),
        ("enqueue", "delay", 1e300),
        ("enqueue_batch", "priority", 10),
        ("enqueue_delayed", "delay_seconds", -0.5),
        ("enqueue_delayed", "delay_seconds", math.nan),
        ("dequeue", "batch_size", 0),
        ("dequeue", "batch_size", 100_001),
        ("dequeue", "batch_size", 2**80),
        ("dequeue_many_with_delay", "limit", -1),
        ("dequeue_many_with_delay", "vt", 0),
        ("dequeue_many_with_delay", "vt", 1e18),
        ("dequeue_at", "limit", 0),
        ("dequeue_at", "vt", -1),
        ("dequeue_at", "current_time", "soon"),
        ("dequeue_wait", "timeout", -1),
        ("extend_vt", "seconds", 0),
        ("release", "delay", -1),
        ("release_with_visibility", "visible_at", "yesterday"),
        ("apply_retention", "max_age", -1),
        ("health_stats", "timeout_seconds", -1),
        ("purge_stale", "timeout_seconds", -1),
        ("batch", "batch", 0),
        ("poll_interval", "poll_interval", 0),
        ("at", "at", "noon"),
        ("consume_iter", "poll_interval_ms", 0),
    ],
)
async def test_a_value_outside_its_limits_names_its_argument(
    config: pgqrs.Config, name: str, argument: str, value: Any
) -> None:
    async with await pgqrs.connect_with(config) as store:
        await store.queue("jobs")
        calls = Calls(store, await store.producer("jobs"), await store.consumer("jobs")).calls
        [(function, good)] = [each for each in calls if each[0].__name__ == name]
        key = argument if argument in good else next(iter(good))
        with pytest.raises(pgqrs.ValidationError, match=f"^{argument}: "):
            await call(function, {**good, key: value})
        assert (await store.metrics("jobs")).total_messages == 0


@pytest.mark.parametrize("name", ["", "x" * 256, "a\nb", "a\x00b", "\ud800"])
async def test_a_name_that_no_queue_can_have_is_refused(config: pgqrs.Config, name: str) -> None:
    async with await pgqrs.connect_with(config) as store:
        for function in (store.queue, store.producer, store.consumer, store.metrics):
            with pytest.raises((pgqrs.ValidationError, TypeError, UnicodeEncodeError)):
                await function(name)
        assert await pgqrs.Queues(store).count() == 0


@pytest.mark.parametrize("message_id", [0, -1, 2**62, 2**63, -(2**63), 2**200, True])
async def test_an_id_that_nobody_has_is_unknown(config: pgqrs.Config, message_id: int) -> None:
    async with await pgqrs.connect_with(config) as store:
        await store.queue("jobs")
        consumer = await store.consumer("jobs")
        settle: list[Callable[[int], Awaitable[bool]]] = [consumer.archive, consumer.delete]
        for function in settle:
            assert await function(message_id) is False
        assert await consumer.archive_many([message_id]) == [False]
        assert await consumer.release_messages([message_id]) == 0
        assert await consumer.extend_vt(message_id, 5) is False
        with pytest.raises(pgqrs.WorkerNotFoundError):
            await (await store.get_workers()).get(message_id if message_id != 1 else 99)


async def test_a_builder_that_lacks_something_says_what(config: pgqrs.Config) -> None:
    async def handle(_: object) -> None:
        return None

    async with await pgqrs.connect_with(config) as store:
        await store.queue("jobs")
        with pytest.raises(pgqrs.ValidationError, match=r"^handle: "):
            await pgqrs.dequeue().from_queue("jobs").poll(store)
        with pytest.raises(pgqrs.ValidationError, match=r"^worker: "):
            await pgqrs.dequeue().handle(handle).poll(store)
        with pytest.raises(pgqrs.ValidationError, match=r"^batch: "):
            await pgqrs.dequeue().from_queue("jobs").batch(2).handle(handle).poll(store)
        with pytest.raises(pgqrs.QueueNotFoundError):
            await pgqrs.dequeue().from_queue("none").handle(handle).poll(store)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("concurrency", 0),
        ("lease", 0),
        ("lease", 0.05),
        ("max_attempts", 0),
        ("base_delay", -1),
        ("max_delay", math.nan),
    ],
)
async def test_a_worker_refuses_options_outside_their_limits(argument: str, value: Any) -> None:
    async with await pgqrs.connect("sqlite::memory:") as store:
        with pytest.raises(pgqrs.ValidationError, match=f"^{argument}: "):
            pgqrs.Worker(store, "jobs", print, **{argument: value})


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("store", None),
        ("queue", 5),
        ("handler", None),
        ("concurrency", 1.5),
        ("concurrency", "x"),
        ("lease", "x"),
        ("max_attempts", None),
    ],
)
async def test_a_worker_refuses_arguments_of_other_types(argument: str, value: Any) -> None:
    async with await pgqrs.connect("sqlite::memory:") as store:
        arguments: dict[str, Any] = {"store": store, "queue": "jobs", "handler": print}
        with pytest.raises(TypeError, match=f"^{argument}: "):
            pgqrs.Worker(**{**arguments, argument: value})


@pytest.mark.parametrize("duration", [10**400, -(10**400), math.nan, math.inf, 1e300])
async def test_a_duration_beyond_all_limits_is_refused(duration: float) -> None:
    async with await pgqrs.connect("sqlite::memory:") as store:
        await store.queue("jobs")
        producer = await store.producer("jobs")
        with pytest.raises(pgqrs.ValidationError, match=r"^delay: "):
            await producer.enqueue(1, delay=duration)


@pytest.mark.parametrize("size", [0, 10**30])
async def test_consume_batch_names_its_size(size: int) -> None:
    async def handle(_: object) -> None:
        raise AssertionError

    async with await pgqrs.connect("sqlite::memory:") as store:
        await store.queue("jobs")
        with pytest.raises(pgqrs.ValidationError, match=r"^batch_size: "):
            await pgqrs.consume_batch(store, "jobs", size, handle)
