"""Payloads between Python objects and JSON text."""

from __future__ import annotations

import enum
import json
import math
from typing import Any

import pydantic
import pytest

from pgqrs import SerializationError, ValidationError, _core


class Color(enum.IntEnum):
    RED = 3


class LongList(list[int]):
    def __len__(self) -> int:
        return 5


class FailingList(list[int]):
    def __len__(self) -> int:
        raise KeyError


class LongTuple(tuple[int, ...]):
    def __len__(self) -> int:
        return 5


class Model(pydantic.BaseModel):
    """One whose value is what a function gives."""

    made: Any

    def model_dump(self, **_: Any) -> Any:
        return self.made()


class NumberedClass(type):
    __name__ = 5  # type: ignore[assignment]


class Numbered(metaclass=NumberedClass):
    pass


class OddKey(str):
    def __repr__(self) -> str:
        return "\ud800"


@pytest.mark.parametrize(
    "payload",
    [
        None,
        True,
        False,
        0,
        -1,
        2**63 - 1,
        -(2**63),
        2**64,
        10**400,
        0.1,
        -0.0,
        1e300,
        5e-324,
        1.0,
        "",
        "plain",
        'quotes " and \\ and /',
        "\x00\x1f\n\r\t\x7f",
        "ünïcode 😀",
        [],
        {},
        [1, [2, [3, {"a": None}]]],
        {"a": 1, "b": [True, False], "": {"nested": "x"}},
    ],
)
def test_comes_back_as_it_was(payload: object) -> None:
    text = _core.to_json(payload)
    assert json.loads(text) == payload
    back = _core.from_json(text)
    assert back == payload
    assert type(back) is type(payload)
    if isinstance(payload, float) and isinstance(back, float):
        assert math.copysign(1, back) == math.copysign(1, payload)


def test_tuples_and_int_enums_are_written_as_json_has_them() -> None:
    assert _core.from_json(_core.to_json((1, (2,)))) == [1, [2]]
    assert _core.to_json(Color.RED) == "3"


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (math.nan, "NaN"),
        (math.inf, "infinite"),
        ({1: "x"}, "a key is a int"),
        ({"a": [1, {"b": object()}]}, "payload['a'][1]['b']: a object"),
        ({"a": {1, 2}}, "payload['a']: a set"),
        (b"bytes", "a bytes"),
        ("\ud800", "surrogate"),
        ({"\ud800": 1}, "surrogate"),
        ([10**5000], "[0]: an int has more digits"),
        (Numbered(), "a Numbered cannot be written"),
        ({OddKey("odd"): object()}, "payload['odd']: a object"),
    ],
)
def test_what_is_no_json_is_refused_by_its_place(payload: object, words: str) -> None:
    with pytest.raises(SerializationError) as refused:
        _core.to_json(payload)
    assert words in str(refused.value)


def test_a_list_that_holds_itself_is_refused() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(ValidationError, match="deeper than 999"):
        _core.to_json(loop)


def test_numbers_beyond_a_double_are_read_as_python_does() -> None:
    text = "[1e400, -1e400, 1e-400, 12345678901234567890123]"
    assert _core.from_json(text) == json.loads(text)


@pytest.mark.parametrize("sequence", [LongList([1]), FailingList([1]), LongTuple([1])])
def test_a_sequence_has_the_items_that_it_has(sequence: object) -> None:
    assert _core.to_json(sequence) == "[1]"


def test_a_dict_that_is_changed_while_it_is_written_is_refused() -> None:
    changed: dict[str, object] = {}

    def change() -> dict[str, int]:
        changed.clear()
        return {"a": 1}

    # A key and a value that nothing else holds.
    changed["".join(["k"] * 50)] = {"model": Model(made=change), "after": "".join(["v"] * 50)}
    with pytest.raises(SerializationError, match="changed while it was written"):
        _core.to_json(changed)


def test_the_place_of_what_is_refused_outlives_a_change() -> None:
    changed: dict[str, object] = {}

    def change() -> object:
        changed.clear()
        return object()

    changed["".join(["k"] * 50)] = Model(made=change)
    with pytest.raises(SerializationError, match=r"payload\['k{50}'\]: a object"):
        _core.to_json(changed)


def test_an_instance_that_becomes_another_for_ever_is_refused() -> None:
    def another() -> Model:
        return Model(made=another)

    with pytest.raises(ValidationError, match="deeper than 999"):
        _core.to_json(another())


def test_running_out_of_memory_is_told() -> None:
    def fail() -> object:
        raise MemoryError

    with pytest.raises(MemoryError):
        _core.to_json([Model(made=fail)])


def test_text_that_nests_deeper_than_any_payload_is_refused() -> None:
    assert _core.from_json("[" * 999 + "]" * 999)
    for levels in (1000, 1_000_000):
        with pytest.raises(SerializationError, match="deeper than 999"):
            _core.from_json("[" * levels + "]" * levels)


def test_a_stored_int_of_too_many_digits_is_refused() -> None:
    with pytest.raises(SerializationError, match="more digits"):
        _core.from_json("1" * 5000)
