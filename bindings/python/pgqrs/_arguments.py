"""What callers give, checked and in the terms of the library."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from ._errors import ValidationError

T = TypeVar("T")

_LONGEST_SECONDS = 3660 * 24 * 3600
_LARGEST_BATCH = 100_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(argument: str, duration: float | timedelta) -> int:
    """A duration, as a timedelta or in seconds, in microseconds."""
    if isinstance(duration, timedelta):
        duration = duration.total_seconds()
    if not isinstance(duration, int | float):
        kind = type(duration).__name__
        raise TypeError(f"{argument}: seconds or a timedelta are wanted, not a {kind}")
    if not abs(duration) <= _LONGEST_SECONDS:  # NaN is not, either.
        raise ValidationError(
            f"{argument}: is {duration} s; at most {_LONGEST_SECONDS} s are possible"
        )
    return round(duration * 1_000_000)


def positive(argument: str, duration: float | timedelta) -> int:
    """The same of one that is at least a millisecond."""
    made = micros(argument, duration)
    if made < 1000:
        raise ValidationError(f"{argument}: is {duration}; at least a millisecond is needed")
    return made


def not_negative(argument: str, duration: float | timedelta) -> int:
    """The same of one that may be zero."""
    made = micros(argument, duration)
    if made < 0:
        raise ValidationError(f"{argument}: is negative: {duration}")
    return made


def moment(argument: str, time: str | datetime) -> int:
    """A time, as a datetime or in ISO 8601, in microseconds since 1970.

    Text without an offset is of UTC.
    """
    if isinstance(time, str):
        try:
            time = datetime.fromisoformat(time)
        except ValueError as error:
            raise ValidationError(f"{argument}: is no time in ISO 8601: {error}") from None
        if time.tzinfo is None:
            time = time.replace(tzinfo=UTC)
    if not isinstance(time, datetime):
        kind = type(time).__name__
        raise TypeError(f"{argument}: a time in ISO 8601 is wanted, not a {kind}")
    if time.tzinfo is None:
        raise ValidationError(f"{argument}: has no time zone")
    return (time - _EPOCH) // timedelta(microseconds=1)


def text(argument: str, value: str) -> str:
    """A str that UTF-8 can hold."""
    if not isinstance(value, str):
        raise TypeError(f"{argument}: a str is wanted, not a {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValidationError(
            f"{argument}: holds a lone surrogate, which is no Unicode text: {value!a}"
        ) from None
    return value


def items(argument: str, values: Iterable[T]) -> list[T]:
    """What is in a list, a tuple or anything else that is one thing after another."""
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise TypeError(f"{argument}: a list is wanted, not a {type(values).__name__}")
    return values if type(values) is list else list(values)


def whole(argument: str, number: int) -> int:
    """An int."""
    if not isinstance(number, int):
        raise TypeError(f"{argument}: an int is wanted, not a {type(number).__name__}")
    return number


def batch_size(argument: str, size: int) -> int:
    """How many messages one call may take."""
    if not 1 <= whole(argument, size) <= _LARGEST_BATCH:
        raise ValidationError(f"{argument}: must be from 1 to {_LARGEST_BATCH}, and is {size}")
    return size


def instance(argument: str, value: Any, kind: type[T]) -> T:
    """An object of the package; those of pgqrs.sync are others."""
    if not isinstance(value, kind):
        raise TypeError(f"{argument}: {kind_name(kind)} is wanted, not {kind_name(type(value))}")
    return value


def kind_name(kind: type) -> str:
    """A class of the package as users name it, or any other one."""
    module = kind.__module__
    if module.startswith("pgqrs._"):
        module = "pgqrs"
    return f"a {kind.__name__}" if module == "builtins" else f"a {module}.{kind.__name__}"


def handler_of_messages(handler: Any) -> Any:
    """A function that can be called."""
    if not callable(handler):
        raise TypeError(f"handler: a function is wanted, not {kind_name(type(handler))}")
    return handler


def coroutine_function(handler: Any) -> Any:
    """A coroutine function, or an object of which one cannot tell before it is called."""
    import inspect  # It takes long to import.

    function = handler_of_messages(handler)
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.isroutine(function) and not inspect.iscoroutinefunction(function):
        raise TypeError(
            "handler: a coroutine function is wanted, not a plain one; pgqrs.sync takes those"
        )
    return handler


def error_text(error: BaseException) -> str:
    """What an exception says, as text that UTF-8 can hold, whatever its class makes of it."""
    try:
        said = str(error)
    except Exception as another:
        said = f"(its text is not to be had: {type(another).__name__})"
    return said.encode(errors="backslashreplace").decode()
