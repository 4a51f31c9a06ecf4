"""Is it music, and what was asked? 100 prompts, a piece each, from the model, the composer and random weights.

    python -m benchmarks.music [--model FOLDER] [--prompts 100] [--nottingham FOLDER]

Overlap is the shared area of two histograms (1: the same), against other pieces that the composer wrote to the same
briefs; the composer's own column is what two samples of it share. All but the model without grammar is decoded under
the same grammar, so key, tempo and instruments hold by construction there; the histograms do not. `repeated` is the
share of a tune's bars that were there before. Nottingham's tunes (jukedeck/nottingham-dataset) give its range.
"""

import argparse
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.machine import describe, table
from ml_audio.data.pieces import find, read
from ml_audio.music.brief import Brief, read_prompt, settle
from ml_audio.music.composer import compose
from ml_audio.music.composer.habits import STYLE_HABITS
from ml_audio.music.generate import generate_music, write_score
from ml_audio.music.interchange import from_midi, to_midi
from ml_audio.music.model import build, load
from ml_audio.music.score import INSTRUMENTS, MOODS, STYLES, TONICS, Score, bars_in, share_in_key, split_bars
from ml_audio.settings import SHIPPED
from shared.errors import InvalidRequest

DURATION_S = 30.0
FEATURES = ("pitch class", "interval", "onset", "note length")
TEMPOS = (62, 70, 84, 96, 108, 118, 128, 140)


def prompts(many: int) -> list[str]:
    """A mood, a style, a key, a tempo and instruments that the style's players have."""
    rng = random.Random(2026)
    made: list[str] = []
    for number in range(many):
        style = STYLES[number % len(STYLES)]
        players = rng.choice(STYLE_HABITS[style].ensembles)
        if rng.random() < 0.3:
            players = tuple(rng.sample(INSTRUMENTS, rng.randint(1, 4)))
        key = f"{rng.choice(TONICS)} {rng.choice(('major', 'minor'))}"
        made.append(f"{rng.choice(MOODS)} {style} music in {key} at {rng.choice(TEMPOS)} bpm with {', '.join(players)}")
    return made


def histograms(scores: Iterable[Score]) -> dict[str, Counter[Any]]:
    """Of tunes: pitch classes from the tonic, intervals, places in the bar, lengths."""
    counts: dict[str, Counter[Any]] = {name: Counter() for name in FEATURES}
    for score in scores:
        tune = score.part("melody") or score.part("bass")
        for note in tune.notes if tune else ():
            counts["pitch class"][score.mode, (note.pitch - score.tonic) % 12] += 1
            counts["onset"][score.meter, note.start % score.bar_ticks] += 1
            counts["note length"][note.duration] += 1
        for before, after in pairwise(tune.notes if tune else ()):
            counts["interval"][max(-13, min(13, after.pitch - before.pitch))] += 1
    return counts


def overlap(one: Counter[Any], other: Counter[Any]) -> float:
    totals = max(1, one.total()), max(1, other.total())
    return sum(min(one[key] / totals[0], other[key] / totals[1]) for key in one)


def repeated(score: Score) -> float | None:
    tune = score.part("melody")
    if tune is None:
        return None
    bars = split_bars(score, tune)
    return sum(bar in bars[:number] for number, bar in enumerate(bars)) / len(bars)


def judge(scores: list[Score], briefs: list[Brief], reference: dict[str, Counter[Any]]) -> dict[str, str]:
    """One column of the table."""
    made = histograms(scores)
    in_key = [share_in_key(score) for score in scores if set(score.instruments) != {"drums"}]
    pairs = list(zip(scores, briefs, strict=True))
    exact = [
        set(score.instruments) == set(brief.instruments) and all(part.notes for part in score.parts)
        for score, brief in pairs
    ]
    off = [abs(from_midi(to_midi(score)).tempo_bpm / (brief.tempo_bpm or 1) - 1) for score, brief in pairs]
    again = [share for share in map(repeated, scores) if share is not None]
    low, middle, high = np.quantile(again, [0.1, 0.5, 0.9])
    return {
        "notes in the key (natural minor)": f"{np.mean(in_key):.1%}",
        "tempo off at most": f"{max(off):.2%}",
        "exactly the asked instruments": f"{np.mean(exact):.0%}",
        **{f"overlap: {name}": f"{overlap(made[name], reference[name]):.2f}" for name in FEATURES},
        "bars repeated: mean (10 % … 90 %)": f"{np.mean(again):.2f} ({low:.2f} … {high:.2f}, median {middle:.2f})",
        "different pieces": f"{len({score.parts for score in scores})} of {len(scores)}",
    }


def composed(briefs: list[Brief], seed: int) -> list[Score]:
    rng = random.Random(seed)
    return [
        compose(
            rng,
            bars_in(DURATION_S, brief.tempo_bpm or 0, brief.meter or ""),
            **{name: getattr(brief, name) for name in ("mood", "style", "mode", "tonic", "tempo_bpm", "meter")},
            instruments=brief.instruments,
        )
        for brief in briefs
    ]


def nottingham(folder: Path) -> str:
    shares: list[float] = []
    for path in find([folder]):
        try:
            score = read(path)
        except InvalidRequest:
            continue
        share = repeated(replace(score, bars=min(16, score.bars)))  # as long as the pieces it is compared with
        if share is not None:
            shares.append(share)
    low, middle, high = np.quantile(shares, [0.1, 0.5, 0.9])
    return f"{np.mean(shares):.2f} ({low:.2f} … {high:.2f}, median {middle:.2f}), first 16 bars of {len(shares)} tunes"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--model", type=Path, default=SHIPPED["starter-music"])
    options.add_argument("--prompts", type=int, default=100)
    options.add_argument("--nottingham", type=Path)
    args = options.parse_args()
    print(describe())
    model = load(args.model)
    torch.manual_seed(0)
    config = model.config
    untrained = build(
        config.hidden_size, config.num_hidden_layers, config.num_attention_heads, config.intermediate_size
    ).eval()
    asked = prompts(args.prompts)
    briefs = [settle(read_prompt(prompt), DURATION_S, random.Random(n)) for n, prompt in enumerate(asked)]
    reference = histograms([*composed(briefs, 1), *composed(briefs, 2)])

    def written(one: Any) -> Callable[[], list[Score]]:
        return lambda: [write_score(one, brief, DURATION_S, seed) for seed, brief in enumerate(briefs)]

    columns: dict[str, dict[str, str]] = {}
    for name, write in (
        ("model", written(model)),
        ("composer's rules", lambda: composed(briefs, 3)),
        ("random weights", written(untrained)),
    ):
        begun = time.perf_counter()
        scores = write()
        columns[name] = judge(scores, briefs, reference)
        columns[name]["seconds to write a piece"] = f"{(time.perf_counter() - begun) / len(scores):.2f}"
    print(table(["", *columns], [[row, *(one[row] for one in columns.values())] for row in columns["model"]]))
    begun = time.perf_counter()
    for seed, prompt in enumerate(asked[:8]):
        generate_music(model, prompt, DURATION_S, seed)
    print(f"\n30 s of music, written and played: {(time.perf_counter() - begun) / 8:.1f} s each")
    if args.nottingham:
        print(f"bars repeated in Nottingham's tunes: {nottingham(args.nottingham)}")


if __name__ == "__main__":
    main()
