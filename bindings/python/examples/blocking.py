"""The same interface without async, as for scripts and threads.

It prints:

    took {'to': 'ada'} at read 1
    archived: True, once more: False
    0 pending, 1 archived
"""

import sys

import pgqrs.sync


def main(dsn: str) -> None:
    with pgqrs.sync.connect(dsn) as store:
        store.queue("letters")
        store.producer("letters").enqueue({"to": "ada"})
        with store.consumer("letters") as consumer:
            [message] = consumer.dequeue_wait(10)
            print(f"took {message.payload} at read {message.read_ct}")
            first, second = consumer.archive(message.id), consumer.archive(message.id)
            print(f"archived: {first}, once more: {second}")
        metrics = store.metrics("letters")
        print(f"{metrics.pending_messages} pending, {metrics.archived_messages} archived")


main(sys.argv[1] if len(sys.argv) > 1 else "sqlite::memory:")
