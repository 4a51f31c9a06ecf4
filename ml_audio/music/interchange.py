"""Scores from MIDI files and back.

A file that the project wrote says in texts and track names what it is; of any other, parts are told by their channel,
program and range, the key by its signature or, where that does not fit the notes, by the profile of Krumhansl and
Kessler (1982), as Temperley (1999) uses it. Times are moved to the nearest sixteenth or triplet.
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

import numpy as np

from ml_audio.music.midi import DRUM_CHANNEL, MidiFile, MidiNote, Track, read_midi, write_midi
from ml_audio.music.performance import perform
from ml_audio.music.score import (
    DRUMS,
    METERS,
    MODES,
    MOODS,
    ROLES,
    STYLES,
    TICKS,
    Note,
    Part,
    Score,
    share_in_key,
    shift_of,
    whole_duration,
)
from ml_audio.music.tokens import PITCHES, POSITIONS
from shared.errors import InvalidRequest

TICKS_PER_QUARTER = 480
PROGRAMS = {"piano": 0, "guitar": 24, "strings": 48, "bass": 33, "drums": 0}
FAMILIES = ((24, "piano"), (32, "guitar"), (40, "bass"), (128, "strings"))
"""General MIDI's programs up to which number are played by what: organs and bells by the piano, winds by strings."""
DRUM_OF = {
    35: "kick", 36: "kick", 38: "snare", 40: "snare", 39: "rim", 37: "rim", 42: "hat", 44: "hat", 46: "open",
    49: "crash", 57: "crash", 52: "crash", 55: "crash", 51: "ride", 53: "ride", 59: "ride",
    41: "low", 43: "low", 45: "low", 47: "high", 48: "high", 50: "high",
}  # fmt: skip
ALIKE = {"2/2": "4/4", "2/1": "4/4", "3/2": "12/8", "4/8": "2/4", "6/4": "12/8"}
"""Metres whose bars are as long as another's."""
FITTING = 0.85
"""A key signature is believed when so many notes are in its key."""
PROFILES = {
    "major": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "minor": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}


def to_midi(score: Score, seed: int = 0) -> bytes:
    """The piece on the grid, with the velocities of its performance."""
    scale = TICKS_PER_QUARTER // TICKS
    numerator, denominator = map(int, score.meter.split("/"))
    sharps = (score.tonic * 7 + (3 if score.mode == "minor" else 0) * 7 + 5) % 12 - 5
    file = MidiFile(
        TICKS_PER_QUARTER,
        tempos=[(0, score.tempo_bpm)],
        meters=[(0, numerator, denominator)],
        keys=[(0, sharps, score.mode == "minor")],
        texts=[f"{name}={value}" for name, value in (("mood", score.mood), ("style", score.style)) if value],
    )
    file.texts.append(f"bars={score.bars}")
    velocities = {(event.role, event.pitch, round(event.start_s, 1)): event.velocity for event in perform(score, seed)}
    tick_s = 60 / score.tempo_bpm / TICKS
    for number, part in enumerate(score.parts):
        channel = DRUM_CHANNEL if part.role == "drums" else number
        track = Track(f"{part.role} ({part.instrument})")
        for note in part.notes:
            velocity = velocities.get((part.role, note.pitch, round(note.start * tick_s, 1)), 80)
            track.notes.append(
                MidiNote(
                    note.start * scale, note.pitch, note.duration * scale, velocity, channel, PROGRAMS[part.instrument]
                )
            )
        file.tracks.append(track)
    return write_midi(file)


def from_midi(data: bytes, param: str | None = None) -> Score:
    """InvalidRequest on `param` for a damaged file, one without notes, or a metre that has no token."""
    file = read_midi(data, param)
    until = file.meters[1][0] if len(file.meters) > 1 and file.meters[1][1:] != file.meters[0][1:] else None
    notes = [note for track in file.tracks for note in track.notes if until is None or note.start < until]
    if not notes:
        raise InvalidRequest("a MIDI file without notes", param=param)
    meter = _meter(file, param)
    labels = dict(text.split("=", 1) for text in file.texts if "=" in text)
    own = _own_parts(file, meter)
    parts = own or _guessed_parts(file, meter, until)
    last = max((note.start for part in parts for note in part.notes), default=-1)
    bars = last // METERS[meter] + 1
    if not bars:
        raise InvalidRequest("a MIDI file without notes that can be played", param=param)
    tonic, mode = _key(file, parts, 0.0 if own else FITTING)
    parts = tuple(_folded(part, shift_of(tonic)) for part in parts)
    return Score(
        round(file.tempos[0][1], 3) if file.tempos else 120.0,
        meter,
        tonic,
        mode,
        max(bars, int(labels["bars"])) if labels.get("bars", "").isdigit() and bars + 8 > int(labels["bars"]) else bars,
        parts,
        labels["mood"] if labels.get("mood") in MOODS else None,
        labels["style"] if labels.get("style") in STYLES else None,
    )


def _meter(file: MidiFile, param: str | None) -> str:
    if not file.meters:
        return "4/4"
    name = "/".join(map(str, file.meters[0][1:]))
    name = ALIKE.get(name, name)
    if name not in METERS:
        raise InvalidRequest(f"there is no metre {name}; there is {', '.join(METERS)}", param=param)
    return name


