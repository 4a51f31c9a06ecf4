"""The real face in made pictures: found, cut out, stored and placed with its own pixels."""

import io

import numpy as np
import pytest
import skimage.data
from PIL import Image

from shared.errors import InvalidRequest
from shared.faces import Cutout, Placement, compose, cut_out, find_faces, load_cutout, placed_mask, save_cutout


@pytest.fixture(scope="module")
def astronaut() -> Image.Image:
    return Image.fromarray(skimage.data.astronaut())


@pytest.fixture(scope="module")
def cutout(astronaut: Image.Image) -> Cutout:
    return cut_out(astronaut)


def test_a_cutout_is_stored_in_one_file(cutout: Cutout):
    file = io.BytesIO()
    save_cutout(cutout, file)
    back = load_cutout(io.BytesIO(file.getvalue()))
    assert np.array_equal(back.pixels, cutout.pixels) and back.face == cutout.face
    assert np.abs(back.matte - cutout.matte).max() <= 0.5 / 255 + 1e-6


def test_the_inner_face_keeps_its_pixels_and_is_found_again(cutout: Cutout):
    background = Image.new("RGB", (700, 700), (30, 90, 160))
    own = cutout.matte.shape[0]
    placed = compose(cutout, background, Placement(x=0.5, size=own / 700), blend=1)
    (face,) = find_faces(placed)
    left, top = round(0.5 * 700 - cutout.face.center_x), 700 - own
    x, y = round(cutout.face.center_x), round(cutout.face.center_y)
    reach = round(cutout.face.width / 4)
    around = (slice(y - reach, y + reach), slice(x - reach, x + reach))
    there = np.asarray(placed)[top:, left : left + cutout.matte.shape[1]]
    assert np.array_equal(there[around], cutout.pixels[around])
    assert face.box.overlap(cutout.face.moved(left, top)) > 0.7


@pytest.mark.parametrize(
    ("placement", "param"),
    [({"x": -0.1}, "placement.x"), ({"x": float("nan")}, "placement.x"), ({"size": 0.0}, "placement.size")],
)
def test_placements_out_of_range_are_refused(placement: dict[str, float], param: str):
    with pytest.raises(InvalidRequest) as refused:
        Placement(**placement)
    assert refused.value.param == param


def test_a_face_that_would_be_cut_off_or_coarse_is_refused(cutout: Cutout):
    background = Image.new("RGB", (2000, 2000))
    for placement, param in ((Placement(x=0.01, size=0.4), "placement"), (Placement(size=0.9), "placement.size")):
        with pytest.raises(InvalidRequest) as refused:
            compose(cutout, background, placement)
        assert refused.value.param == param
    with pytest.raises(InvalidRequest) as refused:
        compose(cutout, background, blend=1.5)
    assert refused.value.param == "face_blend"


def test_inpainting_may_repaint_all_but_the_person(cutout: Cutout):
    start, mask = placed_mask(cutout, 512, 512)
    assert start.size == mask.size == (512, 512)
    assert mask.getpixel((0, 0)) == 255 and mask.getpixel((256, 500)) == 0
