"""Who speaks: espeak-ng's languages and variants, and which of them are kept for the tests."""

from random import Random

VOICES = {"clara": "en-us+f3", "oscar": "en-us+m3"}
"""The starter's voices."""
ACCENTS = [
    ("en-us", 12),
    ("en", 4),
    ("en-gb-x-rp", 3),
    ("en-gb-scotland", 2),
    ("en-us-nyc", 2),
    ("en-029", 1),
    ("en-gb-x-gbclan", 1),
]
VARIANTS = """f1 f2 f3 f4 m1 m2 m3 m4 m5 m6 m8 Alex Alicia Andrea Annie Denis Gene Gene2 Henrique Hugo Jacky Lee Marco Mario Michael
Mike Reed adam anika announcer antonio aunty benjamin boris caleb david ed grandma grandpa gustave ian iven iven2 iven3 klatt
klatt2 klatt4 klatt5 linda marcelo max michel miguel mike2 norbert pablo paul pedro quincy rob robert sandro shelby steph steph3
travis victor zac""".split()
UNSEEN = ["f5", "m7", "belinda", "Andy", "edward", "iven4", "klatt3", "steph2"]
UNSEEN_ACCENTS = ["en-us", "en", "en-gb-x-gbcwmd"]


def draw(r: Random, unseen: bool = False) -> dict[str, int | str]:
    """A voice, its speed and its pitch, as arguments of `Espeak.say`."""
    if unseen:
        voice = f"{r.choice(UNSEEN_ACCENTS)}+{r.choice(UNSEEN)}"
    else:
        accents, weights = zip(*ACCENTS, strict=True)
        voice = f"{r.choices(accents, weights)[0]}+{r.choice(VARIANTS)}"
    return {
        "voice": voice,
        "words_per_minute": r.randint(120, 205),
        "pitch": r.randint(25, 75),
        "pitch_range": r.randint(30, 75),
    }
