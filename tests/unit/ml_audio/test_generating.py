"""Music and effects over HTTP."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from ml_audio.sound.reading import open_recording, read_mono

GENERATE = "/v1/audio/generate"


@pytest.fixture
def client(serve: Callable[..., TestClient], save_model: Any) -> TestClient:
    return serve(save_model("voice"), save_model("notes", "llama"), music="notes")


def test_music(client: TestClient) -> None:
    body = {"prompt": "calm piano", "duration": 3, "key": "D minor", "tempo": 80, "seed": 1}
    wav = client.post(GENERATE, json=body)
    assert (wav.status_code, wav.headers["content-type"]) == (200, "audio/wav"), wav.text
    assert open_recording(wav.content, 60).stream.rate == 44_100
    assert len(read_mono(wav.content, 44_100, 60)) == 3 * 44_100 and wav.headers["x-audio-seconds"] == "3.000"
    assert wav.headers["x-audio-model"] == "notes"
    assert client.post("/v1/sound-generation", json=body).content == wav.content
    midi = client.post(GENERATE, json=body | {"response_format": "midi"})
    assert midi.content[:4] == b"MThd" and midi.headers["content-type"] == "audio/midi"
    opus = client.post(GENERATE, json=body | {"response_format": "opus"})
    assert len(read_mono(opus.content, 48_000, 60)) / 48_000 == pytest.approx(3, abs=0.05)


def test_effects(client: TestClient) -> None:
    body = {"text": "rain", "mode": "effects", "duration_seconds": 1.5, "response_format": "flac"}
    answer = client.post(GENERATE, json=body)
    samples = read_mono(answer.content, 44_100, 60)
    assert answer.headers["x-audio-model"] == "effects"
    assert len(samples) == round(1.5 * 44_100) and np.abs(samples).max() > 0.01


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": ""}, "prompt"),
        ({"duration": -1}, "duration"),
        ({"key": "H minor"}, "key"),
        ({"mood": "orange"}, "mood"),
        ({"instruments": ["kazoo"]}, "instruments"),
        ({"mode": "effects", "prompt": "zzz"}, "prompt"),
        ({"mode": "effects", "prompt": "rain", "response_format": "midi"}, "response_format"),
        ({"model": "voice"}, "model"),
        ({"response_format": "opus", "sample_rate": 44_100}, "sample_rate"),
    ],
)
def test_what_is_wrong_is_named(client: TestClient, fields: dict[str, Any], param: str) -> None:
    answer = client.post(GENERATE, json={"prompt": "calm piano", "duration": 2, **fields})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param), answer.text
