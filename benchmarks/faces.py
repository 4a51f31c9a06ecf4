"""The real face in made pictures: is it kept, is it cut out well, does it look pasted, and what does it cost.

python -m benchmarks.faces [--photo astronaut|hopper] [--sheet shared/faces/sheet.webp]

Every photograph of a person that ships in a package that the project already has, and variations of it: size, light,
format and position. The masks were drawn by hand, corner by corner, over the enlarged photographs.

"straight px" is the longest exactly vertical or horizontal run of the pasted outline; the goal of 40 px finds pastes
that the photo's frame has cut. "own px" beside it is the same figure of the mask drawn by hand, in the same size and
without the photo's frame: people have straight edges too (the side of the officer's hat is upright for 34 px, 53 px
in the scene), and no matte can be asked to be less straight than the person.
"""

import argparse
import io
import json
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image
from skimage.metrics import structural_similarity

from benchmarks.machine import describe, table
from shared.faces import Box, Cutout, Placement, compose, cut_out, find_faces, load_cutout, save_cutout
from shared.faces.cutout import ABOVE, BELOW, BESIDE, find_bust
from shared.faces.place import Placed, place
from shared.faces.types import Floats, Pixels
from shared.pictures import read_picture
from shared.scenes import render, sample

SIDE = 1024
MASKS: dict[str, list[tuple[float, float]]] = json.loads(Path(__file__).with_suffix(".json").read_text())
"""Outlines as (x, y) in px of the photograph."""
Row = dict[str, object]


@dataclass(frozen=True)
class Upload:
    name: str
    data: bytes
    scale: float = 1.0  # of the mask


def photographs() -> dict[str, Image.Image]:
    hopper = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    return {"astronaut": Image.fromarray(skimage.data.astronaut()), "hopper": Image.open(hopper).convert("RGB")}