def _own_parts(file: MidiFile, meter: str) -> tuple[Part, ...]:
    """The parts of a file that says them: tracks that are called `role (instrument)`."""
    parts: list[Part] = []
    for track in file.tracks:
        role, _, instrument = track.name.rstrip(")").partition(" (")
        if role in ROLES and instrument in PROGRAMS and role not in [part.role for part in parts]:
            parts.append(Part(role, instrument, _quantised(track.notes, file, role, meter)))
    return tuple(sorted(parts, key=lambda part: ROLES.index(part.role)))


def _guessed_parts(file: MidiFile, meter: str, until: int | None) -> tuple[Part, ...]:
    """Drums by channel, bass by program, and of what remains the melody above, the rest below."""
    voices: dict[tuple[int, int], list[MidiNote]] = {}
    made: dict[str, list[MidiNote]] = {}
    instruments = {"drums": "drums", "bass": "bass"}
    for number, track in enumerate(file.tracks):
        for note in track.notes:
            if until is not None and note.start >= until:
                continue
            if note.channel == DRUM_CHANNEL:
                made.setdefault("drums", []).append(note)
            elif played_by(note.program) == "bass":
                made.setdefault("bass", []).append(note)
            else:
                voices.setdefault((number, note.channel), []).append(note)
    if voices:
        lead = max(voices, key=lambda voice: _singing(voices[voice]))
        rest = [note for voice, notes in voices.items() if voice != lead for note in notes]
        sung, below = _skyline(voices[lead])
        below = sorted([*rest, *below])
        for role, notes in (("melody", sung), ("harmony", below)):
            if notes:
                made[role] = notes
                instruments[role] = played_by(notes[0].program)
    return tuple(
        Part(role, instruments[role], _quantised(made[role], file, role, meter)) for role in ROLES if made.get(role)
    )


def played_by(program: int) -> str:
    return next(name for end, name in FAMILIES if program < end)


def _singing(notes: list[MidiNote]) -> float:
    """High and one at a time: how much a voice is like a melody."""
    overlapping = sum(after.start < before.start + before.duration // 2 for before, after in pairwise(sorted(notes)))
    return float(np.mean([note.pitch for note in notes])) - 24 * overlapping / len(notes)


def _skyline(notes: list[MidiNote]) -> tuple[list[MidiNote], list[MidiNote]]:
    """The highest note of each time that is not below one still sounding, cut where the next begins; and the others."""
    by_start: dict[int, MidiNote] = {}
    for note in notes:
        if note.start not in by_start or note.pitch > by_start[note.start].pitch:
            by_start[note.start] = note
    top: list[MidiNote] = []
    for note in (by_start[start] for start in sorted(by_start)):
        if top and note.start < top[-1].start + top[-1].duration // 2 and note.pitch < top[-1].pitch:
            continue
        if top and top[-1].start + top[-1].duration > note.start:
            top[-1] = replace(top[-1], duration=note.start - top[-1].start)
        top.append(note)
    chosen = {(note.start, note.pitch) for note in top}
    return top, [note for note in notes if (note.start, note.pitch) not in chosen]


def _quantised(notes: Iterable[MidiNote], file: MidiFile, role: str, meter: str) -> tuple[Note, ...]:
    made: dict[tuple[int, int], Note] = {}
    for note in notes:
        start = _on_grid(note.start * TICKS / file.ticks_per_quarter, METERS[meter])
        if role == "drums":
            name = DRUM_OF.get(note.pitch)
            if name is not None:
                made[start, DRUMS[name]] = Note(start, DRUMS[name], 3)
            continue
        ticks = round(note.duration * TICKS / file.ticks_per_quarter)
        made[start, note.pitch] = Note(start, note.pitch, whole_duration(ticks))
    return tuple(sorted(made.values()))


def _folded(part: Part, shift: int) -> Part:
    """Octaves up or down where the key has no token for a pitch."""
    if part.role == "drums":
        return part
    low, high = PITCHES.start + shift, PITCHES.stop - 1 + shift
    notes = {
        replace(
            note, pitch=note.pitch + 12 * max(0, _octaves(low - note.pitch)) - 12 * max(0, _octaves(note.pitch - high))
        )
        for note in part.notes
    }
    return replace(part, notes=tuple(sorted(notes)))


def _octaves(semitones: int) -> int:
    """Enough to get that far."""
    return -(-semitones // 12)


def _on_grid(ticks: float, bar_ticks: int) -> int:
    bar, rest = divmod(round(ticks), bar_ticks)
    return bar * bar_ticks + _nearest(bar_ticks)[rest]


@lru_cache
def _nearest(bar_ticks: int) -> list[int]:
    places = [*(tick for tick in POSITIONS if tick < bar_ticks), bar_ticks]
    return [min(places, key=lambda place: abs(place - tick)) for tick in range(bar_ticks)]


def _key(file: MidiFile, parts: tuple[Part, ...], fitting: float) -> tuple[int, str]:
    signed = [
        ((sharps * 7 + (9 if minor else 0)) % 12, "minor" if minor else "major") for _, sharps, minor in file.keys
    ]
    for tonic, mode in signed[:1]:
        if share_in_key(Score(120, "4/4", tonic, mode, 1, parts)) >= fitting:
            return tonic, mode
    weights = np.zeros(12)
    for part in parts:
        if part.role != "drums":
            for note in part.notes:
                weights[note.pitch % 12] += note.duration
    if not weights.any():
        return 0, "major"
    scores = {
        (tonic, mode): float(np.corrcoef(np.roll(weights, -tonic), PROFILES[mode])[0, 1]) if np.ptp(weights) else 0.0
        for tonic in range(12)
        for mode in MODES
    }
    return max(scores, key=lambda key: scores[key])
