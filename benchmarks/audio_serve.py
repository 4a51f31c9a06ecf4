"""The audio service under load: when a stream's first sound comes, how fast it is made, eight readers at once, and how
fast recordings are written down.

    python -m benchmarks.audio_serve [--model NAME] [--recogniser NAME]

The service runs as a process of its own with the starters that ship; where one is absent, a model of its size with
random weights takes its place, which costs as much and says nothing.
"""

import argparse
import asyncio
import contextlib
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.machine import describe, table

ROOT = Path(__file__).resolve().parent.parent
SENTENCE = "Our new coffee place opens on Friday at nine, and the first hundred cups are free."
STORY = " ".join([SENTENCE, "Bring a friend.", "We roast the beans ourselves, right behind the counter."] * 4)
TURNS = 12
READERS = 8
BYTES_PER_S = 48_000
READY_S = 240.0


@dataclass(frozen=True)
class Heard:
    first_s: float
    wall_s: float
    audio_s: float


@contextlib.contextmanager
def service(folder: Path, *arguments: str) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "ml_audio.serve", "--port", str(port), *arguments]
    environment = {**os.environ, "DATA_DIR": str(folder / "data"), "LOG_LEVEL": "WARNING", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + READY_S
        while True:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{url}/ready").status_code == 200:
                    break
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("the service did not become ready")
            time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def models(folder: Path, voice: str | None, recogniser: str | None) -> tuple[str, str, str]:
    """The names or folders to serve, and what they are."""
    from ml_audio.settings import SHIPPED

    there = {name: (SHIPPED[name] / "config.json").is_file() for name in ("starter", "starter-recogniser")}
    voice = voice or ("starter" if there["starter"] else str(_random_voice(folder / "voice")))
    recogniser = recogniser or (
        "starter-recogniser" if there["starter-recogniser"] else str(_random_recogniser(folder / "recogniser"))
    )
    return voice, recogniser, "the starters" if all(there.values()) else "random weights where no starter is"


def _random_voice(folder: Path) -> Path:
    import torch
    from transformers import FastSpeech2ConformerModel

    from ml_audio.models.pronouncer import Pronouncer, PronouncerConfig
    from ml_audio.models.spectrogram import Scale
    from ml_audio.models.vocoder import Vocoder, VocoderConfig
    from ml_audio.models.voice import PAD, UNKNOWN, Voice, acoustic_config

    phonemes = [*"abdefghijklmnopqrstuvwxyz", ",", ".", "?", "!"]
    acoustic = FastSpeech2ConformerModel(acoustic_config("starter", len(phonemes) + 2, 1, 80))
    with torch.no_grad():
        acoustic.duration_predictor.linear.bias.fill_(1.7)  # about five frames of 16 ms per phoneme
    vocoder = Vocoder(VocoderConfig(Scale([-5.0] * 80, [2.0] * 80, 5.0, 0.3, 0.0, 1.0)))
    pronouncer = Pronouncer(PronouncerConfig(phonemes))
    Voice(acoustic.eval(), vocoder.eval(), pronouncer.eval(), [PAD, UNKNOWN, *phonemes], ["v0"]).save_pretrained(folder)
    return folder


def _random_recogniser(folder: Path) -> Path:
    from ml_audio.models.recogniser import ALPHABET, Recogniser, build

    folder.mkdir(parents=True)
    Recogniser(build("starter", len(ALPHABET)), ALPHABET, 3).save_pretrained(folder)
    return folder


async def read_out(client: httpx.AsyncClient, text: str) -> Heard:
    body = {"input": text, "response_format": "pcm"}
    began = time.monotonic()
    first, size = 0.0, 0
    async with client.stream("POST", "/v1/audio/speech", json=body) as reply:
        reply.raise_for_status()
        async for piece in reply.aiter_bytes():
            first = first or time.monotonic() - began
            size += len(piece)
    return Heard(first, time.monotonic() - began, size / BYTES_PER_S)


async def write_down(client: httpx.AsyncClient, seconds: float) -> Heard:
    wav = (
        await client.post("/v1/audio/speech", json={"input": STORY, "response_format": "wav", "stream": False})
    ).content
    times = max(1, round(seconds * BYTES_PER_S / len(wav)))
    sound = wav[:40] + (len(wav[44:]) * times).to_bytes(4, "little") + wav[44:] * times
    began = time.monotonic()
    reply = await client.post("/v1/audio/transcriptions", files={"file": ("a.wav", sound)})
    reply.raise_for_status()
    return Heard(0.0, time.monotonic() - began, float(reply.json()["usage"]["seconds"]))


async def measure(url: str, recogniser: bool) -> list[tuple[str, object]]:
    async with httpx.AsyncClient(base_url=url, timeout=600) as client:
        await read_out(client, SENTENCE)  # warm
        alone = [await read_out(client, SENTENCE) for _ in range(TURNS)]
        story = [await read_out(client, STORY) for _ in range(3)]
        began = time.monotonic()
        many = await asyncio.gather(*(read_out(client, STORY) for _ in range(READERS)))
        wall_s = time.monotonic() - began
        heard = await write_down(client, 120.0) if recogniser else None
    firsts = sorted(one.first_s * 1000 for one in alone)
    rows: list[tuple[str, object]] = [
        ("first sound of a stream, one sentence, median ms", statistics.median(firsts)),
        ("… the slowest of 12, ms", firsts[-1]),
        ("first sound of a story, median ms", statistics.median(one.first_s * 1000 for one in story)),
        ("seconds of speech per second, one reader", sum(s.audio_s for s in story) / sum(s.wall_s for s in story)),
        (f"seconds of speech per second, {READERS} readers", sum(one.audio_s for one in many) / wall_s),
        (f"first sound with {READERS} readers, slowest, ms", max(one.first_s * 1000 for one in many)),
    ]
    if heard:
        rows.append(("seconds of recording written down per second", heard.audio_s / heard.wall_s))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a voice: a name or a folder")
    parser.add_argument("--recogniser", help="a name or a folder")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        voice, recogniser, what = models(Path(name), args.model, args.recogniser)
        with service(Path(name), "--model", voice, "--recogniser", recogniser) as url:
            rows = asyncio.run(measure(url, True))
    print(describe())
    print(f"{what}; OMP_NUM_THREADS=1\n")
    print(table(("", "measured"), rows))


if __name__ == "__main__":
    main()
