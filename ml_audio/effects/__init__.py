"""Sound effects by prompt: each made from scratch by a small physical or perceptual model. A new one is a row.

`generate_effect(prompt, duration_s, seed)` is the way in. Several effects in one prompt sound together.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ml_audio.effects import animals, machines, nature, things
from ml_audio.effects.noise import SAMPLE_RATE_HZ, Manner, seconds
from ml_audio.mastering import master
from shared.errors import InvalidRequest

LONGEST_S = 300.0
LOUDNESS_DB = -22.0
EDGE_S = 0.01
"""In which a sound comes and goes."""


@dataclass(frozen=True)
class Effect:
    make: Callable[[np.random.Generator, np.ndarray, Manner], np.ndarray]
    words: str
    """What prompts call it, besides its name; a plural is understood."""


EFFECTS: dict[str, Effect] = {
    "rain": Effect(nature.rain, "raining rainfall rainy drizzle downpour shower storm rainstorm"),
    "wind": Effect(nature.wind, "windy breeze gust gale blizzard"),
    "waves": Effect(nature.waves, "wave ocean sea surf beach shore seaside"),
    "thunder": Effect(nature.thunder, "thunderstorm thunderclap lightning storm"),
    "stream": Effect(nature.stream, "brook river creek water bubbling babbling fountain"),
    "fire": Effect(nature.fire, "campfire fireplace bonfire flames crackling"),
    "birds": Effect(animals.birds, "bird birdsong chirping songbird forest twittering"),
    "crickets": Effect(animals.crickets, "cricket insect cicada"),
    "dog": Effect(animals.dog, "bark barking puppy"),
    "engine": Effect(machines.engine, "motor car truck motorcycle tractor idling"),
    "alarm": Effect(machines.alarm, "beep beeping buzzer warning"),
    "siren": Effect(machines.siren, "police ambulance"),
    "clock": Effect(machines.clock, "ticking tick-tock tick"),
    "phone": Effect(machines.phone, "telephone ringing ringtone"),
    "train": Effect(machines.train, "railway railroad rails subway"),
    "bell": Effect(things.bell, "chime church gong tolling"),
    "footsteps": Effect(things.footsteps, "footstep steps walking walk footfall running"),
    "knock": Effect(things.knock, "knocking door"),
    "applause": Effect(things.applause, "clapping clap crowd audience"),
    "glass": Effect(things.glass, "shatter shattering breaking smash"),
    "heartbeat": Effect(things.heartbeat, "heart pulse"),
}
STRONGER = {"heavy": 1.6, "loud": 1.6, "strong": 1.6, "stormy": 1.6, "violent": 1.8, "light": 0.5, "soft": 0.6}
STRONGER |= {"gentle": 0.5, "quiet": 0.6, "distant": 0.4, "far": 0.4}
FASTER = {"fast": 1.4, "quick": 1.4, "running": 1.5, "rapid": 1.5, "slow": 0.7, "slowly": 0.7, "idling": 0.8}
HIGHER = {"high": 1.3, "small": 1.25, "tiny": 1.4, "low": 0.75, "deep": 0.7, "big": 0.8, "large": 0.8, "huge": 0.7}


def find_effects(prompt: str) -> dict[str, Manner]:
    """The effects that a prompt names, with how it wants them. InvalidRequest on `prompt` when it names none."""
    words = re.findall(r"[a-z]+(?:-[a-z]+)*", prompt.lower())
    rows: dict[str, list[str]] = {}
    for name, effect in EFFECTS.items():
        for word in (name, *effect.words.split()):
            rows.setdefault(word, []).append(name)
    found = dict.fromkeys(
        name for word in words for name in rows.get(word) or (rows.get(word[:-1], []) if word.endswith("s") else [])
    )
    if not found:
        raise InvalidRequest(f"the prompt names no effect that there is: {', '.join(EFFECTS)}", param="prompt")
    manner = Manner(_said(STRONGER, words), _said(FASTER, words), _said(HIGHER, words))
    return dict.fromkeys(found, manner)


def generate_effect(prompt: str, duration_s: float, seed: int) -> np.ndarray:
    """(n, 2) float32 in [-1, 1] at SAMPLE_RATE_HZ, exactly `duration_s` long; the same for the same prompt and seed."""
    if not 0.5 <= duration_s <= LONGEST_S:
        raise InvalidRequest(f"{duration_s:g} seconds are not within 0.5 and {LONGEST_S:g}", param="duration")
    t = seconds(duration_s)
    mix = np.zeros((len(t), 2))
    for number, (name, manner) in enumerate(find_effects(prompt).items()):
        sound = EFFECTS[name].make(np.random.default_rng((seed, number)), t, manner)
        sound = sound - sound.mean()
        mix += _spread(sound / max(1e-9, float(np.sqrt(np.mean(sound**2)))))
    edge = min(len(t) // 2, round(EDGE_S * SAMPLE_RATE_HZ))
    mix[:edge] *= np.linspace(0, 1, edge)[:, None]
    mix[len(mix) - edge :] *= np.linspace(1, 0, edge)[:, None]
    return master(mix, LOUDNESS_DB)


def _said(table: dict[str, float], words: list[str]) -> float:
    return next((table[word] for word in words if word in table), 1.0)


def _spread(sound: np.ndarray) -> np.ndarray:
    """(n, 2): the two ears hear it 0.3 ms apart, and a little of an echo on the other side."""
    late = round(0.0003 * SAMPLE_RATE_HZ)
    echo = round(0.011 * SAMPLE_RATE_HZ)
    right = np.concatenate([np.zeros(late), sound])[: len(sound)]
    back = np.concatenate([np.zeros(echo), sound])[: len(sound)]
    return np.stack([sound + 0.12 * back, right - 0.12 * back], axis=1)
