"""Payloads that are dataclasses, in a worker of plain functions.

It prints:

    resize cat.png to 640 x 480
"""

import sys
from dataclasses import dataclass

import pgqrs.sync


@dataclass
class Size:
    width: int
    height: int


@dataclass
class Resize:
    path: str
    size: Size


def main(dsn: str) -> None:
    with pgqrs.sync.connect(dsn) as store:
        store.queue("images")
        store.producer("images").enqueue(Resize("cat.png", Size(640, 480)))

        def resize(message: pgqrs.QueueMessage[Resize]) -> None:
            work = message.payload
            print(f"resize {work.path} to {work.size.width} x {work.size.height}")
            worker.stop()

        worker = pgqrs.sync.Worker(store, "images", resize, payload_type=Resize)
        worker.run()


main(sys.argv[1] if len(sys.argv) > 1 else "sqlite::memory:")
