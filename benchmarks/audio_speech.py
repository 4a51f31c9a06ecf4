"""How well the starter's voice is understood, and how fast it speaks, beside espeak-ng, which made what it learnt from.

    python -m benchmarks.audio_speech [--model NAME] [--sentences 50]

Word error rate of pocketsphinx, a recogniser that had no part in the training, on sentences that were held out of it.
Its own language model fails on espeak-ng itself, so it is given a grammar of the sentences' words. The project's
recogniser hears the same sentences, and open ones, without a grammar. One thread.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from random import Random

import numpy as np
import torch

from benchmarks.machine import describe, table
from ml_audio.corpus import sentences, words
from ml_audio.corpus.__main__ import held_out
from ml_audio.corpus.espeak import Espeak
from ml_audio.corpus.voices import VOICES
from ml_audio.metrics import error_rate
from ml_audio.models.recogniser import Recogniser
from ml_audio.models.voice import Voice
from ml_audio.settings import AudioSettings
from ml_audio.sources import Sources
from ml_audio.spoken import spoken
from ml_audio.spoken import words as heard

SEED = 2026
Say = Callable[[str], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.audio_speech", description=__doc__)
    parser.add_argument("--model", default="starter")
    parser.add_argument("--recogniser", default="starter-recogniser")
    parser.add_argument("--sentences", type=int, default=50)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(describe())
    sources = Sources(AudioSettings())  # pyright: ignore[reportCallIssue]
    voice = Voice.from_pretrained(sources.fetch(args.model).folder)
    ears = Recogniser.from_pretrained(sources.fetch(args.recogniser).folder)
    espeak = Espeak()
    parts, texts = closed(args.sentences)
    judge = Judge(grammar(parts))
    lines = []
    for name in voice.speakers:
        speakers: dict[str, Say] = {
            f"espeak-ng {VOICES.get(name, 'en-us')}": lambda text, name=name: (
                espeak.say(text, VOICES.get(name, "en-us"), 150).samples
            ),
            f"{args.model} {name}": lambda text, name=name: voice.say(spoken(text), name).numpy(),
        }
        for title, say in speakers.items():
            begun = time.perf_counter()
            sounds = [say(text) for text in texts]
            took = time.perf_counter() - begun
            lines.append(
                [title, f"{judge.rate(sounds, texts):.1%}", f"{_own(ears, sounds, texts):.1%}", *_speed(sounds, took)]
            )
    print(
        table(
            ["speaker", "WER pocketsphinx, grammar", "WER own recogniser", "seconds", "times faster than real time"],
            lines,
        )
    )
    print()
    print(table(["speaker", "WER own recogniser, open sentences"], _open(voice, espeak, ears, args.sentences)))


def closed(count: int) -> tuple[list[list[str]], list[str]]:
    """Held-out sentences of one pattern, and the words at each of its places."""
    r = Random(SEED)
    nouns = [*words.PEOPLE, *words.ANIMALS, *words.THINGS]
    found: list[list[str]] = []
    while len(found) < count:
        said = [
            "the",
            r.choice(words.ADJECTIVES),
            r.choice(nouns),
            words.past(r.choice(words.VERBS)),
            r.choice(["my", "your", "the", "our", "his", "her"]),
            r.choice(nouns),
            r.choice(["in", "near", "behind", "under", "with"]),
            "the",
            r.choice(nouns),
        ]
        if held_out(" ".join(said)):
            found.append(said)
    places = [sorted(set(column)) for column in zip(*found, strict=True)]
    return places, [" ".join(said) for said in found]


def grammar(places: Sequence[Sequence[str]]) -> str:
    """JSGF: any word of each place's, so that tens of thousands of millions of sentences are possible."""
    row = " ".join(f"({' | '.join(words)})" for words in places)
    return f"#JSGF V1.0;\ngrammar test;\npublic <s> = {row};\n"


class Judge:
    def __init__(self, text: str) -> None:
        from pocketsphinx import Config, Decoder

        config = Config(samprate=16000, loglevel="FATAL", lm=None)
        self.decoder = Decoder(config)
        self.decoder.add_jsgf_string("test", text)
        self.decoder.activate_search("test")

    def rate(self, sounds: Sequence[np.ndarray], texts: Sequence[str]) -> float:
        return error_rate([text.split() for text in texts], [self.hear(samples) for samples in sounds])

    def hear(self, samples: np.ndarray) -> list[str]:
        loud = samples / max(1e-3, float(np.abs(samples).max())) * 0.9
        padded = np.pad(loud, (3200, 4800))
        self.decoder.start_utt()
        self.decoder.process_raw((padded * 32767).astype(np.int16).tobytes(), full_utt=True)
        self.decoder.end_utt()
        hypothesis = self.decoder.hyp()
        return hypothesis.hypstr.split() if hypothesis else []


def _own(ears: Recogniser, sounds: Sequence[np.ndarray], texts: Sequence[str]) -> float:
    said = [[word.text for word in ears.transcribe(torch.from_numpy(samples))] for samples in sounds]
    return error_rate([heard(text) for text in texts], said)


def _speed(sounds: Sequence[np.ndarray], took: float) -> list[str]:
    seconds = sum(map(len, sounds)) / 16_000
    return [f"{seconds:.0f}", f"{seconds / took:.0f}"]


def _open(voice: Voice, espeak: Espeak, ears: Recogniser, count: int) -> list[list[str]]:
    r = Random(SEED + 1)
    texts: list[str] = []
    while len(texts) < count:
        text = sentences.make(r)
        if held_out(text) and len(text.split()) > 2:
            texts.append(text)
    name = voice.speakers[0]
    return [
        [
            "espeak-ng",
            f"{_own(ears, [espeak.say(text, VOICES.get(name, 'en-us'), 150).samples for text in texts], texts):.1%}",
        ],
        ["the voice", f"{_own(ears, [voice.say(text, name).numpy() for text in texts], texts):.1%}"],
    ]


if __name__ == "__main__":
    main()
