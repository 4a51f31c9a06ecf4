"""python -m ml_audio.corpus voice|recogniser|lexicon|words OUT [options]: make the starters' training data.

`lexicon` writes one JSON of words and their phonemes, `words` one of how often they are said, and pairs of them. A run
that was stopped goes on where it was; shards are whole or absent. `--python-docs` adds the sentences of the standard
library's docstrings to the reading matter, which are read and not kept.
"""

import argparse
import hashlib
import json
import sys
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch

from ml_audio.corpus import lexicon, sentences, voices
from ml_audio.corpus.espeak import Espeak, Speech
from ml_audio.corpus.phonemes import align, named
from ml_audio.data import ragged
from ml_audio.data.prosody import per_phoneme, pitch
from ml_audio.models.spectrogram import HOP, fbank, log_mel
from ml_audio.spoken import words as spoken_words

SHARD = 250
LONGEST_S = 9.0
FEW = 3
"""Pairs that were said less often tell more about the sample than about the language."""


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m ml_audio.corpus", description=__doc__)
    parser.add_argument("kind", choices=["voice", "recogniser", "lexicon", "words"])
    parser.add_argument("out", type=Path)
    parser.add_argument("--utterances", type=int, default=4000)
    parser.add_argument("--first", type=int, default=0, help="number of the first shard")
    parser.add_argument("--text", type=Path, nargs="*", default=[], help="text files to read from")
    parser.add_argument("--python-docs", action="store_true")
    parser.add_argument("--unseen", action="store_true", help="the voices and sentences that are kept for the tests")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    texts = Texts(args.text, args.python_docs, args.unseen)
    if args.kind == "words":
        args.out.write_text(json.dumps(count_words(texts, args.utterances), indent=0) + "\n")
        return 0
    espeak, begun = Espeak(), time.monotonic()
    if args.kind == "lexicon":
        write_lexicon(args.out, texts, espeak, args.utterances)
        return 0
    shards = -(-args.utterances // SHARD)
    for number in range(args.first, args.first + shards):
        folder = args.out / f"{'unseen' if args.unseen else 'shard'}-{number:04}"
        if not folder.exists():
            make_shard(folder, args.kind, texts, espeak, args.unseen, number, min(SHARD, args.utterances))
            print(f"{folder} after {time.monotonic() - begun:.0f} s", flush=True)
    return 0


def count_words(texts: "Texts", count: int) -> dict[str, int]:
    """Of so many sentences: how often each word is said, and each pair that is said `FEW` times and more."""
    r, words, pairs = Random("words"), Counter[str](), Counter[str]()
    for _ in range(count):
        said = spoken_words(texts.draw(r))
        words.update(said)
        pairs.update(f"{one} {other}" for one, other in pairwise(["", *said]))
    return {**dict(words.most_common()), **{pair: many for pair, many in pairs.most_common() if many >= FEW}}


def write_lexicon(out: Path, texts: "Texts", espeak: Espeak, count: int) -> None:
    """Of so many sentences, and of every word that the others know."""
    r = Random("lexicon")
    drawn = [texts.draw(r) for _ in range(count)]
    vocabulary = sorted({*texts.vocabulary, *sentences.vocabulary()})
    found = lexicon.build(drawn, vocabulary, espeak, voices.VOICES["clara"])
    spelled = {word: " ".join(phonemes) for word, phonemes in sorted(found.items())}
    out.write_text(json.dumps(spelled, ensure_ascii=False, indent=0) + "\n")
    print(f"{len(spelled)} words", file=sys.stderr)


class Texts:
    """Sentences to read out: half of the grammar, half of the files, some of single words."""

    def __init__(self, files: list[Path], python_docs: bool, unseen: bool) -> None:
        read = sentences.read(files) + (sentences.docstrings() if python_docs else [])
        self.read = [text for text in read if held_out(text) == unseen]
        self.vocabulary = sorted({word.strip(",.?!") for text in self.read for word in text.split()} - {""})
        self.unseen = unseen
        print(f"{len(self.read)} sentences of {len(self.vocabulary)} words to read", file=sys.stderr)

    def draw(self, r: Random) -> str:
        kind = r.random()
        if self.read and kind < 0.4:
            return r.choice(self.read)
        if self.vocabulary and kind < 0.52 and not self.unseen:
            return sentences.rare(r, self.vocabulary)
        while True:
            text = sentences.make(r)
            if held_out(text) == self.unseen:
                return text


def held_out(text: str) -> bool:
    """One sentence in twenty-five is for the tests alone, whoever makes it."""
    return hashlib.sha256(text.strip(" ,.?!").encode()).digest()[0] < 10


def make_shard(folder: Path, kind: str, texts: Texts, espeak: Espeak, unseen: bool, number: int, count: int) -> None:
    r = Random(f"{kind} {number} {unseen}")
    columns: dict[str, list[np.ndarray]] = {}
    rows: list[dict[str, Any]] = []
    make = voice if kind == "voice" else heard
    while len(rows) < count:
        made = make(texts.draw(r), r, espeak, unseen)
        if made is None:
            continue
        arrays, row = made
        for name, array in arrays.items():
            columns.setdefault(name, []).append(array)
        rows.append(row)
    ragged.write(folder, columns, rows)


Made = tuple[dict[str, np.ndarray], dict[str, Any]]


def voice(text: str, r: Random, espeak: Espeak, unseen: bool) -> Made | None:
    """What a voice and its vocoder learn from: phonemes with frames, pitch and energy, the spectrogram, the sound."""
    name = r.choice(list(voices.VOICES))
    speech = espeak.say(text, voices.VOICES[name], 150, 55 if name == "clara" else 45)
    samples = np.concatenate([speech.samples, np.zeros(-len(speech.samples) % HOP, np.float32)])
    if not 0 < len(samples) < LONGEST_S * 16000:
        return None
    mel = log_mel(torch.from_numpy(samples)).numpy()
    aligned = align(text, speech, len(mel))
    if aligned is None:
        return None
    phonemes, durations = aligned
    pitches, energies = per_phoneme(mel, pitch(torch.from_numpy(samples)).numpy(), durations)
    arrays = {
        "mel": mel.astype(np.float16),
        "durations": durations,
        "pitch": pitches,
        "energy": energies,
        "samples": (samples * 32767).clip(-32768, 32767).astype(np.int16),
    }
    return arrays, {"text": text, "phonemes": phonemes, "voice": name}


def heard(text: str, r: Random, espeak: Espeak, unseen: bool) -> Made | None:
    """What a recogniser learns from: log-mel energies, before noise and echo, and the words."""
    how = voices.draw(r, unseen)
    speech: Speech = espeak.say(text, **how)  # pyright: ignore[reportArgumentType]
    if not 0.3 * 16000 < len(speech.samples) < LONGEST_S * 16000 or np.abs(speech.samples).max() < 0.01:
        return None
    features = fbank(torch.from_numpy(speech.samples)).numpy().astype(np.float16)
    row: dict[str, Any] = {"text": text, **how}
    row["sounds"] = [(name, round(at, 3)) for name, at in speech.phonemes]
    row["phonemes"] = named(text, [name for name, _ in speech.phonemes])
    return {"features": features}, row


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
