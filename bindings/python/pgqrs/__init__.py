"""A durable queue inside the database that you already have."""

from ._admin import Admin
from ._config import Config
from ._core import QueueInfo, QueueMessage, QueueMetrics, WorkerInfo, WorkerStatus
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
from ._poll import ConsumeIterator, DequeueBuilder
from ._store import Consumer, Producer, Store, connect, connect_with
from ._tables import Messages, Queues, Workers
from ._worker import Discard, RetryAfter, Worker
