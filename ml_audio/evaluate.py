"""python -m ml_audio.evaluate --model NAME --dataset FOLDER [options]: word and character error rates, and speed.

A recogniser hears the clips of the folder; a voice reads their texts out, and `--recogniser` hears it. Exit status: 0
done, 2 bad arguments or data.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field

from ml_audio import catalog, loading
from ml_audio.data import archive, clips
from ml_audio.data.clips import Clip
from ml_audio.hearing.listener import RATE_HZ, Task
from ml_audio.metrics import error_rate
from ml_audio.settings import AudioSettings
from ml_audio.sound.reading import Samples, read_mono
from ml_audio.sources import Sources
from ml_audio.speaking.speaker import Utterance
from ml_audio.spoken import words
from shared.command import parse
from shared.errors import InvalidRequest, ServiceError

LONGEST_S = 600.0


class Args(BaseModel):
    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    model: str = Field("starter-recogniser", description="a recogniser or a voice: a published or short name, a folder")
    dataset: Path = Field(description="a folder of clips with their texts, or a zip of one")
    recogniser: str = Field("starter-recogniser", description="who hears a voice")
    voice: str = Field("", description="which of the voices of the model; default its first")
    limit: int | None = Field(None, ge=1, description="clips, from the first; default: all")
    output: Path | None = Field(None, description="write the report here, as JSON, each clip with what was heard")


def evaluate(args: Args, settings: AudioSettings) -> dict[str, Any]:
    """The report. Raises ServiceErrors: bad data, no such model."""
    with tempfile.TemporaryDirectory() as name:
        found, _ = clips.read(archive.unpack([args.dataset], Path(name)))
        found = found[: args.limit]
        kind = catalog.get_family(Sources(settings).fetch(args.model).folder).kind
        if kind == "recogniser":
            sound, ears = _recorded, _load(args.model, settings)
        elif kind == "speech":
            sound, ears = _reader(_load(args.model, settings), args.voice), _load(args.recogniser, settings)
        else:
            raise InvalidRequest(f"{args.model} neither hears nor speaks", param="model")
        return _report(found, sound, ears)


def _report(found: list[Clip], sound: Callable[[Clip], Samples], ears: Any) -> dict[str, Any]:
    said = [words(clip.text) for clip in found]
    heard: list[list[str]] = []
    seconds = took = 0.0
    for clip in found:
        samples = sound(clip)
        begun = time.perf_counter()
        heard.append(_hear(ears, samples))
        took += time.perf_counter() - begun
        seconds += len(samples) / RATE_HZ
    letters = error_rate([" ".join(one) for one in said], [" ".join(one) for one in heard])
    return {
        "clips": len(found),
        "seconds": round(seconds, 1),
        "wer": round(error_rate(said, heard), 4),
        "cer": round(letters, 4),
        "times_real_time": round(seconds / max(took, 1e-9), 1),
        "rows": [
            {"clip": clip.path.name, "said": " ".join(one), "heard": " ".join(other)}
            for clip, one, other in zip(found, said, heard, strict=True)
        ],
    }


def _load(name: str, settings: AudioSettings) -> Any:
    source = Sources(settings).fetch(name)
    base = Sources(settings).fetch(source.base) if source.base else source
    return loading.load(base, source if source.base else None, settings)


def _recorded(clip: Clip) -> Samples:
    return read_mono(clip.path.read_bytes(), RATE_HZ, LONGEST_S, "dataset")


def _reader(speaker: Any, voice: str) -> Callable[[Clip], Samples]:
    if voice and voice not in speaker.voices:
        raise InvalidRequest(f"there is no voice {voice!r}; there is {', '.join(speaker.voices)}", param="voice")

    def read(clip: Clip) -> Samples:
        import soxr

        with torch.inference_mode():
            samples = speaker.say(Utterance(clip.text, voice))
        return soxr.resample(samples, speaker.sample_rate_hz, RATE_HZ)

    return read


def _hear(ears: Any, samples: Samples) -> list[str]:
    """Window by window, as it is served."""
    if not len(samples):
        return []
    hearing, start, said = ears.begin(Task()), 0, []
    with torch.inference_mode():
        while start < len(samples):
            window = samples[start : start + hearing.window]
            last = start + hearing.window >= len(samples)
            segments, step = hearing.hear(np.ascontiguousarray(window), start, last)
            said += [segment.text for segment in segments]
            if last:
                break
            start += step
    return words(" ".join(said))


def main(argv: list[str]) -> int:
    args = parse(Args, argv, "python -m ml_audio.evaluate", __doc__ or "")
    try:
        report = evaluate(args, AudioSettings())  # pyright: ignore[reportCallIssue]
    except ServiceError as error:
        option = f"--{error.param.replace('_', '-')}: " if error.param else ""
        print(f"{option}{error}", file=sys.stderr)
        return 2
    if args.output:
        args.output.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    print(json.dumps({name: value for name, value in report.items() if name != "rows"}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
