"""Transcriptions over HTTP, with a recogniser that hears the pitch of a tone as a letter."""

import io
import json
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from ml_audio.hearing import ctc
from ml_audio.hearing.listener import RATE_HZ
from ml_audio.sound.encoding import encode

STEP_HZ = 125
TONE_S = 0.3
VOCABULARY = 30


def tones(*letters: str) -> np.ndarray:
    """Letter number n as n * STEP_HZ for TONE_S, a blank as as much silence."""
    t = np.arange(round(TONE_S * RATE_HZ)) / RATE_HZ
    parts = [
        np.zeros(len(t)) if letter == " " else 0.5 * np.sin(2 * np.pi * STEP_HZ * (ord(letter) - 95) * t)
        for letter in letters
    ]
    return np.concatenate(parts).astype(np.float32)


def pitch(samples: np.ndarray) -> np.ndarray:
    """(N,) -> (T, V), what a trained network would give: frames of 20 ms. `a` is the third token of the alphabet."""
    size = RATE_HZ // 50
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(size), 2 * RATE_HZ // STEP_HZ))
    log_probs = np.full((len(frames), VOCABULARY), -20.0, np.float32)
    for i, (row, frame) in enumerate(zip(spectrum, frames, strict=True)):
        log_probs[i, 4 if frame.std() < 0.05 else 6 + int(row.argmax()) // 2 - 2] = 0.0
    return log_probs


@pytest.fixture
def client(serve: Callable[..., TestClient], save_model: Any) -> TestClient:
    folder: Path = save_model("ears", "wav2vec2")
    client = serve(folder, recogniser="ears")
    (resident,) = client.app.state.service.engine.pool.residents  # pyright: ignore[reportAttributeAccessIssue]
    resident.model.log_probs = pitch
    return client


def send(client: TestClient, sound: bytes, name: str = "a.wav", **fields: Any) -> Any:
    return client.post("/v1/audio/transcriptions", data=fields, files={"file": (name, sound)})


def wav(samples: np.ndarray, rate_hz: int = RATE_HZ) -> bytes:
    return encode(samples, rate_hz, "wav")


def test_words_and_their_times(client: TestClient) -> None:
    asked = {"response_format": "verbose_json", "timestamp_granularities[]": ["word", "segment"]}
    answer = send(client, wav(tones(*"ab cd e")), **asked).json()
    assert "error" not in answer, answer
    assert answer["text"] == "ab cd e"
    assert answer["duration"] == pytest.approx(7 * TONE_S, abs=0.01)
    times = [(word["word"], word["start"], word["end"]) for word in answer["words"]]
    expected = [("ab", 0.0, 0.6), ("cd", 0.9, 1.5), ("e", 1.8, 2.1)]
    for (word, start, end), (wanted, began, ended) in zip(times, expected, strict=True):
        assert (word, start, end) == (wanted, pytest.approx(began, abs=0.04), pytest.approx(ended, abs=0.04))
    (segment,) = answer["segments"]
    assert (segment["text"], segment["id"], segment["temperature"]) == ("ab cd e", 0, 0.0)
    assert segment["avg_logprob"] > -0.1 and len(segment["tokens"]) == 5


def test_a_long_recording_is_one_text_with_right_times(client: TestClient) -> None:
    words = [chr(97 + i % 20) + chr(97 + (i * 7 + 3) % 20) for i in range(110)]
    samples = tones(*" ".join(words))
    assert len(samples) / RATE_HZ > 4 * ctc.WINDOW_S
    answer = send(
        client, wav(samples), response_format="verbose_json", **{"timestamp_granularities[]": ["word"]}
    ).json()
    assert answer["text"].split() == words
    assert "segments" not in answer
    for i, word in enumerate(answer["words"]):
        assert word["start"] == pytest.approx(3 * i * TONE_S, abs=0.06)


def test_subtitles(client: TestClient) -> None:
    srt = send(client, wav(tones(*"ab   cd")), response_format="srt")
    assert srt.headers["content-type"].startswith("text/plain")
    blocks = srt.text.strip().split("\n\n")
    assert [block.splitlines()[0::2] for block in blocks] == [["1", "ab"], ["2", "cd"]]
    assert blocks[0].splitlines()[1].startswith("00:00:00,0") and " --> " in blocks[0]
    vtt = send(client, wav(tones(*"ab   cd")), response_format="vtt").text
    assert vtt.startswith("WEBVTT\n\n00:00:00.") and "\ncd\n" in vtt
    assert send(client, wav(tones(*"ab   cd")), response_format="text").text == "ab cd\n"


def test_a_stream_says_the_same(client: TestClient) -> None:
    sound = wav(tones(*"ab   cd"))
    answer = send(client, sound, stream="true", **{"include[]": "logprobs"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line]
    events = [json.loads(line) for line in lines if line != "[DONE]"]
    assert "".join(event.get("delta", "") for event in events) == "ab cd" == send(client, sound).json()["text"]
    kinds = [event["type"].removeprefix("transcript.text.") for event in events]
    assert kinds == ["delta", "segment", "delta", "segment", "done"]
    assert events[1]["start"] == pytest.approx(0, abs=0.04)
    assert [entry["token"] for entry in events[-1]["logprobs"]] == ["ab", "cd"]
    assert events[-1]["usage"] == {"type": "duration", "seconds": pytest.approx(7 * TONE_S, abs=0.01)}


@pytest.mark.parametrize("format", ["mp3", "flac", "opus", "aac"])
def test_compressed_files(client: TestClient, format: str) -> None:
    answer = send(client, encode(tones(*"ab cd"), RATE_HZ, format), f"a.{format}").json()
    assert answer["text"].split()[1] == "cd" and answer["text"].startswith("ab")  # aac rings for a frame behind a tone


def test_other_rates_depths_and_channels(client: TestClient) -> None:
    samples = np.repeat(tones(*"ab cd"), 6)  # 96 kHz
    assert send(client, wav(np.tile(samples[:, None], (1, 6)), 96_000)).json()["text"] == "ab cd"
    file = io.BytesIO()
    with wave.open(file, "wb") as eight_bits:
        eight_bits.setnchannels(1), eight_bits.setsampwidth(1), eight_bits.setframerate(RATE_HZ)
        eight_bits.writeframes((tones(*"ab cd") * 127 + 128).astype(np.uint8).tobytes())
    assert send(client, file.getvalue()).json()["text"] == "ab cd"


def test_a_truncated_mp3_is_heard_as_far_as_it_goes(client: TestClient) -> None:
    whole = encode(tones(*"ab cd ef gh"), RATE_HZ, "mp3")
    assert "ab cd ef gh".startswith(send(client, whole[: len(whole) // 2], "a.mp3").json()["text"][:2])


def test_silence_is_an_empty_text(client: TestClient) -> None:
    assert send(client, wav(tones(*"      "))).json()["text"] == ""


def ten_hours() -> bytes:
    """A flac of a second whose header says ten hours."""
    data = bytearray(encode(tones(*"ab "), RATE_HZ, "flac"))
    total = 10 * 3600 * RATE_HZ  # the last 36 bits of eight bytes that begin at 18
    head = int.from_bytes(data[18:26], "big") >> 36 << 36
    data[18:26] = (head | total).to_bytes(8, "big")
    return bytes(data)


@pytest.mark.parametrize(
    ("sound", "fields", "status", "param", "code"),
    [
        (b"", {}, 400, "file", "empty_file"),
        (b"this is a text\n" * 100, {}, 400, "file", "invalid_audio"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", {}, 400, "file", "invalid_audio"),
        (b"#EXTM3U\nfile:///etc/passwd\n", {}, 400, "file", "invalid_audio"),
        (ten_hours(), {}, 413, "file", "audio_too_long"),
        (wav(tones("a")), {"response_format": "diarized_json"}, 400, "response_format", None),
        (wav(tones("a")), {"timestamp_granularities[]": "word"}, 400, None, None),
        (wav(tones("a")), {"known_speaker_names[]": "Ann"}, 400, "known_speaker_names", None),
        (wav(tones("a")), {"temperature": "7"}, 400, "temperature", None),
        (wav(tones("a")), {"chunking_strategy": "{"}, 400, "chunking_strategy", None),
        (wav(tones("a")), {"model": "nothing"}, 404, "model", "model_not_found"),
    ],
)
def test_what_is_wrong_is_named(
    client: TestClient, sound: bytes, fields: dict[str, Any], status: int, param: str | None, code: str | None
) -> None:
    answer = send(client, sound, **fields)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["code"]) == (status, param, code), error
    stream = send(client, sound, stream="true", **fields)
    assert stream.status_code == status


def test_a_strategy_may_come_as_json_in_a_string(client: TestClient) -> None:
    for strategy in ('{"type": "server_vad", "silence_duration_ms": 300, "threshold": 0.5}', "auto"):
        assert send(client, wav(tones(*"ab")), chunking_strategy=strategy).json()["text"] == "ab"


def test_a_file_is_needed_and_a_ctc_model_does_not_translate(client: TestClient) -> None:
    missing = client.post("/v1/audio/transcriptions", data={"model": "ears"}, files={"other": b"x"})
    assert missing.status_code == 400
    translated = client.post("/v1/audio/translations", files={"file": ("a.wav", wav(tones("a")))})
    assert (translated.status_code, translated.json()["error"]["param"]) == (400, "model")
    spoken = client.post("/v1/audio/speech", json={"input": "hello"})
    assert (spoken.status_code, spoken.json()["error"]["param"]) == (400, "model")
