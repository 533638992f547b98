"""The decorators of workflows, under the name that programs import them by.

Example:
    >>> from pgqrs.decorators import WorkflowDef, step, workflow
"""

from ._step import step
from ._workflow import WorkflowDef, workflow

__all__ = ["WorkflowDef", "step", "workflow"]
