"""What a prompt asks of a piece: "a sad piano ballad in D minor at 70 bpm" as fields, and what it left open.

Words are looked up in tables; a new word is a row. What is not said is drawn from the habits of mood and style, so
that the same prompt and seed make the same piece, and other seeds others.
"""

import random
import re
from dataclasses import dataclass, replace

from ml_audio.music.composer import assign
from ml_audio.music.composer.habits import MOOD_HABITS, STYLE_HABITS
from ml_audio.music.composer.patterns import CELLS
from ml_audio.music.score import INSTRUMENTS, METERS, MODES, MOODS, STYLES, TICKS
from shared.errors import InvalidRequest

TEMPO_BPM = (30.0, 280.0)

MOOD_WORDS = {
    "happy": "happy cheerful joyful joyous upbeat bright uplifting sunny positive energetic festive",
    "sad": "sad melancholic melancholy sorrowful mournful gloomy blue heartbroken somber tearful lonely",
    "calm": "calm peaceful relaxing relaxed gentle quiet serene soothing sleepy dreamy meditative soft romantic tender",
    "epic": "epic heroic cinematic dramatic majestic powerful triumphant grand inspiring motivational",
    "tense": "tense dark suspenseful scary ominous anxious mysterious dangerous horror angry aggressive",
    "playful": "playful funny quirky cute bouncy comic silly mischievous",
}
STYLE_WORDS = {
    "pop": "pop corporate commercial jingle",
    "rock": "rock punk metal grunge indie",
    "folk": "folk country acoustic celtic irish bluegrass jig reel campfire",
    "classical": "classical baroque sonata minuet waltz romanticism",
    "jazz": "jazz jazzy swing bebop bossa blues",
    "lofi": "lofi lo-fi chillhop chill hiphop hip-hop",
    "orchestral": "orchestral orchestra symphonic symphony film soundtrack trailer",
    "ambient": "ambient atmospheric drone background meditation spa",
}
INSTRUMENT_WORDS = {
    "piano": "piano pianos keys keyboard keyboards",
    "guitar": "guitar guitars ukulele banjo",
    "strings": "strings string violin violins viola cello cellos",
    "bass": "bass basses bassline contrabass",
    "drums": "drums drum percussion drumbeat drumkit",
}
METER_WORDS = {"3/4": "waltz minuet", "6/8": "jig"}
TEMPO_WORDS = {"slow": 0.8, "slowly": 0.8, "fast": 1.2, "quick": 1.2, "quickly": 1.2}
NOT = {"no", "without", "not", "minus", "nor"}
FILLERS = {"any", "a", "an", "the"}
TONIC_STEPS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
ACCIDENTALS = {"": 0, "#": 1, "♯": 1, "sharp": 1, "b": -1, "♭": -1, "flat": -1}

KEY = re.compile(r"(?<![\w#])([a-g])\s*-?\s*(sharp|flat|#|♯|b|♭)?\s*-?\s*(major|minor)\b", re.IGNORECASE)
KEY_ALONE = re.compile(r"\b(?:in|key of)\s+([A-G])(#|♯|b|♭)?(m)?(?![\w#])")
TEMPO = re.compile(r"(?<![\d.])(\d{1,4}(?:\.\d+)?)\s*-?\s*(?:bpm|beats per minute)\b", re.IGNORECASE)
METER = re.compile(r"(?<![\d/])((?:[2-9]|1[0-2])/[48])(?![\d/])")


@dataclass(frozen=True)
class Brief:
    """None, and no instruments, where it was not said."""

    mood: str | None = None
    style: str | None = None
    mode: str | None = None
    tonic: int | None = None
    tempo_bpm: float | None = None
    meter: str | None = None
    instruments: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    """Instruments that were ruled out."""
    pace: float = 1.0
    """On a tempo that is drawn: "slow" and "fast"."""


def read_prompt(prompt: str) -> Brief:
    """InvalidRequest on `prompt` for a tempo or metre that cannot be played."""
    words, unwanted = _split([word for word in re.findall(r"[\w#♯♭-]+", prompt.lower()) if word not in FILLERS])
    tonic, mode = _key(prompt)
    tempo = TEMPO.search(prompt)
    meter = METER.search(prompt)
    brief = Brief(
        mood=_first(MOOD_WORDS, words),
        style=_first(STYLE_WORDS, words),
        mode=mode,
        tonic=tonic,
        tempo_bpm=float(tempo[1]) if tempo else None,
        meter=meter[1] if meter else _first(METER_WORDS, words),
        instruments=_instruments(words),
        without=_instruments(unwanted),
        pace=next((TEMPO_WORDS[word] for word in words if word in TEMPO_WORDS), 1.0),
    )
    return check(brief, "prompt")


