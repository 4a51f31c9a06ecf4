"""How accompaniments move: tables of patterns by metre. A new pattern is a row.

Harmony: (tick, ticks, which of the chord's notes from below; "all" is the whole chord, "up" its upper notes).
Bass: (tick, ticks, semitone or "r" root, "5" fifth, "8" octave, "3" third, ">" a step towards the next root).
Drums: a line a drum, a character a sixteenth (4/4, 2/4, 3/4) or an eighth (6/8, 9/8, 12/8): x is a stroke.
"""

Strokes = tuple[tuple[int, int, str], ...]

HARMONY: dict[str, dict[str, Strokes]] = {
    "4/4": {
        "whole": ((0, 48, "all"),),
        "halves": ((0, 24, "all"), (24, 24, "all")),
        "quarters": tuple((tick, 12, "all") for tick in range(0, 48, 12)),
        "backbeat": ((12, 12, "up"), (36, 12, "up"), (0, 12, "0"), (24, 12, "0")),
        "offbeat": tuple((tick, 6, "all") for tick in range(6, 48, 12)),
        "push": ((0, 18, "all"), (18, 30, "all")),
        "charleston": ((0, 18, "all"), (18, 6, "all")),
        "comp": ((6, 6, "all"), (24, 18, "all")),
        "strum": ((0, 12, "all"), (12, 6, "all"), (18, 12, "up"), (30, 6, "all"), (36, 12, "all")),
        "eighths": tuple((tick, 6, "all") for tick in range(0, 48, 6)),
        "alberti": tuple((tick, 6, which) for tick, which in zip(range(0, 48, 6), "02120212", strict=True)),
        "arpeggio": tuple((tick, 6, which) for tick, which in zip(range(0, 48, 6), "01232101", strict=True)),
        "rise": tuple((tick, 12, which) for tick, which in zip(range(0, 48, 12), "0123", strict=True)),
        "picked": tuple((tick, 6, which) for tick, which in zip((0, 6, 18, 24, 30, 36), "021312", strict=True)),
    },
    "3/4": {
        "whole": ((0, 36, "all"),),
        "waltz": ((0, 12, "0"), (12, 12, "up"), (24, 12, "up")),
        "quarters": tuple((tick, 12, "all") for tick in range(0, 36, 12)),
        "arpeggio": tuple((tick, 6, which) for tick, which in zip(range(0, 36, 6), "012321", strict=True)),
        "lilt": ((0, 24, "all"), (24, 12, "up")),
    },
    "6/8": {
        "whole": ((0, 36, "all"),),
        "halves": ((0, 18, "all"), (18, 18, "all")),
        "jig": ((0, 12, "all"), (12, 6, "up"), (18, 12, "all"), (30, 6, "up")),
        "arpeggio": tuple((tick, 6, which) for tick, which in zip(range(0, 36, 6), "012321", strict=True)),
        "rock": ((0, 6, "0"), (6, 6, "up"), (12, 6, "up"), (18, 6, "0"), (24, 6, "up"), (30, 6, "up")),
    },
}

BASS: dict[str, dict[str, Strokes]] = {
    "4/4": {
        "whole": ((0, 48, "r"),),
        "halves": ((0, 24, "r"), (24, 24, "5")),
        "root": ((0, 24, "r"), (24, 24, "r")),
        "pop": ((0, 18, "r"), (18, 6, "r"), (24, 18, "r"), (42, 6, "5")),
        "eighths": tuple((tick, 6, "r") for tick in range(0, 48, 6)),
        "walk": ((0, 12, "r"), (12, 12, "3"), (24, 12, "5"), (36, 12, ">")),
        "walk up": ((0, 12, "r"), (12, 12, "5"), (24, 12, "8"), (36, 12, ">")),
        "two": ((0, 12, "r"), (24, 12, "5")),
        "octaves": (
            (0, 6, "r"),
            (6, 6, "8"),
            (12, 6, "r"),
            (18, 6, "8"),
            (24, 6, "r"),
            (30, 6, "8"),
            (36, 6, "5"),
            (42, 6, "8"),
        ),
        "late": ((0, 18, "r"), (30, 6, "5"), (36, 12, "r")),
    },
    "3/4": {
        "whole": ((0, 36, "r"),),
        "waltz": ((0, 12, "r"),),
        "step": ((0, 24, "r"), (24, 12, ">")),
        "arch": ((0, 12, "r"), (12, 12, "3"), (24, 12, "5")),
    },
    "6/8": {
        "whole": ((0, 36, "r"),),
        "halves": ((0, 18, "r"), (18, 18, "5")),
        "jig": ((0, 12, "r"), (12, 6, "5"), (18, 12, "r"), (30, 6, ">")),
    },
}

