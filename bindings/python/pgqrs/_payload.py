"""Payloads that are instances: of pydantic models, dataclasses and whatever else pydantic reads.

Reading goes from the JSON text straight to the instance; writing makes JSON values of it.
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any, TypeVar

from ._arguments import error_text
from ._errors import ConfigError, SerializationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from . import _core

T = TypeVar("T")


def _new_adapter(kind: Any) -> Any:
    try:
        import pydantic
    except ImportError:
        raise ConfigError(
            f"payloads of the type {_name(kind)} need pydantic: pip install 'pgqrs[typed]'"
        ) from None
    try:
        return pydantic.TypeAdapter(kind)
    except Exception as error:  # Whatever comes of what is no type.
        raise ConfigError(f"payload_type: pydantic cannot read {_name(kind)}: {error}") from error


_adapter = functools.cache(_new_adapter)


def loader_of(kind: Any, argument: str = "payload") -> Callable[[str], Any]:
    """What makes an instance of a type of JSON text."""
    # Other types may be equal and read different things, as `int | str` and `str | int` do.
    adapter = _adapter(kind) if isinstance(kind, type) else _new_adapter(kind)

    def load(text: str) -> Any:
        try:
            return adapter.validate_json(text)
        except ValueError as error:  # What pydantic raises is one.
            raise SerializationError(f"{argument}: is no {_name(kind)}: {error}") from error

    return load


def _name(kind: Any) -> str:
    return getattr(kind, "__name__", str(kind))


class Loading:
    """What becomes of payloads: instances of a type, or JSON values where there is none."""

    def __init__(self, kind: Any) -> None:
        self._load = None if kind is None else loader_of(kind)

    def __call__(self, messages: list[_core.QueueMessage[Any]]) -> list[_core.QueueMessage[Any]]:
        """The same messages."""
        if self._load is not None:
            from . import _core

            _core.load_with(messages, self._load)
        return messages


def to_plain(value: Any) -> Any:
    """A JSON value of an instance; the same object where it is none of a class that is known."""
    kind: Any = type(value)
    try:
        if hasattr(kind, "__dataclass_fields__"):
            return _adapter(kind).dump_python(value, mode="json")
        # Whoever has an instance of a model has imported it.
        pydantic = sys.modules.get("pydantic")
        if pydantic is not None and isinstance(value, pydantic.BaseModel):
            return value.model_dump(mode="json")
    except (ValueError, RecursionError) as error:  # What pydantic raises is a ValueError.
        raise SerializationError(
            f"a {_name(kind)} cannot be written as JSON: {error_text(error)}"
        ) from error
    return value