def check(brief: Brief, param: str | None = None) -> Brief:
    """InvalidRequest, on `param` or on the field itself, for what cannot be played."""
    for name, known in (("mood", MOODS), ("style", STYLES), ("mode", MODES), ("meter", tuple(CELLS))):
        value = getattr(brief, name)
        if value is not None and value not in known:
            raise InvalidRequest(f"there is no {name} {value!r}; there is {', '.join(known)}", param=param or name)
    unknown = [name for name in brief.instruments if name not in INSTRUMENTS]
    if unknown:
        have = ", ".join(INSTRUMENTS)
        raise InvalidRequest(f"there is no instrument {unknown[0]!r}; there is {have}", param=param or "instruments")
    if set(brief.without) >= set(INSTRUMENTS):
        raise InvalidRequest("every instrument is ruled out", param=param or "instruments")
    low, high = TEMPO_BPM
    if brief.tempo_bpm is not None and not low <= brief.tempo_bpm <= high:
        raise InvalidRequest(
            f"{brief.tempo_bpm:g} beats per minute is not within {low:g} and {high:g}", param=param or "tempo_bpm"
        )
    return brief


def settle(brief: Brief, duration_s: float, rng: random.Random) -> Brief:
    """All fields filled. A tempo that nobody asked for is chosen so that whole bars fill the duration."""
    style = brief.style or _fitting_style(brief, rng)
    mood = brief.mood or rng.choice([name for name in MOODS if brief.mode is None or _usual(name, brief.mode)])
    habits, manner = MOOD_HABITS[mood], STYLE_HABITS[style]
    meter = brief.meter or rng.choices(list(manner.meters), list(manner.meters.values()))[0]
    instruments = brief.instruments or rng.choice(manner.ensembles)
    instruments = [name for name in instruments if name not in brief.without] or [
        rng.choice([name for name in INSTRUMENTS if name not in brief.without])
    ]
    tempo = brief.tempo_bpm
    if tempo is None:
        drawn = rng.randint(*habits.tempo_bpm) * (1.25 if meter == "6/8" else 1.0) * brief.pace
        tempo = _filling(drawn, meter, duration_s)
    return replace(
        brief,
        mood=mood,
        style=style,
        mode=brief.mode or ("major" if rng.random() < habits.major else "minor"),
        tonic=rng.randrange(12) if brief.tonic is None else brief.tonic,
        tempo_bpm=tempo,
        meter=meter,
        instruments=tuple(name for name in INSTRUMENTS if name in instruments),
    )


def parts_of(brief: Brief, rng: random.Random) -> dict[str, str]:
    """Role to instrument, of a brief that is settled."""
    return assign(rng, brief.instruments, STYLE_HABITS[brief.style or "pop"])


def _filling(tempo_bpm: float, meter: str, duration_s: float) -> float:
    """The tempo nearest to what was drawn at which a whole number of bars lasts `duration_s`."""
    beats = METERS[meter] / TICKS
    bars = max(1, round(duration_s * tempo_bpm / 60 / beats))
    exact = bars * beats * 60 / duration_s
    return exact if TEMPO_BPM[0] <= exact <= TEMPO_BPM[1] else tempo_bpm


def _usual(mood: str, mode: str) -> bool:
    return (MOOD_HABITS[mood].major if mode == "major" else 1 - MOOD_HABITS[mood].major) >= 0.15


def _fitting_style(brief: Brief, rng: random.Random) -> str:
    """One that has the metre and, if one does, is played with such instruments."""
    styles = [name for name in STYLES if brief.meter is None or brief.meter in STYLE_HABITS[name].meters]
    asked = set(brief.instruments)
    usual = [name for name in styles if asked and any(asked == set(some) for some in STYLE_HABITS[name].ensembles)]
    return rng.choice(usual or styles)


def _first(table: dict[str, str], words: list[str]) -> str | None:
    """The row whose word comes first."""
    rows = {word: name for name, line in table.items() for word in line.split()}
    return next((rows[word] for word in words if word in rows), None)


def _instruments(words: list[str]) -> tuple[str, ...]:
    rows = {word: name for name, line in INSTRUMENT_WORDS.items() for word in line.split()}
    named = {rows[word] for word in words if word in rows}
    return tuple(name for name in INSTRUMENTS if name in named)


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """What is asked for, and what is not wanted: the word after "no", "without" … and those joined to it by "or"."""
    wanted: list[str] = []
    unwanted: list[str] = []
    denying = denied = False
    for word in words:
        if word in NOT or (denied and word == "or"):
            denying = True
        elif denying:
            unwanted.append(word)
            denying, denied = False, True
        else:
            wanted.append(word)
            denied = False
    return wanted, unwanted


def _key(prompt: str) -> tuple[int | None, str | None]:
    found = KEY.search(prompt)
    if found:
        step = TONIC_STEPS[found[1].lower()] + ACCIDENTALS[(found[2] or "").lower()]
        return step % 12, found[3].lower()
    alone = KEY_ALONE.search(prompt)
    if alone:
        step = TONIC_STEPS[alone[1].lower()] + ACCIDENTALS[alone[2] or ""]
        return step % 12, "minor" if alone[3] else None
    mode = re.search(r"\b(major|minor)\b", prompt, re.IGNORECASE)
    return None, mode[1].lower() if mode else None
