"""How words are pronounced, by what espeak-ng says of them in sentences."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from ml_audio.corpus.espeak import PAUSE, Espeak
from ml_audio.models.pronouncer import BEFORE_VOWEL, is_vowel

CARRIER = "they say {} again."
"""Around a word that no sentence holds."""
OFTEN = 3
"""Before a vowel a word counts as different from elsewhere when it was heard so often there."""


def build(texts: Iterable[str], vocabulary: Sequence[str], espeak: Espeak, voice: str) -> dict[str, list[str]]:
    """Word -> phonemes: what is said most often in `texts` (as read out), else in the carrier.

    A word that sounds otherwise before a vowel ("the") has a second entry, its key ending in BEFORE_VOWEL.
    """
    heard: dict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
    linked: dict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
    for text in texts:
        said = pronounced(text, espeak, voice)
        for place, (word, phonemes) in enumerate(said):
            following = said[place + 1][1][:1] if place + 1 < len(said) else ()
            (linked if following and is_vowel(following[0]) else heard)[word][phonemes] += 1
    for word in vocabulary:
        if word not in heard:
            spoken = dict(pronounced(CARRIER.format(word), espeak, voice))
            if word in spoken:
                heard[word][spoken[word]] += 1
    found = {word: list(counts.most_common(1)[0][0]) for word, counts in heard.items()}
    for word, counts in linked.items():
        often, times = counts.most_common(1)[0]
        if times >= OFTEN and list(often) != found.get(word):
            found[word + BEFORE_VOWEL if word in found else word] = list(often)
    return {word: phonemes for word, phonemes in found.items() if phonemes}


def pronounced(text: str, espeak: Espeak, voice: str) -> list[tuple[str, tuple[str, ...]]]:
    """Each word of the text with its phonemes, pauses left out; words that espeak-ng says together are left out too."""
    speech = espeak.say(text, voice, 180)
    names = [name for name, _ in speech.phonemes]
    found: list[tuple[str, tuple[str, ...]]] = []
    for place, (at, first) in enumerate(speech.words):
        end = speech.words[place + 1][1] if place + 1 < len(speech.words) else len(names)
        word = re.match(r"[a-z']+", text[at:])
        if (
            word
            and end > first
            and at + len(word[0]) <= (speech.words[place + 1][0] if place + 1 < len(speech.words) else len(text))
        ):
            found.append((word[0], tuple(name for name in names[first:end] if name != PAUSE)))
    return found
