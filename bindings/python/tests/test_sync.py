"""The interface without async."""

from __future__ import annotations

import inspect
import os
import signal
import threading

import pytest

import pgqrs
import pgqrs.sync


def open_queue(config: pgqrs.Config) -> pgqrs.sync.Store:
    store = pgqrs.sync.connect_with(config)
    store.queue("jobs")
    return store


def test_it_has_the_names_of_the_other_one() -> None:
    def names(module: object) -> set[str]:
        return {name for name in vars(module) if not name.startswith("_")}

    imported = {
        "annotations",
        "asyncio",
        "functools",
        "inspect",
        "threading",
        "types",
        "run_blocking",
    }
    ours = names(pgqrs.sync) - imported - {"Any", "TYPE_CHECKING"}
    assert ours == set(pgqrs.__all__)
    for name in ours:
        one, other = getattr(pgqrs, name), getattr(pgqrs.sync, name)
        if not inspect.isclass(one):
            parameters = inspect.signature(one).parameters.keys()
            assert inspect.signature(other).parameters.keys() == parameters, name
        elif one is not other:
            assert names(other) == names(one), name


def test_a_message_goes_through(config: pgqrs.Config) -> None:
    store = open_queue(config)
    producer = store.producer("jobs")
    consumer = store.consumer("jobs")
    message_id = producer.enqueue({"to": "ada"})
    [message] = consumer.dequeue()
    assert (message.id, message.payload) == (message_id, {"to": "ada"})
    assert pgqrs.sync.archive(consumer, message)
    assert store.get_messages().count() == 0
    pgqrs.sync.admin(store).verify()


def test_a_handler_is_a_plain_function(config: pgqrs.Config) -> None:
    store = open_queue(config)
    pgqrs.sync.produce(store, "jobs", 7)
    seen = []
    pgqrs.sync.consume(store, "jobs", lambda message: seen.append(message.payload))
    assert seen == [7]


def test_an_iterator_is_a_plain_one(config: pgqrs.Config) -> None:
    store = open_queue(config)
    store.producer("jobs").enqueue_batch([1, 2, 3])
    seen = []
    with store.consume_iter("jobs") as messages:
        for message in messages:
            seen.append(message.payload)
            messages.archive(message.id)
            if len(seen) == 3:
                messages.close()
    assert seen == [1, 2, 3]


def test_threads_share_a_store(config: pgqrs.Config) -> None:
    store = open_queue(config)
    ids: list[int] = []

    def work() -> None:
        producer = store.producer("jobs")
        for n in range(50):
            ids.append(producer.enqueue(n))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(ids)) == 400


def test_ctrl_c_interrupts_a_wait(config: pgqrs.Config) -> None:
    store = open_queue(config)
    consumer = store.consumer("jobs")
    threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        consumer.dequeue_wait(3600)
