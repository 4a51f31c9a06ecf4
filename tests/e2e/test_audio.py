"""OpenAI's own client, a gateway and the audio service as processes, tiny models behind them: words become sound and
back; and a voice that is published a moment ago answers by name."""

import contextlib
import io
import os
import subprocess
import sys
import time
import urllib.request
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import openai
import pytest

from gateway.client import UnifiedAI
from shared import registry
from tests.contract.test_production import gateway_process
from tests.fakes.process import free_port
from tests.unit.ml_audio import tiny_models

pytestmark = pytest.mark.slow
READY_S = 180.0


@dataclass(frozen=True)
class Audio:
    url: str
    service: str
    data_dir: Path


@contextlib.contextmanager
def audio_service(data_dir: Path, *arguments: str) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "ml_audio.serve", "--port", str(port), *arguments]
    environment = os.environ | {"DATA_DIR": str(data_dir), "LOG_LEVEL": "WARNING", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, env=environment) as process:
        try:
            url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + READY_S
            while True:
                assert process.poll() is None and time.monotonic() < deadline, "the service did not become ready"
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(f"{url}/ready", timeout=5).close()
                    break
                time.sleep(0.1)
            yield url
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audio]:
    folder = tmp_path_factory.mktemp("audio")
    voice = tiny_models.save("fastspeech2_conformer", folder / "voice", speakers=2)
    ears = tiny_models.save("wav2vec2-bert", folder / "ears")
    with audio_service(folder / "data", "--model", str(voice), "--recogniser", str(ears)) as service:
        env = {"MODEL_PROVIDER": "custom", "ML_AUDIO_URL": service, "MODEL_AUDIO": "voice"}
        with gateway_process(folder / "data", **env) as gateway:
            yield Audio(gateway.url, service, folder / "data")


@pytest.fixture(scope="module")
def client(audio: Audio) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{audio.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def seconds(wav: bytes) -> float:
    with wave.open(io.BytesIO(wav)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)
        return file.getnframes() / 24_000


def test_there_and_back(client: openai.OpenAI, audio: Audio) -> None:
    with UnifiedAI(base_url=audio.url) as ai:
        wav = ai.generate_speech("Hello there. This is the second sentence.")
    assert 0.5 < seconds(wav) < 60
    verbose = client.audio.transcriptions.create(
        file=("a.wav", wav), model="ears", response_format="verbose_json", timestamp_granularities=["word"]
    )
    assert verbose.duration == pytest.approx(seconds(wav), abs=0.1)
    assert verbose.words and all(0 <= word.start <= word.end <= verbose.duration + 0.1 for word in verbose.words)
    stream = client.audio.transcriptions.create(file=("a.wav", wav), model="ears", stream=True)
    events = list(stream)
    assert events[-1].type == "transcript.text.done" and events[-1].text == verbose.text


def test_sound_comes_before_all_of_it_is_made(client: openai.OpenAI) -> None:
    create = client.audio.speech.with_streaming_response.create
    story = "One sentence of several words comes first. " * 40
    began = time.monotonic()
    with create(input=story, model="voice", voice="alloy", response_format="pcm") as reply:
        pieces = reply.iter_bytes()
        next(pieces)
        first_s = time.monotonic() - began
        size = sum(map(len, pieces))
    assert size > 40 * 4_800 and first_s < 0.5 * (time.monotonic() - began)


def test_a_published_voice_answers_by_name(client: openai.OpenAI, audio: Audio, tmp_path: Path) -> None:
    other = tiny_models.save("fastspeech2_conformer", tmp_path / "other", seed=5)
    with pytest.raises(openai.NotFoundError):
        client.audio.speech.create(input="hello", model="anna", voice="alloy")
    registry.publish(audio.data_dir, "anna", other, {"service": "audio"})
    said = client.audio.speech.create(input="hello", model="anna", voice="alloy", response_format="wav")
    assert said.content[:4] == b"RIFF"


def test_a_client_that_leaves_frees_the_model(audio: Audio) -> None:
    story = "One sentence of several words comes first. " * 2000
    with httpx.stream("POST", f"{audio.url}/v1/audio/speech", json={"input": story}) as reply:
        next(reply.iter_bytes())
    began = time.monotonic()
    answer = httpx.post(f"{audio.url}/v1/audio/speech", json={"input": "hello"}, timeout=60)
    assert answer.status_code == 200 and time.monotonic() - began < 10


def test_hostile_files(client: openai.OpenAI) -> None:
    for data in (b"", b"text", b"RIFF" + bytes(40), b"ID3" + bytes(1000), b"\x1aE\xdf\xa3" + bytes(100), b"fLaC" * 20):
        with pytest.raises(openai.BadRequestError) as refused:
            client.audio.transcriptions.create(file=("a.wav", data), model="ears")
        assert refused.value.param == "file"
