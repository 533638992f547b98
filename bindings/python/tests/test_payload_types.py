"""Payloads that are instances of pydantic models and dataclasses."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pydantic
import pytest

import pgqrs
import pgqrs.sync

if TYPE_CHECKING:
    from collections.abc import Iterator


class Address(pydantic.BaseModel):
    city: str


class Order(pydantic.BaseModel):
    id: uuid.UUID
    placed: datetime
    address: Address
    amount: int


@dataclasses.dataclass
class Item:
    name: str
    count: int = 1


@dataclasses.dataclass
class Basket:
    items: list[Item]
    updated: datetime


ORDER = Order(
    id=uuid.UUID(int=7),
    placed=datetime(2026, 5, 17, tzinfo=UTC),
    address=Address(city="Turin"),
    amount=10**30,
)


@dataclasses.dataclass
class Holder:
    held: Any


BASKET = Basket([Item("tea"), Item("cups", 4)], datetime(2026, 5, 17, tzinfo=UTC))


def open_store(config: pgqrs.Config) -> pgqrs.sync.Store:
    store = pgqrs.sync.connect_with(config)
    store.queue("jobs")
    return store


@pytest.mark.parametrize("instance", [ORDER, BASKET, Item("tea")], ids=lambda i: type(i).__name__)
def test_an_instance_comes_back_equal(config: pgqrs.Config, instance: Any) -> None:
    with open_store(config) as store:
        store.producer("jobs").enqueue(instance)
        with store.consumer("jobs", payload_type=type(instance)) as consumer:
            [message] = consumer.dequeue()
            assert message.payload == instance
            assert message.payload is message.payload
            assert type(message.payload) is type(instance)


def test_instances_may_be_anywhere_in_a_payload(config: pgqrs.Config) -> None:
    with open_store(config) as store:
        store.producer("jobs").enqueue_batch([{"items": [Item("tea")]}, [Item("cup", 2)]])
        with store.consumer("jobs") as consumer:
            payloads = [message.payload for message in consumer.dequeue(2)]
        assert payloads == [{"items": [{"name": "tea", "count": 1}]}, [{"name": "cup", "count": 2}]]


def test_any_type_that_pydantic_reads_will_do(config: pgqrs.Config) -> None:
    with open_store(config) as store:
        store.producer("jobs").enqueue([1, 2])
        with store.consumer("jobs", payload_type=tuple[int, int]) as consumer:
            [message] = consumer.dequeue()
            assert message.payload == (1, 2)


def test_what_does_not_fit_is_an_error_when_it_is_read(config: pgqrs.Config) -> None:
    with open_store(config) as store:
        producer = store.producer("jobs")
        message_id = producer.enqueue({"name": 5})
        with store.consumer("jobs", payload_type=Item) as consumer:
            [message] = consumer.dequeue()
            with pytest.raises(pgqrs.SerializationError, match=r"is no Item.*\n.*name"):
                _ = message.payload
            assert consumer.dead_letter(message_id, "no item")


async def test_iterators_and_workers_give_instances(config: pgqrs.Config) -> None:
    async with await pgqrs.connect_with(config) as store:
        await store.queue("jobs")
        producer = await store.producer("jobs")
        await producer.enqueue(Item("tea"))
        async with store.consume_iter("jobs", payload_type=Item) as messages:
            async for message in messages:
                assert message.payload == Item("tea")
                assert await messages.archive(message.id)
                break
        await producer.enqueue(Item("cup"))
        seen = []

        async def handle(message: pgqrs.QueueMessage[Item]) -> None:
            seen.append(message.payload.name)
            worker.stop()

        worker = pgqrs.Worker(store, "jobs", handle, payload_type=Item)
        await asyncio.wait_for(worker.run(), 60)
        assert seen == ["cup"]


async def test_a_builder_gives_what_its_consumer_gives(config: pgqrs.Config) -> None:
    async with await pgqrs.connect_with(config) as store:
        await store.queue("jobs")
        await pgqrs.produce(store, "jobs", Item("tea"))
        consumer = await store.consumer("jobs", payload_type=Item)
        seen = []

        async def handle(message: pgqrs.QueueMessage[Item]) -> None:
            seen.append(message.payload)
            await consumer.interrupt()

        with pytest.raises(pgqrs.PgqrsError, match="interrupted"):
            await pgqrs.dequeue().worker(consumer).handle(handle).poll(store)
        assert seen == [Item("tea")]


@pytest.fixture
def without_pydantic(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from pgqrs import _payload

    monkeypatch.setitem(sys.modules, "pydantic", None)
    _payload._adapter.cache_clear()
    yield
    _payload._adapter.cache_clear()


@pytest.mark.usefixtures("without_pydantic")
def test_without_pydantic_the_error_says_so(config: pgqrs.Config) -> None:
    with open_store(config) as store:
        with pytest.raises(pgqrs.ConfigError, match=r"Item need pydantic: pip install"):
            store.consumer("jobs", payload_type=Item)
        with pytest.raises(pgqrs.ConfigError, match="pip install"):
            store.producer("jobs").enqueue(Item("tea"))


def test_a_type_that_pydantic_cannot_read_is_refused(config: pgqrs.Config) -> None:
    class Odd:
        pass

    with open_store(config) as store:
        with pytest.raises(pgqrs.ConfigError, match="payload_type: pydantic cannot read Odd"):
            store.consumer("jobs", payload_type=Odd)
        with pytest.raises(pgqrs.SerializationError, match="a Odd cannot be written"):
            store.producer("jobs").enqueue({"odd": Odd()})


def test_types_that_are_equal_are_read_each_as_its_own() -> None:
    from pgqrs._payload import Loading

    class One(pydantic.RootModel[int]):
        pass

    class Other(pydantic.RootModel[int]):
        pass

    for kind, first in ((One | Other, One), (Other | One, Other)):
        loading = Loading(kind)
        assert loading._load is not None
        assert type(loading._load("1")) is first


@pytest.mark.parametrize("kind", [[int], 1, {"a": int}])
async def test_what_is_no_type_is_refused(kind: Any) -> None:
    async with await pgqrs.connect("sqlite::memory:") as store:
        await store.queue("jobs")
        with pytest.raises(pgqrs.ConfigError, match="payload_type: pydantic cannot read"):
            await store.consumer("jobs", payload_type=kind)


async def test_an_instance_that_holds_what_is_no_json_is_refused_by_its_place() -> None:
    itself = Holder(None)
    itself.held = itself
    async with await pgqrs.connect("sqlite::memory:") as store:
        await store.queue("jobs")
        producer = await store.producer("jobs")
        for odd in (Holder(object()), itself):
            with pytest.raises(
                pgqrs.SerializationError, match=r"payload\['a'\]: a Holder cannot be written"
            ):
                await producer.enqueue({"a": odd})
