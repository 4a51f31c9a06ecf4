"""Enlarging keeps what is flat and makes a blurred edge a step."""

import numpy as np
from PIL import Image, ImageFilter

from ml_image import enlarging


def blurred_edge() -> Image.Image:
    picture = Image.new("RGB", (32, 32), (40, 60, 200))
    picture.paste((240, 200, 40), (16, 0, 32, 32))
    return picture.filter(ImageFilter.GaussianBlur(1.5))


def steepest(picture: Image.Image) -> int:
    row = np.asarray(picture)[64, :, 0].astype(int)
    return int(np.abs(np.diff(row)).max())


def test_edges_become_steps_without_overshoot() -> None:
    plain = enlarging.choose(False)(blurred_edge(), 128, 128)
    crisp = enlarging.choose(True)(blurred_edge(), 128, 128)
    assert steepest(crisp) > 4 * steepest(plain)
    low, high = np.asarray(blurred_edge()).min((0, 1)), np.asarray(blurred_edge()).max((0, 1))
    assert (np.asarray(crisp) >= low.astype(int) - 12).all()
    assert (np.asarray(crisp) <= high.astype(int) + 12).all()
    assert np.asarray(crisp)[64, 4].tolist() == [40, 60, 200]


def test_any_shape_and_no_enlargement() -> None:
    assert enlarging.choose(True)(blurred_edge(), 300, 200).size == (300, 200)
    same = enlarging.choose(True)(blurred_edge(), 32, 32)
    assert np.array_equal(np.asarray(same), np.asarray(blurred_edge()))
    assert enlarging.choose(True)(blurred_edge(), 16, 24).size == (16, 24)
