"""Events of an image stream, however they are cut."""

from collections.abc import AsyncGenerator

import pytest

from gateway import image_events
from gateway.image_events import read_events, write_event
from shared.errors import OutOfMemory, UpstreamFailed

EVENTS = [{"type": "image_edit.partial_image", "b64_json": "QUJD" * 50}, {"type": "image_edit.completed", "n": "Grüße"}]
STREAM = b": hello\n\n" + b"".join(map(write_event, EVENTS)) + b"data: [DONE]\n\n"


async def cut(stream: bytes, size: int) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(stream), size):
        yield stream[start : start + size]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
async def test_whole_events_come_out(size: int, end: bytes) -> None:
    stream = STREAM.replace(b"\n", end)
    assert [event async for event in read_events(cut(stream, size))] == EVENTS


@pytest.mark.parametrize("line", [b"data: {\n\n", b"data: 5\n\n", b'data: {"no": "type"}\n\n'])
async def test_what_is_no_event_is_the_upstreams_fault(line: bytes) -> None:
    with pytest.raises(UpstreamFailed):
        [event async for event in read_events(cut(line, 5))]


async def test_an_error_in_the_stream_keeps_its_status() -> None:
    line = b'data: {"error": {"message": "no memory", "code": 507}}\n\n'
    with pytest.raises(OutOfMemory, match="no memory"):
        [event async for event in read_events(cut(line, 9))]


async def test_an_endless_event_is_not_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_events, "EVENT_LIMIT_BYTES", 1000)
    with pytest.raises(UpstreamFailed, match="1000"):
        [event async for event in read_events(cut(b"data: " + b"x" * 5000, 100))]
