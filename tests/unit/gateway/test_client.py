"""UnifiedAI against a real HTTP process, and its retry rule, request by request."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from gateway import client
from gateway.client import UnifiedAI
from shared.errors import InvalidRequest, NotFound, Overloaded, ServiceError, Unauthorized, UpstreamFailed
from tests.fakes.process import openai_server

HELLO = [{"role": "user", "content": "hello there"}]
DONE = {"choices": [{"message": {"role": "assistant", "content": "done"}}]}
Reply = Callable[[httpx.Request], httpx.Response]


@pytest.fixture(scope="module")
def fake() -> Iterator[str]:
    with openai_server() as url:
        yield url


@pytest.fixture
def ai(fake: str) -> Iterator[UnifiedAI]:
    with UnifiedAI(fake, "any", max_retries=0) as ai:
        yield ai


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between attempts, which a test does not sit through."""
    waited: list[float] = []
    monkeypatch.setattr(client.time, "sleep", waited.append)
    return waited


def scripted(*replies: httpx.Response | Exception) -> tuple[UnifiedAI, list[httpx.Request]]:
    """A client that gets `replies` one after the other, and the requests it makes."""
    script, seen = iter(replies), list[httpx.Request]()

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        reply = next(script)
        if isinstance(reply, Exception):
            raise reply
        return reply

    return UnifiedAI("http://gateway", "k", transport=httpx.MockTransport(answer)), seen


def test_text(ai: UnifiedAI):
    text = ai.generate_text("why is the sky blue", model="gpt-4o", seed=1)
    assert "why is the sky blue" in text
    assert len(ai.generate_text("why is the sky blue", model="gpt-4o", max_tokens=2).split()) == 2


def test_streamed_text_is_the_same(ai: UnifiedAI):
    pieces = list(ai.stream_chat(HELLO, model="gpt-4o", seed=3))
    assert len(pieces) > 3
    assert "".join(pieces) == ai.generate_text("hello there", model="gpt-4o", seed=3)


def test_models(ai: UnifiedAI):
    assert "gpt-4o" in ai.list_models()


@pytest.mark.parametrize(
    ("model", "error", "code"),
    [
        ("nope", NotFound, "model_not_found"),
        ("fail-429", Overloaded, "rate_limit_exceeded"),
        ("fail-500", UpstreamFailed, "upstream_failed"),
    ],
)
def test_errors_are_typed(ai: UnifiedAI, model: str, error: type[ServiceError], code: str):
    with pytest.raises(error) as raised:
        ai.generate_text("hi", model=model)
    assert raised.value.code == code
    assert any(note.startswith("request id req_") for note in raised.value.__notes__)


def test_the_field_at_fault_is_named(ai: UnifiedAI):
    with pytest.raises(InvalidRequest) as raised:
        ai.generate_text("hi", model="gpt-4o", no_such_option=1)
    assert raised.value.param == "no_such_option"


def test_a_key_that_is_wrong():
    with openai_server("--key", "right") as url:
        with UnifiedAI(url, "wrong") as ai, pytest.raises(Unauthorized):
            ai.generate_text("hi", model="gpt-4o")
        with UnifiedAI(url, "right") as ai:
            assert ai.generate_text("hi", model="gpt-4o")