DRUM_LINES: dict[str, dict[str, dict[str, str]]] = {
    "4/4": {
        "rock": {"kick": "x.......x.x.....", "snare": "....x.......x...", "hat": "x.x.x.x.x.x.x.x."},
        "rock push": {"kick": "x.....x...x.....", "snare": "....x.......x...", "hat": "x.x.x.x.x.x.x.x."},
        "pop": {"kick": "x.......x.......", "snare": "....x.......x...", "hat": "x.x.x.x.x.x.x.x."},
        "floor": {"kick": "x...x...x...x...", "snare": "....x.......x...", "open": "..x...x...x...x."},
        "sixteen": {"kick": "x.....x.x.......", "snare": "....x.......x...", "hat": "xxxxxxxxxxxxxxxx"},
        "lazy": {"kick": "x......x..x.....", "rim": "....x.......x...", "hat": "x.x.x.x.x.x.x.x."},
        "half": {"kick": "x.........x.....", "snare": "........x.......", "hat": "x...x...x...x..."},
        "ride": {"ride": "x...x.x.x...x.x.", "hat": "....x.......x...", "kick": "x..............."},
        "brush": {"ride": "x...x.x.x...x.x.", "hat": "....x.......x..."},
        "march": {"low": "x.......x.......", "snare": "....x.x.....xxx.", "kick": "x.......x......."},
        "train": {"kick": "x...x...x...x...", "snare": "..x...x...x...x."},
        "soft": {"kick": "x.......x.......", "rim": "....x.......x...", "hat": "....x.......x..."},
    },
    "3/4": {
        "waltz": {"kick": "x...........", "hat": "....x...x..."},
        "ride": {"kick": "x...........", "ride": "x...x.x.x...", "hat": "....x...x..."},
        "slow": {"kick": "x.......x...", "snare": "....x.......", "hat": "x.x.x.x.x.x."},
    },
    "6/8": {
        "jig": {"kick": "x..x..", "hat": "xxxxxx"},
        "ballad": {"kick": "x.....", "snare": "...x..", "hat": "xxxxxx"},
        "march": {"kick": "x..x..", "snare": "..x..x"},
    },
}

FILLS: dict[str, tuple[dict[str, str], ...]] = {
    "4/4": (
        {"snare": "............xxxx"},
        {"snare": "............xx..", "high": "..............x.", "low": "...............x"},
        {"high": "........x.x.....", "low": "............x.x."},
    ),
    "3/4": ({"snare": "........xxxx"}, {"high": "........x...", "low": "..........x."}),
    "6/8": ({"snare": "...xxx"}, {"high": "...x..", "low": ".....x"}),
}
"""What closes a phrase of drums, over the kick of the pattern."""

RHYTHMS: dict[int, dict[str, tuple[tuple[int, ...], ...]]] = {
    24: {
        "long": ((24,), (12, 12), (18, 6), (24,)),
        "middle": ((12, 12), (12, 6, 6), (6, 6, 12), (18, 6), (24,), (6, 6, 6, 6)),
        "short": ((6, 6, 6, 6), (6, 6, 6, 6), (12, 6, 6), (6, 6, 12), (9, 3, 6, 6), (6, 12, 6), (12, 12)),
        "swing": ((8, 4, 8, 4), (12, 8, 4), (8, 4, 12), (12, 12), (8, 16), (24,)),
    },
    18: {
        "long": ((18,), (12, 6), (18,)),
        "middle": ((12, 6), (6, 6, 6), (18,), (6, 12)),
        "short": ((6, 6, 6), (6, 6, 6), (12, 6), (9, 3, 6)),
        "swing": ((12, 6), (6, 6, 6), (18,)),
    },
    12: {
        "long": ((12,),),
        "middle": ((12,), (6, 6), (12,)),
        "short": ((6, 6), (12,), (6, 6), (9, 3)),
        "swing": ((8, 4), (12,)),
    },
}
"""How a melody fills a part of a bar of so many ticks, by how lively it is."""

CELLS = {"4/4": (24, 24), "3/4": (12, 24), "6/8": (18, 18)}
"""The parts of a bar."""
