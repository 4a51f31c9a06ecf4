"""The service over HTTP: OpenAI's shapes, errors in its envelope."""

import base64
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from ml_audio.settings import SHIPPED
from ml_audio.sound.encoding import FORMATS
from ml_audio.sound.reading import open_recording, read_mono

SAY = {"input": "Hello there. The second sentence is a little longer."}


@pytest.fixture
def client(serve: Callable[..., TestClient], save_model: Any) -> TestClient:
    return serve(save_model())


@pytest.mark.parametrize("format", FORMATS)
def test_speech_in_every_format(client: TestClient, format: str) -> None:
    answer = client.post("/v1/audio/speech", json=SAY | {"response_format": format, "stream": False})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == FORMATS[format].media_type
    seconds = float(answer.headers["x-audio-seconds"])
    if format == "pcm":
        assert len(answer.content) == pytest.approx(seconds * 24_000 * 2, abs=2)
        return
    samples = read_mono(answer.content, 24_000, 600)
    assert len(samples) / 24_000 == pytest.approx(seconds, abs=0.1)
    assert np.abs(samples).max() > 0.01
    streamed = client.post("/v1/audio/speech", json=SAY | {"response_format": format})
    assert "content-length" not in streamed.headers
    assert len(read_mono(streamed.content, 24_000, 600)) / 24_000 == pytest.approx(seconds, abs=0.15)


def test_mp3_is_what_one_gets_unasked(client: TestClient) -> None:
    answer = client.post("/v1/audio/speech", json=SAY | {"voice": "alloy", "model": "tiny"})
    assert answer.headers["content-type"] == "audio/mpeg"
    assert open_recording(answer.content, 600).stream.rate == 24_000


def test_a_stream_of_events_is_the_same_file(client: TestClient) -> None:
    body = SAY | {"response_format": "pcm"}
    lines = client.post("/v1/audio/speech", json=body | {"stream_format": "sse"}).text.splitlines()
    *deltas, done = [json.loads(line.removeprefix("data: ")) for line in lines if line and "[DONE]" not in line]
    assert {event["type"] for event in deltas} == {"speech.audio.delta"} and len(deltas) > 2
    data = b"".join(base64.b64decode(event["audio"]) for event in deltas)
    assert data == client.post("/v1/audio/speech", json=body).content
    assert done["type"] == "speech.audio.done"
    assert done["usage"]["seconds"] == pytest.approx(len(data) / 48_000)


def test_speed(client: TestClient) -> None:
    def seconds(speed: float) -> float:
        body = SAY | {"response_format": "wav", "stream": False, "speed": speed}
        return float(client.post("/v1/audio/speech", json=body).headers["x-audio-seconds"])

    assert seconds(2.0) < 0.7 * seconds(1.0) < 0.5 * seconds(0.5)


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"input": ""}, 400, "input"),
        ({"input": "🎉🎉 ١٢"}, 400, "input"),
        ({"input": "a" * 100_001}, 400, "input"),
        ({"voice": "nobody"}, 400, "voice"),
        ({"speed": 5}, 400, "speed"),
        ({"response_format": "midi"}, 400, "response_format"),
        ({"response_format": "opus", "sample_rate": 44100}, 400, "sample_rate"),
        ({"instructions": "be cheerful"}, 400, "instructions"),
        ({"model": "nothing"}, 404, "model"),
    ],
)
def test_what_is_wrong_is_named(client: TestClient, fields: dict[str, Any], status: int, param: str) -> None:
    answer = client.post("/v1/audio/speech", json=SAY | fields)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)


def test_models(client: TestClient) -> None:
    assert [model["id"] for model in client.get("/v1/models").json()["data"]] == ["tiny", *SHIPPED]
    details = client.get("/v1/models/tiny").json()
    assert (details["family"], details["loaded"], details["context_length"]) == ("vits", True, None)
