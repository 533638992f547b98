"""A durable queue inside the database that you already have."""

from typing import TYPE_CHECKING, Any

from ._admin import Admin
from ._config import Config
from ._core import QueueInfo, QueueMessage, QueueMetrics, WorkerHealth, WorkerInfo, WorkerStatus
from ._dead_letters import DeadLetters
from ._errors import (
    ConfigError,
    InternalError,
    MessageNotFoundError,
    PgqrsConnectionError,
    PgqrsError,
    QueueAlreadyExistsError,
    QueueNotFoundError,
    RateLimitedError,
    SchemaError,
    SerializationError,
    StateTransitionError,
    TimeoutError,
    ValidationError,
    WorkerNotFoundError,
)
from ._functions import (
    admin,
    archive,
    archive_batch,
    consume,
    consume_batch,
    delete,
    dequeue,
    dequeue_builder,
    enqueue,
    enqueue_batch,
    enqueue_delayed,
    extend_vt,
    produce,
    produce_batch,
)
from ._poll import ConsumerIterator, DequeueBuilder
from ._store import Consumer, Producer, Store, connect, connect_with
from ._tables import Messages, Queues, Workers

if TYPE_CHECKING:
    from ._worker import Discard, RetryAfter, Worker

__all__ = [
    "Admin",
    "Config",
    "ConfigError",
    "Consumer",
    "ConsumerIterator",
    "DeadLetters",
    "DequeueBuilder",
    "Discard",
    "InternalError",
    "MessageNotFoundError",
    "Messages",
    "PgqrsConnectionError",
    "PgqrsError",
    "Producer",
    "QueueAlreadyExistsError",
    "QueueInfo",
    "QueueMessage",
    "QueueMetrics",
    "QueueNotFoundError",
    "Queues",
    "RateLimitedError",
    "RetryAfter",
    "SchemaError",
    "SerializationError",
    "StateTransitionError",
    "Store",
    "TimeoutError",
    "ValidationError",
    "Worker",
    "WorkerHealth",
    "WorkerInfo",
    "WorkerNotFoundError",
    "WorkerStatus",
    "Workers",
    "admin",
    "archive",
    "archive_batch",
    "connect",
    "connect_with",
    "consume",
    "consume_batch",
    "delete",
    "dequeue",
    "dequeue_builder",
    "enqueue",
    "enqueue_batch",
    "enqueue_delayed",
    "extend_vt",
    "produce",
    "produce_batch",
]


# With workers comes asyncio, which takes longer to import than all the rest.
_LATER = ("Discard", "RetryAfter", "Worker")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER, "__version__"})


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("pgqrs")
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import _worker

    value = globals()[name] = getattr(_worker, name)
    return value
