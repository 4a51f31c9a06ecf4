"""How well the starter's recogniser hears voices that it never heard, and how far a fine-tuning on digits gets.

    python -m benchmarks.audio_recognition [--fsdd FOLDER] [--held-out theo]

Unseen voices read held-out sentences, clean and with noise and echo. With `--fsdd` (recordings/ of the Free Spoken
Digit Dataset, 8 kHz, six people) `python -m ml_audio.train recogniser` learns the digits from all people but those held
out, for at most ten minutes on two threads, and is scored on theirs.
"""

import argparse
import csv
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy as np
import torch

from benchmarks.machine import describe, table
from ml_audio.corpus import sentences, voices
from ml_audio.corpus.__main__ import held_out
from ml_audio.corpus.espeak import Espeak
from ml_audio.data.augment import echo, noise
from ml_audio.metrics import error_rate
from ml_audio.models.recogniser import Recogniser
from ml_audio.models.spectrogram import fbank
from ml_audio.settings import AudioSettings
from ml_audio.sound.reading import read_mono
from ml_audio.sources import Sources
from ml_audio.spoken import words

DIGITS = "zero one two three four five six seven eight nine".split()
MINUTES = 10


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.audio_recognition", description=__doc__)
    parser.add_argument("--model", default="starter-recogniser")
    parser.add_argument("--sentences", type=int, default=150)
    parser.add_argument("--fsdd", type=Path)
    parser.add_argument("--held-out", nargs="+", default=["theo"])
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(describe())
    folder = Sources(AudioSettings()).fetch(args.model).folder  # pyright: ignore[reportCallIssue]
    columns = ["unseen voices", "WER", "CER", "WER, likeliest letters", "times faster than real time"]
    print(table(columns, _unseen(Recogniser.from_pretrained(folder), args.sentences)))
    if args.fsdd:
        print()
        print(
            table(
                ["people held out", "digits right before", "after", "likeliest letters", "minutes"],
                [_digits(args.model, folder, args)],
            )
        )


def _unseen(ears: Recogniser, count: int) -> list[list[str]]:
    r, espeak = Random(7), Espeak()
    texts: list[str] = []
    while len(texts) < count:
        text = sentences.make(r)
        if held_out(text) and len(text.split()) > 2:
            texts.append(text)
    said = [words(text) for text in texts]
    sounds = [torch.from_numpy(espeak.say(text, **voices.draw(r, unseen=True)).samples) for text in texts]  # pyright: ignore[reportArgumentType]
    begun = time.perf_counter()
    heard = [[word.text for word in ears.transcribe(samples)] for samples in sounds]
    faster = sum(map(len, sounds)) / 16_000 / (time.perf_counter() - begun)
    greedy = [[word.text for word in ears.transcribe(samples, 1)] for samples in sounds]
    dice = np.random.default_rng(7)
    rough = [torch.from_numpy(noise(echo(fbank(one).numpy(), 0.4, 0.3), 12.0, dice)) for one in sounds]
    noisy = [[word.text for word in ears.words_in(ears.read(one))] for one in rough]
    noisy_greedy = [[word.text for word in ears.words_in(ears.read(one), 1)] for one in rough]
    return [
        ["clean", *_rates(said, heard, greedy), f"{faster:.0f}"],
        ["noise at 12 dB and a room of 0.4 s", *_rates(said, noisy, noisy_greedy), ""],
    ]


def _rates(said: Sequence[list[str]], heard: Sequence[list[str]], greedy: Sequence[list[str]]) -> list[str]:
    letters = error_rate([" ".join(one) for one in said], [" ".join(one) for one in heard])
    return [f"{error_rate(said, heard):.1%}", f"{letters:.1%}", f"{error_rate(said, greedy):.1%}"]


def _digits(model: str, folder: Path, args: argparse.Namespace) -> list[str]:
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        clips = sorted((args.fsdd / "recordings" if (args.fsdd / "recordings").is_dir() else args.fsdd).glob("*.wav"))
        test = [clip for clip in clips if clip.stem.split("_")[1] in args.held_out]
        _write(home / "digits", [clip for clip in clips if clip not in set(test)])
        before = _right(Recogniser.from_pretrained(folder), test)
        begun = time.perf_counter()
        options = {"model": model, "dataset": home / "digits", "name": "digits", "max-minutes": MINUTES - 1}
        options |= {"epochs": 20, "augment": 0.9, "validation-fraction": 0, "on-bad-row": "skip"}
        flags = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        command = [sys.executable, "-m", "ml_audio.train", "recogniser", *flags]
        environment = {**os.environ, "DATA_DIR": str(home), "OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE"}
        subprocess.run(command, check=True, env=environment)
        minutes = (time.perf_counter() - begun) / 60
        learnt = Recogniser.from_pretrained(home / "runs" / "digits" / "model")
        after, letters = _right(learnt, test), _right(learnt, test, 1)
    return [", ".join(args.held_out), f"{before:.1%}", f"{after:.1%}", f"{letters:.1%}", f"{minutes:.1f}"]


def _write(folder: Path, clips: Sequence[Path]) -> None:
    """An audiofolder of the clips."""
    folder.mkdir()
    with (folder / "metadata.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file_name", "transcription", "speaker"])
        for clip in clips:
            digit, speaker, _ = clip.stem.split("_")
            shutil.copyfile(clip, folder / clip.name)
            rows.writerow([clip.name, DIGITS[int(digit)], speaker])


def _right(ears: Recogniser, clips: Sequence[Path], width: int = 12) -> float:
    """The share of clips of which the word is heard, and no other; `width` of the beam, as the service has it."""
    right = 0
    for clip in clips:
        samples = torch.from_numpy(read_mono(clip.read_bytes(), 16_000, 30.0))
        right += [word.text for word in ears.transcribe(samples, width)] == [DIGITS[int(clip.stem.split("_")[0])]]
    return right / len(clips)


if __name__ == "__main__":
    main()
