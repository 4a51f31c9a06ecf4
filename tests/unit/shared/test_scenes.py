"""Scenes: the same description gives the same picture, in any size; what is said of it is true of it."""

import random
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from PIL import ImageChops, ImageStat

from shared import scenes
from shared.scenes import backdrop, landscape, pattern, product
from shared.scenes.colors import COLORS
from shared.scenes.landscape import Landscape
from shared.scenes.product import Product


def drawn(count: int, seed: int = 3) -> list[scenes.Scene]:
    rng = random.Random(seed)
    return [scenes.sample(rng) for _ in range(count)]


def every_variant() -> list[scenes.Scene]:
    land = [
        Landscape(5, "day", terrain, thing, "red" if thing in landscape.PAINTED else None, aloft=aloft)
        for terrain, things in landscape.THINGS.items()
        for thing, aloft in zip(things, ("clouds", "birds", None), strict=False)
    ]
    times = [Landscape(5, time, "ocean", body=landscape.BODIES.get(time)) for time in landscape.TIMES]
    things = [Product(5, thing, "red", "blue", surface) for thing in product.DRAW for surface in product.SURFACES]
    patterns = [pattern.Pattern(5, style, "red", "blue") for style in pattern.DRAW]
    backdrops = [backdrop.Backdrop(5, style, "red", "blue", side) for style in backdrop.DRAW for side in backdrop.SIDES]
    return [*land, *times, *things, *patterns, *backdrops]


def difference(a: scenes.Picture, b: scenes.Picture) -> float:
    """Mean absolute difference in [0, 255]."""
    return float(np.mean(ImageStat.Stat(ImageChops.difference(a.image, b.image)).mean))


@pytest.mark.parametrize("scene", every_variant(), ids=str)
def test_every_variant_is_drawn_in_any_shape(scene: scenes.Scene) -> None:
    for width, height in ((48, 48), (96, 40), (40, 96)):
        picture = scenes.render(scene, width, height)
        assert picture.image.size == (width, height) and picture.image.mode == "RGB"
        assert picture.depth.shape == (height, width) and picture.depth.dtype == np.float32
        assert picture.depth.min() >= 0 and picture.depth.max() <= 1
        assert max(ImageStat.Stat(picture.image).stddev) > 2  # something was drawn


def test_the_same_scene_gives_the_same_picture() -> None:
    for scene in drawn(12):
        assert difference(scenes.render(scene, 40, 40), scenes.render(scene, 40, 40)) == 0


def test_size_changes_only_the_resolution() -> None:
    for scene in drawn(12):
        large = scenes.render(scene, 192, 192)
        small = scenes.render(scene, 48, 48)
        shrunk = scenes.Picture(large.image.resize((48, 48)), large.depth)
        assert difference(small, shrunk) < 12


def test_another_seed_gives_another_picture() -> None:
    scene = Landscape(1, "day", "city")
    assert difference(scenes.render(scene, 64, 64), scenes.render(replace(scene, seed=2), 64, 64)) > 3


def test_time_moves_things_and_nothing_jumps() -> None:
    scene = Landscape(4, "day", "ocean", "boat", "red", aloft="balloon", aloft_color="blue")
    frames = [scenes.render(scene, 64, 64, i / 16) for i in range(1, 17)]
    steps = [difference(a, b) for a, b in pairwise(frames)]
    assert min(steps) > 0 and max(steps) < 8
    assert difference(frames[0], frames[-1]) > max(steps)


def test_the_picture_has_the_colors_that_are_told() -> None:
    for name, color in COLORS.items():
        other = "white" if name == "black" else "black"
        shown = np.asarray(scenes.render(Product(3, "ball", name, other), 64, 64).image.crop((28, 34, 36, 44)))
        nearest = min(COLORS, key=lambda known: float(np.abs(shown.reshape(-1, 3).mean(0) - COLORS[known]).sum()))
        assert nearest == name, (name, color)


def test_left_is_left() -> None:
    for place, lower, upper in (("left", 0, 24), ("right", 40, 64)):
        scene = Landscape(2, "day", "desert", "cactus", thing_place=place)
        empty = replace(scene, thing=None)
        changed = np.asarray(
            ImageChops.difference(scenes.render(scene, 64, 64).image, scenes.render(empty, 64, 64).image)
        ).sum((0, 2))
        assert lower <= np.argmax(changed) < upper


def test_near_things_are_near() -> None:
    depth = scenes.render(Product(3, "ball", "red", "blue"), 64, 64).depth
    assert depth[38, 32] < 0.4 < depth[5, 5]
    depth = scenes.render(Landscape(3, "day", "ocean"), 64, 64).depth
    assert depth[5, 5] == 1 and depth[63, 5] < depth[45, 5] < 1


def test_held_out_combinations_are_never_drawn_for_training() -> None:
    assert not any(scenes.held_out(scene) for scene in drawn(3000))
    rng = random.Random(1)
    kept = {type(scene) for scene in (scenes.sample(rng, held_out=True) for _ in range(60))}
    assert kept == set(scenes.KINDS)


def test_captions_are_free_and_true() -> None:
    rng = random.Random(2)
    said = Counter(scenes.caption(scene, rng) for scene in drawn(400))
    assert len(said) > 330
    assert not any(" a orange" in f" {text}" or " a island" in f" {text}" or "None" in text for text in said)
    scene = Product(1, "cup", "orange", "teal", "table")
    assert all("cup" in text and "orange" in text for text in (scenes.caption(scene, rng) for _ in range(20)))


def test_every_answer_is_one_word_and_yes_is_as_true_as_no() -> None:
    answers = Counter(answer for scene in drawn(400) for _, answer in scenes.questions(scene))
    assert all(answer and " " not in answer for answer in answers)
    assert answers["yes"] > 40


@pytest.mark.parametrize("size", [(0, 64), (64, 7), (4097, 64), (-1, -1)])
def test_other_sizes_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="4096"):
        scenes.render(Landscape(1, "day", "city"), *size)
