"""Exceptions as they are stored, and made again of that."""

from __future__ import annotations

import math
import sys
from types import BuiltinFunctionType
from typing import TYPE_CHECKING, Any

from . import _core
from ._arguments import error_text
from ._errors import RetriesExhaustedError

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST_MESSAGE = 65536
_LONGEST_ARGUMENT = 1000
_MOST_ARGUMENTS = 10


def stored_error(
    error: BaseException, *, step: str | None = None, is_transient: bool = False
) -> dict[str, Any]:
    """An exception as it is stored."""
    kind = type(error)
    code = getattr(error, "code", None)
    stored = {
        "message": _said(error),
        "code": storable(code) if isinstance(code, str) and code else kind.__name__,
        "is_transient": is_transient,
        "type": f"{kind.__module__}:{kind.__qualname__}",
    }
    if step is not None:
        stored["step"] = step
        arguments = _arguments_of(error)
        if arguments is not None and arguments != [stored["message"]]:
            stored["args"] = arguments
    return stored


def paused_error(text: str) -> dict[str, Any]:
    """Why a run, or a step, is paused."""
    return {"message": storable(text), "code": "PAUSED", "is_transient": True}


def storable(text: str) -> str:
    """Text that every database takes."""
    return text.replace("\x00", "\\x00")[:_LONGEST_MESSAGE].encode(errors="replace").decode()


def _said(error: BaseException) -> str:
    return storable(error_text(error))


def _arguments_of(error: BaseException) -> list[Any] | None:
    """What makes the same exception of its class, where it can be stored."""
    try:
        arguments = list(error.__reduce__()[1])
    except Exception:  # Of a class of the program.
        return None
    if len(arguments) > _MOST_ARGUMENTS or not all(map(_is_plain, arguments)):
        return None
    return arguments


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= _LONGEST_ARGUMENT and storable(value) == value
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or (isinstance(value, int) and abs(value) < 2**63)


def restored_error(stored: Any, name: str, attempts: int) -> BaseException:
    """What a step that has failed for good raises, each time the same."""
    message = stored.get("message", "") if isinstance(stored, dict) else str(stored)
    if attempts > 1:
        return RetriesExhaustedError(f"step {name!r} failed {attempts} times: {message}")
    kind = _class_of(stored.get("type") if isinstance(stored, dict) else None)
    if kind is not None:
        arguments = stored.get("args")
        for make in (
            lambda: kind(*(arguments if isinstance(arguments, list) else [message])),
            lambda: _bare(kind, message),
        ):
            error = _that_says(message, kind, make)
            if error is not None:
                return error
    return RetriesExhaustedError(f"step {name!r} failed: {message}")


def _that_says(
    message: str, kind: type[BaseException], make: Callable[[], BaseException]
) -> BaseException | None:
    """An exception of that class, unless it says something else."""
    try:
        error = make()
    except Exception:  # A class may want anything.
        return None
    return error if type(error) is kind and _said(error) == message else None


def _bare(kind: type[BaseException], message: str) -> BaseException:
    if not isinstance(kind.__new__, BuiltinFunctionType):
        raise TypeError
    error: BaseException = kind.__new__(kind)
    error.args = (message,)
    return error


def _class_of(name: Any) -> type[BaseException] | None:
    """A class of exceptions that the program has."""
    if not isinstance(name, str):
        return None
    module, _, qualname = name.partition(":")
    found: Any = sys.modules.get(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    asyncio = sys.modules.get("asyncio")
    kinds = (Exception,) if asyncio is None else (Exception, asyncio.CancelledError)
    if not isinstance(found, type) or not issubclass(found, kinds):
        return None
    return found


def is_own_cancellation(error: BaseException) -> bool:
    """Whether it was something awaited that was cancelled, and not this task."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None or not isinstance(error, asyncio.CancelledError):
        return False
    task = None if _core.is_blocking() else asyncio.current_task()
    return task is None or not task.cancelling()
