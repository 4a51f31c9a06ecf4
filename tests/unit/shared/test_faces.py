"""The real face in made pictures: found, cut out, stored and placed with its own pixels."""

import io
from collections.abc import Iterator
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageFilter

from shared.errors import InvalidRequest
from shared.faces import (
    Cutout,
    Placement,
    choose_face,
    compose,
    cut_out,
    find_faces,
    load_cutout,
    placed_mask,
    save_cutout,
)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


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


def test_the_inner_face_keeps_its_pixels_and_is_found_again(astronaut: Image.Image, cutout: Cutout):
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
    (taken,) = find_faces(astronaut)
    right, down = round(taken.box.left - cutout.face.left), round(taken.box.top - cutout.face.top)
    photo = np.asarray(astronaut)[down:, right:]
    assert np.array_equal(there[around], photo[around])
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
    for placement, param in ((Placement(x=0.01, size=0.3), "placement"), (Placement(size=0.9), "placement.size")):
        with pytest.raises(InvalidRequest) as refused:
            compose(cutout, background, placement)
        assert refused.value.param == param
    with pytest.raises(InvalidRequest) as refused:
        compose(cutout, background, blend=1.5)
    assert refused.value.param == "face_blend"


@pytest.mark.parametrize("size", [(1, 1), (3000, 1), (1, 3000), (16, 16)])
def test_a_picture_without_room_for_a_face_is_refused(cutout: Cutout, size: tuple[int, int]):
    with pytest.raises(InvalidRequest) as refused:
        compose(cutout, Image.new("RGB", size))
    assert refused.value.param == "placement"


def test_a_picture_like_a_ribbon_takes_a_face(cutout: Cutout):
    made = compose(cutout, Image.new("RGB", (40_000, 60), (30, 90, 160)))
    assert made.size == (40_000, 60) and np.asarray(made)[50, 20_000].tolist() != [30, 90, 160]


def test_inpainting_may_repaint_all_but_the_person(cutout: Cutout):
    start, mask = placed_mask(cutout, 512, 512)
    assert start.size == mask.size == (512, 512)
    assert mask.getpixel((0, 0)) == 255 and mask.getpixel((256, 500)) == 0


def refusal(photo: Image.Image, index: int | None = None) -> str | None:
    with pytest.raises(InvalidRequest) as refused:
        choose_face(photo, index)
    return refused.value.code


def test_photos_without_a_usable_face_say_why(astronaut: Image.Image):
    head = astronaut.crop((110, 0, 350, 260))  # the face is 97 px wide
    assert refusal(Image.fromarray(skimage.data.chelsea())) == "no_face_found"  # a cat
    assert refusal(Image.new("RGB", (300, 300), "white")) == "no_face_found"
    assert refusal(Image.fromarray(skimage.data.camera())) == "face_turned"
    for width in (40, 49, 54, 60):  # faces of 16, 20, 22 and 24 px
        assert refusal(head.resize((width, width * 13 // 12), Image.Resampling.LANCZOS)) == "face_too_small"
    for size in ((1, 1), (3000, 1), (1, 3000)):
        assert refusal(Image.new("RGB", size)) == "no_face_found"
    assert refusal(head.resize((96, 104), Image.Resampling.LANCZOS)) == "face_too_small"
    assert refusal(head.filter(ImageFilter.GaussianBlur(3))) == "face_blurred"
    assert refusal(head.filter(ImageFilter.MedianFilter(7)).quantize(8).convert("RGB")) == "face_drawn"


def test_one_of_several_faces_is_chosen_by_index(astronaut: Image.Image):
    head = astronaut.crop((110, 0, 350, 260))
    two = Image.new("RGB", (500, 260))
    two.paste(head, (0, 0))
    two.paste(head.resize((180, 195)), (280, 40))
    assert refusal(two) == "several_faces"
    assert refusal(two, 2) == refusal(two, -1) == "no_such_face"
    first, second = choose_face(two, 0).box, choose_face(two, 1).box
    assert first.width > second.width and first.center_x < 240 < second.center_x


def test_the_matte_has_the_person_and_nothing_else(cutout: Cutout):
    """Places in the photo: hair, collar and suit; the wall between hair and collar, the flag, the rocket."""
    left, top = 177 - cutout.face.left, 66 - cutout.face.top

    def at(x: int, y: int) -> float:
        row, column = round(y - top), round(x - left)
        inside = 0 <= row < cutout.matte.shape[0] and 0 <= column < cutout.matte.shape[1]
        return float(cutout.matte[row, column]) if inside else 0.0

    for x, y in ((225, 120), (165, 70), (290, 70), (230, 25), (130, 200), (298, 225), (220, 280), (100, 260)):
        assert at(x, y) > 0.9, (x, y)
    for x, y in ((140, 100), (330, 100), (150, 130), (320, 200), (60, 150), (420, 100), (230, 5)):
        assert at(x, y) < 0.1, (x, y)


def test_a_photo_that_is_all_face_is_rounded_off(astronaut: Image.Image):
    tight = cut_out(astronaut.crop((172, 55, 282, 175)))
    for straight in (tight.matte[:, 0], tight.matte[:, -1], tight.matte[0]):
        assert (straight > 0.5).mean() < 0.25
    assert tight.matte[round(tight.face.center_y), round(tight.face.center_x)] == 1


def test_the_same_photo_gives_the_same_cutout(astronaut: Image.Image, cutout: Cutout):
    again = cut_out(astronaut)
    assert np.array_equal(again.matte, cutout.matte) and np.array_equal(again.pixels, cutout.pixels)


def test_what_is_no_stored_cutout_is_refused():
    file = io.BytesIO()
    Image.new("RGBA", (9, 9)).save(file, "PNG")
    with pytest.raises(ValueError, match="cut-out"):
        load_cutout(io.BytesIO(file.getvalue()))


def test_a_grainy_photo_does_not_tear_the_edge():
    file = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    photo = Image.open(file).convert("RGB")
    cutout = cut_out(photo)
    matte = cutout.matte
    box, row = find_faces(photo)[0].box, round(cutout.face.center_y)  # the face itself is the photo's, cheek to cheek
    away = round(box.left - cutout.face.left), round(box.top - cutout.face.top)
    face = slice(round(cutout.face.left + 0.1 * box.width), round(cutout.face.left + 0.9 * box.width))
    assert np.array_equal(cutout.pixels[row, face], np.asarray(photo)[row + away[1], away[0] :][face])
    parts, _, sizes, _ = cv2.connectedComponentsWithStats((matte > 0.4).astype(np.uint8))
    assert sizes[1:, cv2.CC_STAT_AREA].max() > 0.99 * (matte > 0.4).sum() and parts < 12
    holes, _ = cv2.connectedComponents((matte < 0.6).astype(np.uint8))
    assert holes < 12
