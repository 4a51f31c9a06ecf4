import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.stream import EventCutter
from shared.errors import OutOfMemory, UpstreamFailed

USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}


def event(**fields: Any) -> bytes:
    return b"data: " + json.dumps({"model": "m", **fields}, ensure_ascii=False).encode() + b"\n\n"


WORDS = [event(choices=[{"delta": {"content": text}}], usage=None) for text in ("Grüße", '"usage": {"a": 1}', "🦊\n\n")]
LAST = event(choices=[], usage=USAGE)
DONE = b"data: [DONE]\n\n"
STREAM = b"".join(WORDS) + LAST + DONE


@given(st.lists(st.integers(1, 40)), st.booleans(), st.booleans())
def test_however_it_is_cut_whole_events_come_out(sizes: list[int], wants_usage: bool, crlf: bool) -> None:
    stream = STREAM.replace(b"\n", b"\r\n") if crlf else STREAM
    cutter, out, at = EventCutter(wants_usage), [], 0
    for size in [*sizes, len(stream)]:
        block = cutter.feed(stream[at : at + size])
        at += size
        assert not block or block.endswith(b"\n\n")
        out.append(block)
        if at >= len(stream):
            break
    assert b"".join(out) == b"".join(WORDS) + (LAST if wants_usage else b"") + DONE
    assert cutter.usage == USAGE and cutter.model == "m" and cutter.ended
    cutter.finish()


def test_usage_beside_choices_is_read_and_kept() -> None:
    cutter = EventCutter(wants_usage=False)
    both = event(choices=[{"delta": {}, "finish_reason": "stop"}], usage=USAGE)
    assert cutter.feed(both) == both and cutter.usage == USAGE


def test_a_stream_that_ends_early_is_a_failure() -> None:
    cutter = EventCutter(wants_usage=True)
    assert cutter.feed(WORDS[0] + WORDS[1][:10]) == WORDS[0]
    with pytest.raises(UpstreamFailed):
        cutter.finish()


def test_an_error_as_the_first_event_is_raised() -> None:
    cutter = EventCutter(wants_usage=True)
    with pytest.raises(OutOfMemory, match="no room"):
        cutter.feed(b'data: {"error": {"message": "no room", "code": 507}}\n\n')