def uploads(photo: Image.Image) -> Iterator[Upload]:
    def encoded(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
        out = io.BytesIO()
        image.save(out, format, **options)
        return out.getvalue()

    turned = Image.Exif()
    turned[0x0112] = 6
    yield Upload("as it is", encoded(photo))
    for scale in (0.6, 1.5, 3.0):
        size = (round(photo.width * scale), round(photo.height * scale))
        yield Upload(f"size x{scale}", encoded(photo.resize(size, Image.Resampling.LANCZOS)), scale)
    yield Upload("dark", encoded(photo.point(lambda value: value * 0.5)))
    yield Upload("bright", encoded(photo.point(lambda value: value * 0.85 + 38)))
    yield Upload("warm", encoded(Image.merge("RGB", [c.point(lambda v, g=g: v * g) for c, g in warm(photo)])))
    yield Upload("jpeg 85", encoded(photo, "JPEG", quality=85))
    yield Upload("webp 85", encoded(photo, "WEBP", quality=85))
    yield Upload("cmyk jpeg", encoded(photo.convert("CMYK"), "JPEG", quality=95))
    yield Upload("turned by exif", encoded(photo.transpose(Image.Transpose.ROTATE_90), "PNG", exif=turned))


def warm(photo: Image.Image) -> list[tuple[Image.Image, float]]:
    return list(zip(photo.split(), (1.0, 0.85, 0.65), strict=True))


def drawn_mask(name: str, upload: Upload, photo: Image.Image) -> Pixels:
    """(H, W) of the upload: 1 on the person, as drawn by hand."""
    mask = np.zeros((photo.height, photo.width), np.uint8)
    cv2.fillPoly(mask, [np.round(np.array(MASKS[name]) * upload.scale * 16).astype(np.int32)], (1,), shift=4)
    return mask


def overlap(hand: Pixels, face: Box, cutout: Cutout) -> float:
    """IoU of matte and hand-drawn mask, in the part of the photo that the cut-out takes."""
    rows = slice(max(0, round(face.center_y - ABOVE * face.height)), round(face.center_y + BELOW * face.height))
    columns = slice(max(0, round(face.center_x - BESIDE * face.width)), round(face.center_x + BESIDE * face.width))
    scale = cutout.face.width / face.width  # below 1 where the upload was larger than what is kept
    found = np.zeros_like(hand)
    size = (round(cutout.matte.shape[1] / scale), round(cutout.matte.shape[0] / scale))
    left, top = (face.left - cutout.face.left / scale, face.top - cutout.face.top / scale)
    part = cv2.resize(cutout.matte, size) > 0.5
    part = part[: found.shape[0] - round(top), : found.shape[1] - round(left)]
    found[round(top) : round(top) + part.shape[0], round(left) : round(left) + part.shape[1]] = part
    drawn, cut = hand[rows, columns] > 0, found[rows, columns] > 0
    return float((drawn & cut).sum() / (drawn | cut).sum())


def kept(cutout: Cutout, picture: Image.Image, placement: Placement) -> tuple[float, int]:
    """SSIM of the inner face, and its largest difference, between the scaled upload and the picture."""
    placed = place(cutout, picture.width, picture.height, placement)
    made = np.asarray(picture)[placed.where]
    own = np.clip(placed.pixels + 0.5, 0, 255).astype(np.uint8)
    similar = structural_similarity(own, made, channel_axis=2, full=True)[-1]
    return float(similar.mean(2)[placed.core > 0].mean()), int(np.abs(own.astype(int) - made)[placed.core > 0].max())


def step(picture: Pixels, matte: Floats) -> float:
    """Mean color difference (Lab) across the matte's edge: from 3 px inside to 3 px outside, along its normal."""
    lab = cv2.GaussianBlur(cv2.cvtColor(picture.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2LAB), (0, 0), 1)
    smooth = cv2.GaussianBlur(matte, (0, 0), 2)
    across, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    ys, xs = np.where((np.abs(matte - 0.5) < 0.3) & (np.hypot(across, down) > 1e-3))
    length = np.hypot(across, down)[ys, xs]
    dx, dy = across[ys, xs] / length * 3, down[ys, xs] / length * 3
    inside = (ys + dy > 0) & (ys + dy < matte.shape[0] - 1) & (xs + dx > 0) & (xs + dx < matte.shape[1] - 1)
    inside &= (ys - dy > 0) & (ys - dy < matte.shape[0] - 1) & (xs - dx > 0) & (xs - dx < matte.shape[1] - 1)
    ys, xs, dx, dy = ys[inside], xs[inside], dx[inside], dy[inside]
    there, here = lab[(ys + dy).astype(int), (xs + dx).astype(int)], lab[(ys - dy).astype(int), (xs - dx).astype(int)]
    return float(np.linalg.norm(there - here, axis=1).mean())


def pasted_outline(placed: Placed) -> NDArray[np.bool_]:
    """(H, W): whether it is the person, with the picture around her except where the picture ends."""
    columns = placed.where[1]
    return np.pad(placed.matte > 0.5, ((1, 0), (int(columns.start > 0), int(columns.stop < SIDE))))


def own_outline(hand: Pixels, face: Box, placed: Placed) -> NDArray[np.bool_]:
    """The hand-drawn mask as large as the person was placed; the photo's frame is the array's border."""
    part, there = find_bust(hand, face)
    scale = placed.face.width / there.width
    return cv2.resize(part.astype(np.float32), None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR) > 0.5


def straight_run(inside: NDArray[np.bool_]) -> int:
    """The longest exactly vertical or horizontal stretch of an outline, in px; the array's borders do not count."""
    longest = 0
    for mask in (inside, inside.T):
        edge = mask[:, 1:] != mask[:, :-1]
        for line in edge.T:
            runs = np.diff(np.where(np.concatenate(([True], ~line, [True])))[0]) - 1
            longest = max(longest, int(runs.max(initial=0)))
    return longest


def measure(name: str, upload: Upload, chance: random.Random) -> tuple[Row, Image.Image]:
    photo = read_picture(upload.data)
    began = time.process_time()
    cutout = cut_out(photo)
    cut_s = time.process_time() - began
    stored = io.BytesIO()
    save_cutout(cutout, stored)
    cutout = load_cutout(io.BytesIO(stored.getvalue()))
    placement, blend = Placement(x=chance.choice((0.3, 0.5, 0.7))), chance.choice((0.3, 0.7, 1.0))
    background = render(sample(chance), SIDE, SIDE).image
    began = time.process_time()
    picture = compose(cutout, background, placement, blend)
    compose_s = time.process_time() - began
    face = find_faces(photo)[0].box
    uploaded = replace(cutout, pixels=photo_part(photo, face, cutout))
    similar, off = kept(uploaded, picture, placement)
    placed = place(cutout, SIDE, SIDE, placement)
    expected = placed.face.moved(placed.where[1].start, placed.where[0].start)
    found = any(one.box.overlap(expected) > 0.5 for one in find_faces(picture))
    own = place(cutout, cutout.matte.shape[1], cutout.matte.shape[0], Placement(own_x(cutout), 1.0))
    pasted = step(np.asarray(picture)[placed.where], placed.matte)
    hand = drawn_mask(name, upload, photo)
    row: Row = {
        "photo": name,
        "upload": upload.name,
        "SSIM": f"{similar:.4f}",
        "off": off,
        "found again": "yes" if found else "no",
        "IoU": f"{overlap(hand, face, cutout):.3f}",
        "step": f"{pasted / step(uploaded.pixels, own.matte):.2f}",
        "straight px": straight_run(pasted_outline(placed)),
        "own px": straight_run(own_outline(hand, face, placed)),
        "cut s": f"{cut_s:.1f}",
        "compose s": f"{compose_s:.1f}",
    }
    return row, picture


def own_x(cutout: Cutout) -> float:
    return cutout.face.center_x / cutout.matte.shape[1]


def photo_part(photo: Image.Image, face: Box, cutout: Cutout) -> Pixels:
    """What the photo shows where the cut-out lies, in the cut-out's size."""
    part, there = find_bust(np.asarray(photo.convert("RGB")), face)
    left, top = round(there.left - cutout.face.left), round(there.top - cutout.face.top)
    height, width = cutout.matte.shape
    return part[top : top + height, left : left + width]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photo", choices=sorted(MASKS), help="only this one")
    parser.add_argument("--sheet", type=Path, help="write a sheet of results there")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    print(describe())
    rows, made = list[Row](), list[Image.Image]()
    for name, photo in photographs().items():
        if args.photo not in (None, name):
            continue
        chance = random.Random(name)
        for upload in uploads(photo):
            row, picture = measure(name, upload, chance)
            rows.append(row)
            made.append(picture)
            print(*row.values(), flush=True)
    print(table(list(rows[0]), [list(row.values()) for row in rows]))
    if args.sheet:
        sheet = Image.new("RGB", (4 * 400, 2 * 400), "white")
        shown = made[:: max(1, len(made) // 8)][:8]
        for number, picture in enumerate(shown):
            sheet.paste(picture.resize((400, 400)), (number % 4 * 400, number // 4 * 400))
        sheet.save(args.sheet, quality=88)
    return 0


if __name__ == "__main__":
    sys.exit(main())
