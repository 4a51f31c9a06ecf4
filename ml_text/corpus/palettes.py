"""Palettes: background, text, accent. Those of a topic come from the lexicon, those of a mood are made here."""

import colorsys
from functools import cache
from random import Random

from ml_text.corpus.topics import Palette, load_topics
from shared.design.score import contrast, luminance

TEXT_CONTRAST, ACCENT_CONTRAST = 7.0, 4.6
POOL = 72
"""How many of the lexicon's palettes are used: few enough that each colour is one token, far apart enough to differ."""
Hsv = tuple[float, float, float]


@cache
def mood_palettes(mood: str) -> tuple[Palette, ...]:
    """Twelve palettes, one per hue, that look like the mood."""
    make = {"dark": _dark, "pastel": _pastel, "loud": _loud, "quiet": _quiet}[mood]
    return tuple(make(number / 12) for number in range(12))


@cache
def topic_palettes(topic: str) -> tuple[Palette, ...]:
    """The palettes of a topic, each replaced by the nearest of the pool."""
    own = next(entry.palettes for entry in load_topics() if entry.topic == topic)
    return tuple(min(pool(), key=lambda other: _distance(palette, other)) for palette in own)


@cache
def pool() -> tuple[Palette, ...]:
    """The lexicon's palettes, thinned by always taking the one farthest from those already taken."""
    every = [palette for topic in load_topics() for palette in topic.palettes]
    taken = every[:1]
    near = [_distance(palette, taken[0]) for palette in every]
    while len(taken) < min(POOL, len(every)):
        at = max(range(len(every)), key=near.__getitem__)
        taken.append(every[at])
        near = [min(old, _distance(palette, every[at])) for old, palette in zip(near, every, strict=True)]
    return tuple(taken)


def draw_palette(r: Random, topic: str | None, mood: str | None) -> Palette:
    if mood is not None:
        return r.choice(mood_palettes(mood))
    return r.choice(topic_palettes(topic) if topic is not None else pool())


def _distance(a: Palette, b: Palette) -> float:
    # The background covers nearly all of the canvas, so it weighs most.
    return sum(
        weight * abs(int(x[i : i + 2], 16) - int(y[i : i + 2], 16))
        for weight, x, y in zip((3, 1, 2), a, b, strict=True)
        for i in (1, 3, 5)
    )


def _dark(hue: float) -> Palette:
    background = _hex((hue, 0.55, 0.13))
    accent = _reach(background, (hue + 0.12, 0.55, 0.75), 0.02, ACCENT_CONTRAST)
    return background, _hex((hue, 0.06, 0.96)), accent


def _pastel(hue: float) -> Palette:
    background = _hex((hue, 0.16, 0.97))
    text = _reach(background, (hue, 0.55, 0.40), -0.02, TEXT_CONTRAST)
    return background, text, _reach(background, (hue + 0.45, 0.62, 0.62), -0.02, ACCENT_CONTRAST)


def _loud(hue: float) -> Palette:
    background = _hex((hue, 0.92, 0.98))
    if luminance(background) > 0.18:
        return background, "#0a0a0a", _reach(background, (hue + 0.5, 0.9, 0.45), -0.02, ACCENT_CONTRAST)
    background = _hex((hue, 0.92, 0.62))
    return background, "#ffffff", _reach(background, (0.15, 0.55, 0.98), 0.0, ACCENT_CONTRAST)


def _quiet(hue: float) -> Palette:
    background = _hex((hue, 0.04, 0.96))
    text = _reach(background, (hue, 0.18, 0.28), -0.02, TEXT_CONTRAST)
    return background, text, _reach(background, (hue, 0.3, 0.48), -0.02, ACCENT_CONTRAST)


def _reach(background: str, color: Hsv, step: float, ratio: float) -> str:
    """`color`, made darker or lighter by `step` until its contrast against `background` is at least `ratio`."""
    hue, saturation, value = color
    while contrast(_hex((hue, saturation, value)), background) < ratio:
        value += step
        if not 0 <= value <= 1 or step == 0:  # no value of this hue is enough: leave the hue
            saturation, value = saturation * 0.8, min(max(value, 0.0), 1.0)
            if saturation < 0.02:
                return "#ffffff" if luminance(background) < 0.18 else "#0a0a0a"
    return _hex((hue, saturation, value))


def _hex(color: Hsv) -> str:
    r, g, b = colorsys.hsv_to_rgb(color[0] % 1, color[1], color[2])
    return f"#{round(r * 255):02x}{round(g * 255):02x}{round(b * 255):02x}"
