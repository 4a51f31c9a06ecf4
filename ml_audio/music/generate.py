"""A piece from the model: the grammar's tokens are given, the others sampled, until the last bar is written."""

import random
from dataclasses import replace
from typing import Any

import numpy as np

from ml_audio.music.brief import Brief, check, parts_of, read_prompt, settle
from ml_audio.music.decoder import Decoder
from ml_audio.music.grammar import Frame, Grammar
from ml_audio.music.interchange import to_midi
from ml_audio.music.score import Part, Score, bars_in
from ml_audio.music.synth import render
from ml_audio.music.tokens import IDS, decode, header
from shared.errors import InvalidRequest

CONTEXT = 1024
"""Tokens that the model looks back on; longer pieces keep their header and the newest bars."""
KEPT = 640
"""What is left of the notes when the context is full."""
LONGEST_S = 300.0


def generate_music(
    model: Any, prompt: str, duration_s: float, seed: int, temperature: float = 1.0, **fields: Any
) -> tuple[np.ndarray, bytes]:
    """(n, 2) float32 in [-1, 1] at synth.sound.SAMPLE_RATE_HZ, exactly `duration_s` long, and the piece as a MIDI file.

    `fields` (mood, style, mode, tonic, tempo_bpm, meter, instruments) win over what the prompt says. InvalidRequest
    names what cannot be played. The same model, prompt, fields and seed make the same piece.
    """
    if not 1.0 <= duration_s <= LONGEST_S:
        raise InvalidRequest(f"{duration_s:g} seconds are not within 1 and {LONGEST_S:g}", param="duration")
    if not 0.0 <= temperature <= 2.0:
        raise InvalidRequest(f"{temperature:g} is not within 0 and 2", param="temperature")
    brief = check(replace(read_prompt(prompt), **fields))
    score = write_score(model, settle(brief, duration_s, random.Random(seed)), duration_s, seed, temperature)
    return render(score, duration_s, seed), to_midi(score, seed)


def write_score(
    model: Any,
    brief: Brief,
    duration_s: float,
    seed: int,
    temperature: float = 1.0,
    top_p: float = 0.98,
    in_key: bool = True,
) -> Score:
    """A piece of as many whole bars as fit into `duration_s`; `brief` is settled (`brief.settle`)."""
    tempo, tonic, meter = brief.tempo_bpm, brief.tonic, brief.meter
    if tempo is None or tonic is None or meter is None or brief.mode is None:
        raise ValueError("the brief is not settled")
    bars = bars_in(duration_s, tempo, meter)
    parts = tuple(Part(role, name, ()) for role, name in parts_of(brief, random.Random(seed)).items())
    asked = Score(tempo, meter, tonic, brief.mode, bars, parts, brief.mood, brief.style)
    words = tuple(IDS[word] for word in header(asked))
    grammar = Grammar(Frame(words, tuple(part.role for part in parts), meter, brief.mode, bars, in_key))
    return decode(sample(model, grammar, seed, temperature, top_p), tempo, tonic)


def sample(model: Any, grammar: Grammar, seed: int, temperature: float, top_p: float) -> list[int]:
    """The ids of a whole piece, `end` included."""
    draw = np.random.default_rng(seed)
    head = len(grammar.frame.header)
    decoder = Decoder(model, CONTEXT)
    ids: list[int] = []
    while True:
        feed = grammar.given
        ids += feed
        if grammar.done:
            return ids
        if decoder.filled + len(feed) > CONTEXT:
            decoder.reset()
            feed = [*ids[:head], *ids[-KEPT:]]
        grammar.take(choose(decoder.feed(feed), grammar.allowed(), draw, temperature, top_p))


def choose(logits: np.ndarray, allowed: np.ndarray, draw: np.random.Generator, temperature: float, top_p: float) -> int:
    """One token of those that are allowed, from the smallest set of them that holds `top_p` of the probability."""
    places = np.flatnonzero(allowed)
    if temperature == 0:
        return int(places[np.argmax(logits[places])])
    scores = logits[places].astype(np.float64) / temperature
    chances = np.exp(scores - scores.max())
    chances /= chances.sum()
    order = np.argsort(-chances, kind="stable")
    summed = np.cumsum(chances[order])
    kept = order[: int(np.searchsorted(summed, top_p)) + 1]
    total = summed[len(kept) - 1]
    return int(places[kept[min(int(np.searchsorted(summed[: len(kept)], draw.random() * total)), len(kept) - 1)]])