def test_address_and_key_come_from_the_environment(fake: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GATEWAY_URL", fake)
    monkeypatch.setenv("GATEWAY_API_KEY", "from the environment")
    with UnifiedAI() as ai:
        assert ai.generate_text("hi", model="gpt-4o")
    monkeypatch.delenv("GATEWAY_API_KEY")
    with UnifiedAI(max_retries=0) as ai, pytest.raises(Unauthorized):
        ai.generate_text("hi", model="gpt-4o")


def test_a_server_that_recovers(fake: str, waits: list[float]):
    with UnifiedAI(fake, "any") as ai:
        assert ai.generate_text("hi", model="flaky-500")
    assert len(waits) == 1


def test_a_broken_stream_is_an_error(ai: UnifiedAI):
    with pytest.raises(UpstreamFailed):
        list(ai.stream_chat(HELLO, model="cut"))


def test_nobody_there(waits: list[float]):
    with UnifiedAI("http://127.0.0.1:9", "k") as ai, pytest.raises(UpstreamFailed, match="cannot be reached"):
        ai.list_models()
    assert len(waits) == 2


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_three_times(status: int, waits: list[float]):
    ai, seen = scripted(*(httpx.Response(status) for _ in range(3)))
    with pytest.raises(ServiceError):
        ai.generate_text("hi")
    assert [request.headers["x-stainless-retry-count"] for request in seen] == ["0", "1", "2"]
    assert 0.375 <= waits[0] <= 0.5 and 0.75 <= waits[1] <= 1.0


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
def test_what_will_not_pass_is_tried_once(status: int, waits: list[float]):
    ai, seen = scripted(httpx.Response(status))
    with pytest.raises(ServiceError):
        ai.generate_text("hi")
    assert len(seen) == 1 and not waits


def test_x_should_retry_overrules_the_status(waits: list[float]):
    ai, seen = scripted(httpx.Response(507, headers={"x-should-retry": "false"}))
    with pytest.raises(ServiceError):
        ai.generate_text("hi")
    assert len(seen) == 1
    ai, seen = scripted(httpx.Response(400, headers={"x-should-retry": "true"}), httpx.Response(200, json=DONE))
    assert ai.generate_text("hi") == "done" and len(seen) == 2


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": "120"}, 120.0),
    ],
)
def test_the_server_says_how_long(headers: dict[str, str], wait: float, waits: list[float]):
    ai, _ = scripted(httpx.Response(429, headers=headers), httpx.Response(200, json=DONE))
    assert ai.generate_text("hi") == "done"
    assert waits == [wait]


def test_retry_after_as_a_date(waits: list[float]):
    headers = {"retry-after": "Fri, 01 Jan 2100 00:00:00 GMT"}
    ai, seen = scripted(httpx.Response(429, headers=headers))
    with pytest.raises(Overloaded) as raised:
        ai.generate_text("hi")
    assert len(seen) == 1 and (raised.value.retry_after_s or 0) > 1e6  # more than two minutes: the caller decides


def test_a_lost_connection_is_tried_again(waits: list[float]):
    ai, seen = scripted(httpx.ReadTimeout("slow"), httpx.ConnectError("gone"), httpx.Response(200, json=DONE))
    assert ai.generate_text("hi") == "done" and len(seen) == 3


def test_an_answer_that_is_no_json():
    ai, _ = scripted(httpx.Response(200, html="<p>welcome</p>"))
    with pytest.raises(UpstreamFailed, match="is this address a gateway"):
        ai.generate_text("hi")
    ai, _ = scripted(httpx.Response(404, html="<p>nothing here</p>"))
    with pytest.raises(NotFound, match="404"):
        ai.generate_text("hi")


def test_an_error_in_the_middle_of_a_stream():
    events = 'data: {"choices": [{"delta": {"content": "so"}}]}\n\ndata: {"error": {"message": "out of breath"}}\n\n'
    ai, _ = scripted(httpx.Response(200, text=events))
    pieces: list[str] = []
    with pytest.raises(UpstreamFailed, match="out of breath"):
        for piece in ai.stream_chat(HELLO):
            pieces.append(piece)
    assert pieces == ["so"]


def test_sounds_are_made_and_saved(tmp_path: Path):
    ai, seen = scripted(httpx.Response(200, content=b"RIFFspeech"), httpx.Response(200, content=b"RIFFmusic"))
    path = ai.save_audio(ai.generate_speech("hello", voice="alloy"), tmp_path / "new" / "a.wav")
    assert path.read_bytes() == b"RIFFspeech" and [each.name for each in path.parent.iterdir()] == ["a.wav"]
    assert ai.generate_music("calm piano", 3, key="D minor") == b"RIFFmusic"
    bodies = [json.loads(request.content) for request in seen]
    assert bodies[0] == {"input": "hello", "response_format": "wav", "stream": False, "voice": "alloy"}
    assert bodies[1]["duration"] == 3 and bodies[1]["key"] == "D minor" and bodies[1]["mode"] == "music"


def test_a_recording_is_transcribed(tmp_path: Path):
    ai, seen = scripted(httpx.Response(200, json={"text": "good morning"}))
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    assert ai.transcribe(tmp_path / "a.wav", language="en") == "good morning"
    assert b'name="language"' in seen[0].content and b'filename="a.wav"' in seen[0].content
