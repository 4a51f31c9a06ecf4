"""Every provider of audio behaves the same, with OpenAI's own client; a new row is tested by being there."""

import base64
import io
import json
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from fastapi import FastAPI

from gateway.main import create_gateway
from gateway.providers import PROVIDERS
from gateway.settings import MODALITIES, Settings
from tests.contract.asking import asking, sdk
from tests.fakes.providers import Upstreams, running

SPEAKER = {"custom": "starter", "openai": "gpt-4o-mini-tts"}
LISTENER = {"custom": "starter", "openai": "gpt-4o-mini-transcribe"}
SAY = "Hello there, this is a sentence."


@pytest.fixture(scope="module")
def upstreams() -> Iterator[Upstreams]:
    with running() as both:
        yield both


@pytest.fixture(params=sorted(name for name, row in PROVIDERS.items() if row.audio))
def provider(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def more() -> dict[str, Any]:
    """Settings that a test overrides by parametrization."""
    return {}


@pytest.fixture
def app(provider: str, upstreams: Upstreams, tmp_path: Path, more: dict[str, Any]) -> FastAPI:
    audio = {"audio": MODALITIES["audio"](urls=(upstreams.custom,), model=SPEAKER[provider])}
    settings = upstreams.settings(provider, tmp_path, **{"modalities": audio, "upstream_timeout_s": 5.0, **more})
    return create_gateway(settings)


@pytest.fixture
def api(client: httpx.AsyncClient) -> openai.AsyncOpenAI:
    return sdk(client)


def sound(seconds: float = 0.5) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(16_000)
        writer.writeframes(bytes(round(seconds * 32_000)))
    return file.getvalue()


@pytest.mark.parametrize("format", ["mp3", "wav", "flac", "opus", "aac", "pcm"])
async def test_speech(api: openai.AsyncOpenAI, provider: str, format: Any) -> None:
    answer = await api.audio.speech.create(input=SAY, model=SPEAKER[provider], voice="alloy", response_format=format)
    assert len(answer.content) > 1000


async def test_speech_as_it_is_made(api: openai.AsyncOpenAI, client: httpx.AsyncClient, provider: str) -> None:
    pieces: list[bytes] = []
    create = api.audio.speech.with_streaming_response.create
    async with create(input=SAY, model=SPEAKER[provider], voice="alloy", response_format="pcm") as reply:
        assert reply.headers["content-type"].startswith("audio/pcm")
        pieces += [piece async for piece in reply.iter_bytes()]
    body = {"input": SAY, "voice": {"id": "alloy"}, "response_format": "pcm"}  # the default model
    whole = await client.post("/v1/audio/speech", json=body | {"stream": False})
    assert whole.content == b"".join(pieces) and int(whole.headers["content-length"]) == len(whole.content)
    events = await client.post("/v1/audio/speech", json=body | {"stream_format": "sse"})
    kinds = [json.loads(line[6:])["type"] for line in events.text.splitlines() if line.startswith("data: {")]
    assert set(kinds[:-1]) == {"speech.audio.delta"} and kinds[-1] == "speech.audio.done"


async def test_no_voice_is_the_models_own(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/audio/speech", json={"input": SAY, "response_format": "wav"})
    assert answer.status_code == 200 and answer.content[:4] == b"RIFF"


@pytest.mark.filterwarnings("ignore:deprecated")  # the client says that OpenAI is dropping them
async def test_transcriptions(api: openai.AsyncOpenAI, provider: str) -> None:
    file, model = ("a.wav", sound()), LISTENER[provider]
    told = f"transcriptions of {len(sound())} bytes"
    plain = await api.audio.transcriptions.create(file=file, model=model)
    assert plain.text == told
    verbose = await api.audio.transcriptions.create(
        file=file, model=model, response_format="verbose_json", timestamp_granularities=["word", "segment"]
    )
    assert verbose.words and [word.word for word in verbose.words] == told.split()
    for format, start in (("text", told), ("srt", "1\n00:"), ("vtt", "WEBVTT")):
        written: Any = await api.audio.transcriptions.create(file=file, model=model, response_format=format)  # pyright: ignore[reportArgumentType, reportCallIssue]
        assert written.startswith(start)
    stream = await api.audio.transcriptions.create(file=file, model=model, stream=True)
    events = [event async for event in stream]
    assert "".join(event.delta for event in events if event.type == "transcript.text.delta") == told
    assert events[-1].type == "transcript.text.done" and events[-1].text == told
    translated = await api.audio.translations.create(file=file, model=model)  # pyright: ignore[reportDeprecated]
    assert translated.text.startswith("translations")


async def test_music_is_in_house(client: httpx.AsyncClient, provider: str) -> None:
    for path in ("/v1/audio/generate", "/v1/sound-generation"):
        answer = await client.post(path, json={"prompt": "calm piano", "duration": 2})
        if provider == "openai":
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unsupported_by_provider")
        else:
            assert answer.status_code == 200 and answer.content[:4] == b"RIFF"
            assert answer.headers["content-type"] == "audio/wav"


async def test_voices(client: httpx.AsyncClient, app: FastAPI) -> None:
    secrets = [app.state.keys.create(name, {})[1] for name in ("ann", "stranger")]
    app.state.keys.checked = float("-inf")  # else they are seen a moment later
    ann, stranger = ({"authorization": f"Bearer {secret}"} for secret in secrets)
    api = sdk(client, secrets[0])
    built_in = (await client.get("/v1/audio/voices", headers=ann)).json()["data"]
    assert {voice["object"] for voice in built_in} == {"audio.voice"}
    made = await api.audio.voices.create(name="Ann", audio_sample=("a.wav", sound()), consent="cons_1")
    assert made.name == "Ann" and made.type == "audio_sample"
    listed = (await client.get("/v1/audio/voices", headers=stranger)).json()["data"]
    assert made.id not in [voice["id"] for voice in listed], "another key's voice"
    assert (await client.delete(f"/v1/audio/voices/{made.id}", headers=stranger)).status_code == 404
    spoken = await client.post("/v1/audio/speech", json={"input": SAY, "voice": made.id}, headers=stranger)
    assert (spoken.status_code, spoken.json()["error"]["code"]) == (404, "voice_not_found")
    gone = await api.audio.voices.delete(made.id)
    assert gone.deleted and gone.object == "audio.voice.deleted"


@pytest.mark.parametrize("mode", ["speech", "music", "effects"])
async def test_generate_audio(client: httpx.AsyncClient, provider: str, mode: str) -> None:
    body = {"prompt": SAY, "mode": mode, "duration": 2, "response_format": "wav"}
    answer = await client.post("/api/v1/multimodal/generate_audio", json=body)
    if provider == "openai" and mode != "speech":
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unsupported_by_provider")
        return
    made = answer.json()
    assert made["media_type"] == "audio/wav" and made["filename"].endswith(".wav"), made
    assert mode == "speech" or made["model"] == "composer", "the one that the service says it was"
    found = await client.get(f"/api/v1/multimodal/download/{made['filename']}")
    assert found.content[:4] == b"RIFF" and len(found.content) == made["size_bytes"]
    listed = (await client.get("/api/v1/multimodal/list_generated")).json()["data"]
    assert [file["filename"] for file in listed] == [made["filename"]]
    assert (await client.delete(f"/api/v1/multimodal/delete/{made['filename']}")).json()["deleted"]


async def test_audio_is_among_the_capabilities(client: httpx.AsyncClient, provider: str) -> None:
    row = (await client.get("/api/v1/multimodal/capabilities")).json()["operations"]["generate_audio"]
    assert (row["offered"], row["provider"]) == (True, provider)


def turn(data: str) -> dict[str, Any]:
    part = {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}
    content = [{"type": "text", "text": "What is said here?"}, part]
    return {"model": "recall", "messages": [{"role": "user", "content": content}]}


async def test_a_turn_may_be_a_recording(upstreams: Upstreams, tmp_path: Path) -> None:
    both = {name: MODALITIES[name](urls=(upstreams.custom,)) for name in ("text", "audio")}
    app = create_gateway(upstreams.settings("custom", tmp_path, modalities=both))
    async with asking(app) as client:
        answer = await client.post("/v1/chat/completions", json=turn(base64.b64encode(sound()).decode()))
        told = answer.json()["choices"][0]["message"]["content"]
        assert f"transcriptions of {len(sound())} bytes" in told and "What is said here?" in told
        for data in ("%%%", base64.b64encode(b"no sound").decode()):
            refused = (await client.post("/v1/chat/completions", json=turn(data))).json()["error"]
            assert refused["param"] == "messages[0].content[1].input_audio.data", refused


@pytest.mark.parametrize(
    ("path", "request_", "status", "param"),
    [
        ("speech", {"json": {"input": ""}}, 400, "input"),
        ("speech", {"json": {"input": SAY, "speed": 9}}, 400, "speed"),
        ("speech", {"json": {"input": SAY, "model": "no-such-model"}}, 404, "model"),
        ("speech", {"content": b"{", "headers": {"content-type": "application/json"}}, 400, None),
        ("transcriptions", {"files": {"file": ("a.wav", b"")}}, 400, "file"),
        ("transcriptions", {"data": {"model": "x"}, "files": {"other": b"x"}}, 400, "file"),
        ("transcriptions", {"files": {"file": ("a.wav", sound())}, "data": {"temperature": "9"}}, 400, "temperature"),
        ("transcriptions", {"json": {}}, 400, None),
        ("voices", {"data": {"name": "x"}, "files": {"other": b"x"}}, 400, "audio_sample"),
    ],
)
async def test_what_is_wrong_is_named(
    client: httpx.AsyncClient, path: str, request_: dict[str, Any], status: int, param: str | None
) -> None:
    answer = await client.post(f"/v1/audio/{path}", **request_)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["param"] == param, answer.text


async def test_what_openai_lacks_is_refused_by_name(client: httpx.AsyncClient, provider: str) -> None:
    answer = await client.post("/v1/audio/speech", json={"input": SAY, "seed": 1})
    expected = (400, "unsupported_by_provider") if provider == "openai" else (200, None)
    assert (answer.status_code, answer.json()["error"]["code"] if answer.is_error else None) == expected


async def test_seconds_are_counted(client: httpx.AsyncClient, app: FastAPI, provider: str) -> None:
    model = {"model": LISTENER[provider]}
    await client.post("/v1/audio/transcriptions", data=model, files={"file": ("a.wav", sound())})
    await client.post("/v1/audio/speech", json={"input": "x" * 150})
    await app.state.usage.flush()
    rows = (await client.get("/api/v1/usage")).json()["data"]
    assert sum(row["seconds"] for row in rows) == 3 + 10


@pytest.mark.parametrize("more", [{"limit": {"seconds": 5}}])
async def test_a_limit_on_seconds(client: httpx.AsyncClient) -> None:
    assert (await client.post("/v1/audio/speech", json={"input": "x" * 150})).status_code == 200
    refused = await client.post("/v1/audio/speech", json={"input": SAY})
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")


async def test_without_a_service_audio_is_not_offered(tmp_path: Path) -> None:
    app = create_gateway(Settings(data_dir=tmp_path, modalities={}))
    async with asking(app) as client:
        answer = await client.post("/v1/audio/speech", json={"input": SAY})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unsupported_by_provider")
