"""The composer: pieces without end, by rule and dice, from which the music model learns.

A piece is made of four-bar phrases in a form (a A b A …: small letters ask, capitals answer), each phrase of chords, a
tune over them, and accompaniments in the style's patterns. Phrases return as they were or a little changed; what comes
last closes on the tonic.
"""

import random
from collections.abc import Sequence
from typing import Any

from ml_audio.music.composer.habits import MOOD_HABITS, STYLE_HABITS, Style
from ml_audio.music.composer.melody import Walk
from ml_audio.music.composer.parts import bass_bar, drum_bar, fill, harmony_bar
from ml_audio.music.composer.phrases import Phrase, last_phrase, new_phrases, varied
from ml_audio.music.score import MOODS, STYLES, Note, Part, Score, shift_of

FORMS: dict[int, tuple[str, ...]] = {
    1: ("A",),
    2: ("aA", "aA", "AA", "aB"),
    3: ("abA", "aaA", "aAA"),
    4: ("aAbA", "aAbA", "AAbA", "aAaA", "abaA", "AABB", "abAB", "aAaB"),
}
"""Phrases by number; longer pieces are several of these."""

CENTRES = {"piano": 73, "guitar": 69, "strings": 75}
RANGES = {"piano": (50, 69), "guitar": (47, 67), "strings": (52, 72)}


def compose(rng: random.Random, bars: int | None = None, **asked: Any) -> Score:
    """A piece of so many bars. `asked`: mood, style, mode, tonic, tempo_bpm, meter, instruments; the rest is drawn."""
    mood = asked.get("mood") or rng.choice(MOODS)
    name = asked.get("style") or rng.choice(STYLES)
    style, habits = STYLE_HABITS[name], MOOD_HABITS[mood]
    meter = asked.get("meter") or rng.choices(list(style.meters), list(style.meters.values()))[0]
    mode = asked.get("mode") or ("major" if rng.random() < habits.major else "minor")
    tempo = asked.get("tempo_bpm") or rng.randint(*habits.tempo_bpm) * (1.25 if meter == "6/8" else 1)
    tonic = asked["tonic"] if asked.get("tonic") is not None else rng.randrange(12)
    bars = bars or rng.choice((8, 12, 16, 16, 16, 20, 24, 32, rng.randint(4, 32), rng.randint(4, 24)))
    roles = assign(rng, asked.get("instruments") or draw_ensemble(rng, style), style)
    liveliness = "swing" if style.swing else rng.choices(("long", "middle", "short"), habits.liveliness)[0]
    centre = CENTRES.get(roles.get("melody", ""), 72) + habits.centre
    walk = Walk(mode, centre, liveliness, habits.rests)
    phrases = arrange(rng, walk, style, meter, bars)
    parts = tuple(
        Part(role, instrument, _play(rng, role, instrument, phrases, style, meter, tonic))
        for role, instrument in roles.items()
    )
    return Score(float(tempo), meter, tonic, mode, bars, parts, mood, name)


def draw_ensemble(rng: random.Random, style: Style) -> tuple[str, ...]:
    """Mostly what the style is played with, now and then anything."""
    if rng.random() < 0.6:
        return rng.choice(style.ensembles)
    names = ("piano", "guitar", "strings", "bass", "drums")
    chosen = tuple(name for name in names if rng.random() < 0.5)
    return chosen or (rng.choice(names),)


def assign(rng: random.Random, instruments: Sequence[str], style: Style) -> dict[str, str]:
    """Role to instrument, in the order of ROLES: every instrument has one, and one alone has tune and chords."""
    leads = [name for name in style.leads if name in instruments]
    if len(leads) > 1 and rng.random() < 0.3:
        leads = [*leads[1:], leads[0]]
    roles: dict[str, str] = {name: name for name in ("drums", "bass") if name in instruments}
    if leads:
        rest = leads[1:] or leads[:1]
        rest.sort(key=lambda name: name == "strings")  # strings lie under the others
        roles["harmony"] = rest[0]
        if len(rest) > 1:
            roles["pad"] = rest[1]
        roles["melody"] = leads[0]
    return roles


def arrange(rng: random.Random, walk: Walk, style: Style, meter: str, bars: int) -> list[Phrase]:
    """The phrases of a piece; the first may be shorter and have no tune."""
    many, rest = divmod(bars, 4)
    if not many:
        return [last_phrase(new_phrases(rng, walk, style, meter)[1], walk, meter, bars)]
    form = ""
    while many:
        size = min(4, many if many <= 4 or many % 4 == 0 else many % 4)
        letters = rng.choice(FORMS[size])
        form += letters.translate(str.maketrans("abAB", "cdCD")) if form and rng.random() < 0.4 else letters
        many -= size
    made: dict[str, tuple[Phrase, Phrase]] = {}
    phrases: list[Phrase] = []
    for letter in form:
        new = letter.lower() not in made
        if new:
            made[letter.lower()] = new_phrases(rng, walk, style, meter)
        phrase = made[letter.lower()][letter.isupper()]
        phrases.append(phrase if new or rng.random() < 0.9 else varied(rng, phrase, walk, meter))
    phrases[-1] = last_phrase(phrases[-1], walk, meter, 4)
    return [phrases[0].introduction(rest), *phrases] if rest else phrases


def _play(
    rng: random.Random, role: str, instrument: str, phrases: list[Phrase], style: Style, meter: str, tonic: int
) -> tuple[Note, ...]:
    bars: list[tuple[Note, ...]] = []
    low, high = RANGES.get(instrument, (50, 70))
    before: tuple[int, ...] | None = None
    filling = rng.random()
    chords = [notes for one in phrases for notes in one.chords]
    places = [(phrase, place) for phrase in phrases for place in range(phrase.bars)]
    for number, (phrase, place) in enumerate(places):
        final = number == len(chords) - 1
        before = before if place else None  # a phrase that returns has its chords where they lay
        following = chords[min(number + 1, len(chords) - 1)]
        if role == "melody":
            bars.append(phrase.tune[place])
        elif role == "drums":
            bars.append(drum_bar(phrase.drums, meter, final, crash=place == 0 and phrase.crash))
            if place == phrase.bars - 1 and not final and rng.random() < filling:
                bars[-1] = fill(rng, bars[-1], meter)
        elif role == "bass":
            bars.append(bass_bar(phrase.bass, meter, phrase.chords[place], following, final, style.swing))
        else:
            pattern = "whole" if role == "pad" else phrase.harmony
            made, before = harmony_bar(pattern, meter, phrase.chords[place], before, (low, high), final, style.swing)
            bars.append(made)
    shift, ticks = (0 if role == "drums" else shift_of(tonic)), phrases[0].bar_ticks
    return tuple(
        sorted(
            Note(note.start + number * ticks, note.pitch + shift, note.duration)
            for number, notes in enumerate(bars)
            for note in set(notes)
        )
    )
