import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.body import MAX_DEPTH, parse_json
from shared.errors import InvalidRequest

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(st.dictionaries(st.text(), VALUES))
def test_what_is_taken_can_be_sent_on_and_what_is_refused_is_named(value: dict[str, Any]) -> None:
    body = json.dumps(value).encode()
    try:
        parsed = parse_json(body)
    except InvalidRequest as error:
        assert "finite" in str(error) or "surrogate" in str(error) or "Unicode" in str(error)
        assert error.param is not None or "name" in str(error)
    else:
        assert parsed == value and orjson.dumps(parsed)


def test_depth() -> None:
    deep: Any = "x"
    for _ in range(MAX_DEPTH - 1):
        deep = [deep]
    assert parse_json(orjson.dumps(deep)) == deep
    with pytest.raises(InvalidRequest, match="nested"):
        parse_json(orjson.dumps([[deep]]))


def test_many_brackets_are_not_depth() -> None:
    wide = {"tools": [{"a": [1]}] * 5000}
    assert parse_json(orjson.dumps(wide)) == wide


def test_a_large_broken_body_is_refused_without_a_search() -> None:
    body = b'{"a": NaN, "b": "' + b"x" * (2 << 20) + b'"}'
    with pytest.raises(InvalidRequest, match="at character") as refused:
        parse_json(body)
    assert refused.value.param is None
