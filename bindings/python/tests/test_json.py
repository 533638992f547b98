"""Payloads between Python objects and JSON text."""

from __future__ import annotations

import enum
import json
import math

import pytest

from pgqrs import SerializationError, ValidationError, _core


class Color(enum.IntEnum):
    RED = 3


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
