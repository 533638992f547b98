"""A durable queue inside the database that you already have."""

from typing import TYPE_CHECKING, Any

from ._admin import Admin
from ._config import Config
from ._core import (
    QueueInfo,
    QueueMessage,
    QueueMetrics,
    RunRecord,
    StepRecord,
    Transaction,
    WorkerHealth,
    WorkerInfo,
    WorkerStatus,
    WorkflowRecord,
    WorkflowStatus,
)
from ._dead_letters import DeadLetters
from ._errors import (
    ConfigError,
    InternalError,
    MessageNotFoundError,
    NonDeterminismError,
    PausedError,
    PgqrsConnectionError,
    PgqrsError,
    QueueAlreadyExistsError,
    QueueNotFoundError,
    RateLimitedError,
    RetriesExhaustedError,
    SchemaError,
    SerializationError,
    StateTransitionError,
    StepNotReadyError,
    TimeoutError,
    TransientStepError,
    ValidationError,
    WorkerNotFoundError,
    WorkflowError,
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
    from ._builders import RunBuilder, StepBuilder, WorkflowBuilder, WorkflowTriggerBuilder
    from ._retry import BackoffStrategy, StepRetryPolicy
    from ._run import ChildRun, Run
    from ._step import step, transaction_step
    from ._step_result import StepGuard, StepResult, StepResultStatus
    from ._worker import Discard, RetryAfter, Worker
    from ._workflow import WorkflowDef, run, workflow
    from ._workflow_tables import WorkflowRuns, Workflows, WorkflowSteps
    from ._workflow_worker import WorkflowWorker

__all__ = [
    "Admin",
    "BackoffStrategy",
    "ChildRun",
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
    "NonDeterminismError",
    "PausedError",
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
    "RetriesExhaustedError",
    "RetryAfter",
    "Run",
    "RunBuilder",
    "RunRecord",
    "SchemaError",
    "SerializationError",
    "StateTransitionError",
    "StepBuilder",
    "StepGuard",
    "StepNotReadyError",
    "StepRecord",
    "StepResult",
    "StepResultStatus",
    "StepRetryPolicy",
    "Store",
    "TimeoutError",
    "Transaction",
    "TransientStepError",
    "ValidationError",
    "Worker",
    "WorkerHealth",
    "WorkerInfo",
    "WorkerNotFoundError",
    "WorkerStatus",
    "Workers",
    "WorkflowBuilder",
    "WorkflowDef",
    "WorkflowError",
    "WorkflowRecord",
    "WorkflowRuns",
    "WorkflowStatus",
    "WorkflowSteps",
    "WorkflowTriggerBuilder",
    "WorkflowWorker",
    "Workflows",
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
    "run",
    "step",
    "transaction_step",
    "workflow",
]


# What many programs do not use is imported when they ask for it: workers bring asyncio, and
# workflows inspect, which take longer than all the rest.
_LATER = {
    "BackoffStrategy": "_retry",
    "ChildRun": "_run",
    "Discard": "_worker",
    "RetryAfter": "_worker",
    "Run": "_run",
    "RunBuilder": "_builders",
    "StepBuilder": "_builders",
    "StepGuard": "_step_result",
    "StepResult": "_step_result",
    "StepResultStatus": "_step_result",
    "StepRetryPolicy": "_retry",
    "Worker": "_worker",
    "WorkflowBuilder": "_builders",
    "WorkflowDef": "_workflow",
    "WorkflowRuns": "_workflow_tables",
    "WorkflowSteps": "_workflow_tables",
    "WorkflowTriggerBuilder": "_builders",
    "WorkflowWorker": "_workflow_worker",
    "Workflows": "_workflow_tables",
    "run": "_workflow",
    "step": "_step",
    "transaction_step": "_step",
    "workflow": "_workflow",
}


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER, "__version__"})


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("pgqrs")
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = import_module(f".{_LATER[name]}", __name__)
    value = globals()[name] = getattr(module, name)
    return value
