"""Writes the type stub of pgqrs.sync, whose classes and functions are made when it is imported.

Usage: make_sync_stub.py PACKAGE STUB

The signatures are those of the asynchronous package, read from its source, without `async`.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

HEADER = """\
import builtins
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Concatenate, Generic, Protocol, overload

from ._config import Config as Config
from ._core import QueueInfo as QueueInfo
from ._core import QueueMessage as QueueMessage
from ._core import QueueMetrics as QueueMetrics
from ._core import RunRecord as RunRecord
from ._core import StepRecord as StepRecord
from ._core import Transaction as Transaction
from ._core import WorkerHealth as WorkerHealth
from ._core import WorkerInfo as WorkerInfo
from ._core import WorkerStatus as WorkerStatus
from ._core import WorkflowRecord as WorkflowRecord
from ._core import WorkflowStatus as WorkflowStatus
from ._errors import *
from ._retry import BackoffStrategy as BackoffStrategy
from ._retry import StepRetryPolicy as StepRetryPolicy
from ._step_result import StepResultStatus as StepResultStatus
from ._typing import P
from ._worker import Discard as Discard
from ._worker import RetryAfter as RetryAfter
from ._step import Args, Result
"""
MODULES = [
    "_dead_letters",
    "_tables",
    "_workflow_tables",
    "_poll",
    "_store",
    "_admin",
    "_functions",
    "_worker",
    "_step_result",
    "_run",
    "_builders",
    "_step",
    "_workflow",
    "_workflow_worker",
]
IMPORTED = {"RetryAfter", "Discard", "BackoffStrategy", "StepRetryPolicy", "StepResultStatus"}
# Classes that programs make themselves.
MADE = {"Worker", "WorkflowWorker"}
# Of which public functions make use.
PROTOCOLS = {"_StepDecorator", "_WorkflowDecorator"}
RENAMED = {
    "__aiter__": "__iter__",
    "__anext__": "__next__",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
}


class ToBlocking(ast.NodeTransformer):
    """Takes asynchronous things out of annotations."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """``_core.QueueMessage`` is imported by its name."""
        inner = node.value
        if isinstance(inner, ast.Name) and inner.id == "_core":
            return ast.Name(node.attr)
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        """What a coroutine gives is there at once."""
        self.generic_visit(node)
        if isinstance(node.value, ast.Name) and node.value.id in ("Coroutine", "Awaitable"):
            inner = node.slice
            return inner.elts[-1] if isinstance(inner, ast.Tuple) else inner
        return node


def is_public(name: str) -> bool:
    """Whether users see it, of a class."""
    return not name.startswith("_") or name in RENAMED or name == "__call__"


def exported(package: Path) -> set[str]:
    """What the package has for users, except for what the stub imports."""
    for node in ast.parse((package / "__init__.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value)) - IMPORTED
    raise ValueError("__init__.py has no __all__")


def docstring(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> str:
    """Its docstring, whose example blocks."""
    text = ast.get_docstring(node, clean=False) or ""
    return text.replace("await ", "").replace("async ", "")


def stub_function(node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.FunctionDef:
    """A signature with its docstring."""
    text = docstring(node)
    body: list[ast.stmt] = [ast.Expr(ast.Constant(text or ...))]
    made = ast.FunctionDef(
        name=RENAMED.get(node.name, node.name),
        args=node.args,
        body=body,
        decorator_list=node.decorator_list,
        returns=node.returns,
    )
    return ToBlocking().visit(made)  # type: ignore[no-any-return]


def has_overloads(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether it is one of the signatures that are shown in place of the last."""
    return any(isinstance(each, ast.Name) and each.id == "overload" for each in node.decorator_list)


def stub_functions(body: list[ast.stmt], also: str = "") -> list[ast.stmt]:
    """The public functions of a class or a module, and one more by name."""
    found = [
        node
        for node in body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (is_public(node.name) or node.name == also)
    ]
    overloaded = {node.name for node in found if has_overloads(node)}
    return [
        stub_function(node) for node in found if node.name not in overloaded or has_overloads(node)
    ]


def stub_class(node: ast.ClassDef) -> ast.ClassDef:
    """A class with what users see of it. Only a few are made by them."""
    text = docstring(node)
    body: list[ast.stmt] = [ast.Expr(ast.Constant(text))] if text else []
    also = "__init__" if node.name in MADE else ""
    return ast.ClassDef(
        name=node.name,
        bases=node.bases,
        keywords=[],
        body=body + stub_functions(node.body, also),
        decorator_list=[],
    )


def main() -> None:
    """Reads the package's sources and writes the stub."""
    package, stub = Path(sys.argv[1]), Path(sys.argv[2])
    names = exported(package) | PROTOCOLS
    module = ast.Module([], [])
    for name in MODULES:
        body = [
            node
            for node in ast.parse((package / f"{name}.py").read_text()).body
            if getattr(node, "name", None) in names
        ]
        module.body += [stub_class(node) for node in body if isinstance(node, ast.ClassDef)]
        module.body += stub_functions(body)
    stub.write_text(HEADER + "\n" + ast.unparse(ast.fix_missing_locations(module)) + "\n")


if __name__ == "__main__":
    main()
