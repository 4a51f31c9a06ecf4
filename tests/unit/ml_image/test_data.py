"""What users bring: every layout, and what is said of what cannot be read."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ml_image.data import buckets, captioned, latents, tokenizer
from ml_image.data.attributes import ATTRIBUTES, named, truth
from ml_image.data.captioned import Captioned
from ml_image.data.pictures import Brought
from shared import scenes
from shared.errors import InvalidRequest
from shared.pictures import encode_picture
from shared.scenes.landscape import Landscape
from shared.scenes.pattern import Pattern
from tests.unit.ml_image.training import write_folder


def write_rows(file: Path, *rows: object) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_three_layouts_read_the_same(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "a", 2)
    read = captioned.read([folder])
    assert [row.caption for row in read] == ["picture 0", "picture 1"]
    inline = [
        {"image": "data:image/png;base64," + base64.b64encode(row.open_bytes()).decode(), "text": row.caption}
        for row in read
    ]
    from_file = captioned.read([write_rows(tmp_path / "rows.jsonl", *inline)])
    assert captioned.digest(from_file) == captioned.digest(read)
    (folder / "metadata.jsonl").unlink()
    for number in range(2):
        (folder / f"{number}.txt").write_text(f"picture {number}\n")
    assert captioned.digest(captioned.read([folder])) == captioned.digest(read)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"file_name": "gone.png", "text": "x"}, "row 2: there is no file 'gone.png'"),
        ({"file_name": "../a.png", "text": "x"}, "row 2: file_name '../a.png' leads out of the folder"),
        ({"file_name": "0.png"}, "row 2: a row has its caption in text or caption or prompt"),
        ({"file_name": "broken.png", "text": "x"}, "row 2: not a picture that can be read"),
        ({"image": "http://host/a.png", "text": "x"}, "row 2: image is a data URL"),
        ({"image": "data:image/png;base64,?", "text": "x"}, "row 2: image is not base64"),
        ([1], "row 2: a row is an object, not list"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, row: object, message: str) -> None:
    folder = write_folder(tmp_path / "a", 1)
    (folder / "broken.png").write_bytes(b"PK\x03\x04 no picture")
    with (folder / "metadata.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")
    with pytest.raises(InvalidRequest, match=r"metadata\.jsonl, ") as caught:
        captioned.read([folder])
    assert message in str(caught.value)
    assert caught.value.param == "dataset"
    skipped = captioned.Skipped()
    assert len(captioned.read([folder], skipped=skipped)) == skipped.count == 1


def test_an_empty_folder_says_what_it_may_hold(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"a folder has metadata\.jsonl, a \.txt beside each picture"):
        captioned.read([tmp_path])
    with pytest.raises(InvalidRequest, match="No such file"):
        captioned.read([tmp_path / "gone.jsonl"])


def test_buckets_have_the_area_and_cut_little() -> None:
    among = buckets.sizes(512)
    assert among[0] == (512, 512)
    assert all(width % 64 == height % 64 == 0 for width, height in among)
    assert all(0.85 < width * height / 512**2 < 1.2 for width, height in among)
    assert buckets.nearest(1920, 1080, among) == (704, 384)
    marked = Image.new("RGB", (200, 100), "white")
    marked.paste("red", (90, 0, 110, 100))
    assert np.asarray(buckets.fit(marked, (64, 64)))[32, 32].tolist()[0] > 200
    assert buckets.fit(marked, (64, 64)).shape == (64, 64, 3)


def test_tokenizer_knows_every_word(tmp_path: Path) -> None:
    made = tokenizer.train(["a red shoe on a table"] * 20, 560, 8, tmp_path)
    (ids,) = tokenizer.encode(made, ["a red shoe, ünïcode"])
    assert len(ids) == 8
    assert ids[0] == made.bos_token_id
    assert made.decode(tokenizer.encode(made, ["red shoe"])[0], skip_special_tokens=True).strip() == "red shoe"


def test_named_attributes_are_those_of_the_caption() -> None:
    scene = Landscape(1, "day", "ocean", "boat", "red", "left", "sun", "right", "balloon", "blue")
    told = named(scene, "a red boat on the left on the sea on a sunny day")
    assert {key.partition(".")[2]: value[0] for key, value in told.items()} == {
        "terrain": "ocean",
        "time": "day",
        "thing": "boat",
        "thing_color": "red",
        "thing_place": "left",
    }
    assert named(scene, "the ocean in daylight with the sun")["Landscape.body"] == ("sun",)
    assert truth(Pattern(1, "dots", "red", "blue"))["Pattern.colors"] == ("red", "blue")


def test_every_true_value_is_one_that_can_be_answered() -> None:
    import random

    known = {attribute.key: attribute.values for attribute in ATTRIBUTES}
    for number in range(300):
        for key, values in truth(scenes.sample(random.Random(number))).items():
            assert set(values) <= set(known[key])


def test_pictures_are_encoded_once_by_shape(tmp_path: Path) -> None:
    shapes = [(64, 32), (32, 64), (64, 32)]
    rows = [Captioned(f"{size}", "row", encode_picture(Image.new("RGB", size))) for size in shapes]
    pictures = Brought(rows, shapes)
    asked: list[tuple[int, ...]] = []

    def encode(pixels: torch.Tensor) -> torch.Tensor:
        asked.append(tuple(pixels.shape))
        return torch.nn.functional.avg_pool2d(pixels, 8)

    def number() -> np.ndarray:
        return np.array([[[place], [9]] for place in range(3)], np.int32)

    for _ in range(2):
        prepared = latents.prepare(pictures, encode, number, tmp_path / "latents")
        batch = prepared.batch(np.array([0, 1, 2]))
        assert {name: tuple(value.shape) for name, value in batch.items()} == {
            "latents_4x8": (2, 3, 4, 8),
            "ids_4x8": (2, 2, 1),
            "latents_8x4": (1, 3, 8, 4),
            "ids_8x4": (1, 2, 1),
        }
        assert batch["ids_4x8"][:, 0, 0].tolist() == [0, 2] and batch["ids_8x4"][:, 0, 0].tolist() == [1]
    assert sorted(asked) == [(1, 3, 64, 32), (2, 3, 32, 64)]
