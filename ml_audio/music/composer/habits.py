"""What moods and styles ask of a piece: two tables. A new mood or style is a row (and a name in `score`)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mood:
    major: float  # the share of pieces in major
    tempo_bpm: tuple[int, int]
    liveliness: tuple[float, float, float]  # weights of long, middle and short notes in tunes
    rests: float  # the share of a tune's notes that are silent
    centre: int  # semitones that tunes lie higher


@dataclass(frozen=True)
class Style:
    meters: dict[str, float]
    harmony: dict[str, tuple[str, ...]]  # patterns by metre
    bass: dict[str, tuple[str, ...]]
    drums: dict[str, tuple[str, ...]]
    progressions: str
    ensembles: tuple[tuple[str, ...], ...]  # instruments that usually play it
    leads: tuple[str, ...]  # who has the tune, the likeliest first
    sevenths: bool = False
    swing: bool = False


MOOD_HABITS = {
    "happy": Mood(0.95, (108, 144), (0.05, 0.45, 0.5), 0.06, 2),
    "sad": Mood(0.05, (58, 84), (0.5, 0.4, 0.1), 0.1, -2),
    "calm": Mood(0.8, (60, 90), (0.5, 0.4, 0.1), 0.12, 0),
    "epic": Mood(0.2, (92, 128), (0.3, 0.5, 0.2), 0.04, 3),
    "tense": Mood(0.0, (104, 140), (0.1, 0.4, 0.5), 0.15, -3),
    "playful": Mood(0.85, (116, 152), (0.0, 0.3, 0.7), 0.12, 4),
}

STYLE_HABITS = {
    "pop": Style(
        {"4/4": 0.85, "6/8": 0.15},
        {"4/4": ("push", "quarters", "arpeggio", "strum", "offbeat"), "6/8": ("rock", "halves", "arpeggio")},
        {"4/4": ("pop", "root", "eighths", "late"), "6/8": ("halves", "whole")},
        {"4/4": ("pop", "rock", "sixteen", "floor"), "6/8": ("ballad",)},
        "plain",
        (("piano", "guitar", "bass", "drums"), ("piano", "bass", "drums"), ("piano", "strings", "bass", "drums")),
        ("piano", "guitar", "strings"),
    ),
    "rock": Style(
        {"4/4": 0.92, "6/8": 0.08},
        {"4/4": ("eighths", "push", "strum", "halves"), "6/8": ("rock", "halves")},
        {"4/4": ("eighths", "root", "pop", "octaves"), "6/8": ("halves",)},
        {"4/4": ("rock", "rock push", "half", "floor"), "6/8": ("ballad",)},
        "plain",
        (("guitar", "bass", "drums"), ("piano", "guitar", "bass", "drums")),
        ("guitar", "piano", "strings"),
    ),
    "folk": Style(
        {"4/4": 0.45, "6/8": 0.35, "3/4": 0.2},
        {"4/4": ("strum", "backbeat", "picked", "quarters"), "6/8": ("jig", "halves"), "3/4": ("waltz", "lilt")},
        {"4/4": ("two", "halves", "root"), "6/8": ("jig", "halves"), "3/4": ("waltz", "step")},
        {"4/4": ("train", "march", "soft"), "6/8": ("jig", "march"), "3/4": ("waltz",)},
        "folk",
        (("guitar",), ("guitar", "bass"), ("guitar", "strings", "bass"), ("guitar", "bass", "drums")),
        ("guitar", "strings", "piano"),
    ),
    "classical": Style(
        {"4/4": 0.55, "3/4": 0.3, "6/8": 0.15},
        {"4/4": ("alberti", "arpeggio", "quarters", "halves"), "3/4": ("waltz", "arpeggio"), "6/8": ("arpeggio",)},
        {"4/4": ("halves", "whole", "root"), "3/4": ("waltz", "arch"), "6/8": ("halves",)},
        {"4/4": ("march", "soft"), "3/4": ("waltz",), "6/8": ("march",)},
        "folk",
        (("piano",), ("piano", "strings"), ("strings",), ("piano", "strings", "bass")),
        ("piano", "strings", "guitar"),
    ),
    "jazz": Style(
        {"4/4": 0.85, "3/4": 0.15},
        {"4/4": ("charleston", "comp", "push", "halves"), "3/4": ("waltz", "lilt")},
        {"4/4": ("walk", "walk up", "two"), "3/4": ("arch", "step")},
        {"4/4": ("ride", "brush"), "3/4": ("ride",)},
        "jazz",
        (("piano", "bass", "drums"), ("piano", "guitar", "bass", "drums"), ("guitar", "bass")),
        ("piano", "guitar", "strings"),
        sevenths=True,
        swing=True,
    ),
    "lofi": Style(
        {"4/4": 1.0},
        {"4/4": ("push", "whole", "halves", "charleston")},
        {"4/4": ("late", "root", "whole")},
        {"4/4": ("lazy", "half", "soft")},
        "jazz",
        (("piano", "bass", "drums"), ("piano", "guitar", "bass", "drums"), ("guitar", "bass", "drums")),
        ("piano", "guitar", "strings"),
        sevenths=True,
        swing=True,
    ),
    "orchestral": Style(
        {"4/4": 0.75, "3/4": 0.25},
        {"4/4": ("whole", "halves", "quarters", "eighths"), "3/4": ("whole", "waltz", "quarters")},
        {"4/4": ("whole", "halves", "root"), "3/4": ("whole", "arch")},
        {"4/4": ("march", "half"), "3/4": ("waltz", "slow")},
        "plain",
        (("strings", "bass"), ("piano", "strings", "bass"), ("strings", "bass", "drums"), ("strings",)),
        ("strings", "piano", "guitar"),
    ),
    "ambient": Style(
        {"4/4": 0.8, "3/4": 0.2},
        {"4/4": ("whole", "rise", "arpeggio"), "3/4": ("whole", "arpeggio")},
        {"4/4": ("whole",), "3/4": ("whole",)},
        {"4/4": ("half", "soft"), "3/4": ("slow",)},
        "still",
        (("piano", "strings"), ("strings",), ("guitar", "strings"), ("piano", "strings", "bass")),
        ("piano", "guitar", "strings"),
    ),
}
