"""The service over HTTP: OpenAI's shapes, errors in its envelope."""

import base64
import io
import json
import zipfile
import zlib
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image
from starlette.testclient import TestClient

from tests.unit.ml_image.test_families import difference, photo

WANTED = {"prompt": "a red cat", "size": "64x64", "steps": 2, "seed": 3}


@pytest.fixture
def client(tiny: Any, serve: Any) -> TestClient:
    return serve(tiny())


def picture_of(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text)))


def png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def events(text: str) -> list[tuple[str, Any]]:
    blocks = [block.split("\n") for block in text.strip().split("\n\n")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]


def test_generations(client: TestClient) -> None:
    answer = client.post("/v1/images/generations", json=WANTED | {"n": 2}).json()
    assert (answer["model"], answer["size"], answer["output_format"]) == ("tiny", "64x64", "png")
    first, second = answer["data"]
    assert (first["seed"], second["seed"]) == (3, 4)
    pictures = [picture_of(one["b64_json"]) for one in answer["data"]]
    assert [picture.size for picture in pictures] == [(64, 64)] * 2
    assert difference(*pictures) > 1
    again = client.post("/v1/images/generations", json=WANTED | {"seed": 4}).json()["data"][0]
    assert difference(picture_of(again["b64_json"]), pictures[1]) <= 1, "each counts on from the seed"


@pytest.mark.parametrize(("encoding", "kind"), [("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WEBP")])
def test_output_formats(client: TestClient, encoding: str, kind: str) -> None:
    answer = client.post("/v1/images/generations", json=WANTED | {"output_format": encoding}).json()
    assert picture_of(answer["data"][0]["b64_json"]).format == kind


def test_a_stream_shows_pictures_on_the_way(client: TestClient) -> None:
    body = WANTED | {"steps": 4, "stream": True, "partial_images": 2, "n": 2}
    answer = client.post("/v1/images/generations", json=body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    told = events(answer.text)
    assert [name for name, _ in told] == [event["type"] for _, event in told]
    each = ["image_generation.partial_image"] * 2 + ["image_generation.completed"]
    assert [name for name, _ in told] == each * 2
    assert [event["partial_image_index"] for name, event in told if "partial" in name] == [0, 1, 0, 1]
    whole = client.post("/v1/images/generations", json=WANTED | {"steps": 4, "n": 2}).json()["data"]
    ends = [event["b64_json"] for name, event in told if "completed" in name]
    assert [difference(picture_of(a), picture_of(b["b64_json"])) <= 1 for a, b in zip(ends, whole, strict=True)] == [
        True
    ] * 2


def test_edits_keep_what_the_mask_leaves(client: TestClient) -> None:
    picture = photo(96, 64)
    mask = Image.new("RGBA", picture.size, (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (0, 0, 48, 64))
    files = {"image": ("a.png", png(picture)), "mask": ("m.png", png(mask))}
    answer = client.post("/v1/images/edits", data={"prompt": "a hat", "steps": "3", "seed": "1"}, files=files).json()
    made = picture_of(answer["data"][0]["b64_json"])
    assert made.size == picture.size and answer["size"] == "96x64"
    right, left = (48, 0, 96, 64), (0, 0, 48, 64)
    assert difference(made.crop(right), picture.crop(right)) == 0
    assert difference(made.crop(left), picture.crop(left)) > 10


def test_variations(client: TestClient) -> None:
    answer = client.post("/v1/images/variations", data={"n": "2", "seed": "5"}, files={"image": png(photo())}).json()
    made = [np.asarray(picture_of(one["b64_json"]), dtype=int) for one in answer["data"]]
    assert made[0].shape == (64, 64, 3) and (made[0] != made[1]).any()


@pytest.mark.parametrize(
    ("change", "status", "code", "param"),
    [
        ({"model": "nobody"}, 404, "model_not_found", "model"),
        ({"model": "../../etc"}, 404, "model_not_found", "model"),
        ({"model": "sdxl"}, 404, "model_not_found", "model"),
        ({"prompt": ""}, 400, None, "prompt"),
        ({"prompt": "fox " * 100}, 400, "context_length_exceeded", "prompt"),
        ({"size": "100x64"}, 400, None, "size"),
        ({"size": "4096x64"}, 400, None, "size"),
        ({"size": "big"}, 400, None, "size"),
        ({"n": 11}, 400, None, "n"),
        ({"steps": 0}, 400, None, "steps"),
        ({"steps": 1000}, 400, None, "steps"),
        ({"style": "nowhere"}, 400, None, "style"),
        ({"background": "transparent"}, 400, None, "background"),
        ({"response_format": "url"}, 400, None, "response_format"),
        ({"seed": -1}, 400, None, "seed"),
        ({"face_id": "face_1"}, 400, None, "face_id"),
    ],
)
def test_what_is_wrong_is_said(client: TestClient, change: Any, status: int, code: str | None, param: str) -> None:
    for stream in (False, True):
        answer = client.post("/v1/images/generations", json=WANTED | change | {"stream": stream})
        error = answer.json()["error"]
        assert (answer.status_code, error["param"]) == (status, param), error
        assert set(error) == {"message", "type", "param", "code"}
        assert code is None or error["code"] == code
    assert client.post("/v1/images/generations", json=WANTED).status_code == 200


def test_models(client: TestClient) -> None:
    assert "tiny" in [model["id"] for model in client.get("/v1/models").json()["data"]]
    model = client.get("/v1/models/tiny").json()
    assert (model["family"], model["dtype"], model["loaded"]) == ("StableDiffusionPipeline", "float32", True)
    assert model["parameters"] > 100_000
    assert "ml_image_pictures_total" in client.get("/metrics").text


def broken_files() -> dict[str, tuple[bytes, int]]:
    """Name -> (what is sent as a picture, the status that it gets)."""
    whole = png(photo())
    huge = bytearray(whole)
    huge[16:24] = (40_000).to_bytes(4, "big") * 2
    huge[29:33] = zlib.crc32(bytes(huge[12:29])).to_bytes(4, "big")
    frames = [Image.new("RGB", (32, 32), color) for color in ("red", "blue")]
    animated = io.BytesIO()
    frames[0].save(animated, "WEBP", save_all=True, append_images=frames[1:])
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("a.png", whole)
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    return {
        "broken": (whole[: len(whole) // 2], 400),
        "40000": (bytes(huge), 413),
        "animated": (animated.getvalue(), 400),
        "zip": (zipped.getvalue(), 400),
        "svg": (svg, 400),
        "empty": (b"", 400),
    }


@pytest.mark.parametrize("name", broken_files())
def test_hostile_files_are_refused(client: TestClient, name: str) -> None:
    data, status = broken_files()[name]
    before = psutil.Process().memory_info().rss
    for param in ("image", "mask"):
        files = {"image": ("a.png", png(photo())), param: ("b.png", data)}
        answer = client.post("/v1/images/edits", data={"prompt": "x", "steps": "1"}, files=files)
        assert (answer.status_code, answer.json()["error"]["param"]) == (status, param), answer.text
        url = f"data:image/png;base64,{base64.b64encode(data).decode()}"
        body = {"prompt": "x", "images": [{"image_url": url}]}
        assert client.post("/v1/images/edits", json=body).status_code == status
    assert psutil.Process().memory_info().rss - before < 300 * 2**20
    assert client.post("/v1/images/generations", json=WANTED).status_code == 200


def test_pictures_as_cameras_and_printers_make_them(client: TestClient) -> None:
    upright = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    photo(96, 64).save(upright, "JPEG", exif=exif)
    printed = io.BytesIO()
    photo(96, 64).convert("CMYK").save(printed, "JPEG")
    for data, size in ((upright.getvalue(), "64x96"), (printed.getvalue(), "96x64")):
        answer = client.post("/v1/images/edits", data={"prompt": "x", "steps": "2"}, files={"image": data})
        assert answer.json()["size"] == size


@pytest.mark.parametrize(
    ("image", "status", "param"),
    [
        ({"image_url": "http://127.0.0.1:1/a.png"}, 400, "images[0].image_url"),
        ({"image_url": "http://169.254.169.254/latest"}, 400, "images[0].image_url"),
        ({"image_url": "file:///etc/passwd"}, 400, "images[0].image_url"),
        ({"file_id": "file-nobody"}, 404, "images[0].file_id"),
        ({}, 400, "images[0]"),
    ],
)
def test_references_that_lead_nowhere(client: TestClient, image: Any, status: int, param: str) -> None:
    answer = client.post("/v1/images/edits", json={"prompt": "x", "images": [image]})
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param), answer.text


def test_edits_by_reference(client: TestClient) -> None:
    url = f"data:image/png;base64,{base64.b64encode(png(photo())).decode()}"
    body = {"prompt": "a hat", "images": [{"image_url": url}], "steps": 2, "seed": 1}
    by_url = client.post("/v1/images/edits", json=body).json()["data"][0]["b64_json"]
    form = {"prompt": "a hat", "steps": "2", "seed": "1"}
    by_form = client.post("/v1/images/edits", data=form, files={"image": png(photo())}).json()["data"][0]["b64_json"]
    assert difference(picture_of(by_url), picture_of(by_form)) <= 1
    two = body | {"images": [{"image_url": url}] * 2}
    assert client.post("/v1/images/edits", json=two).json()["error"]["param"] == "images"


def test_masks_that_say_nothing_are_refused(client: TestClient) -> None:
    for mask in (Image.new("RGB", (64, 64)), Image.new("RGBA", (64, 64), (0, 0, 0, 255)), Image.new("RGBA", (32, 64))):
        files = {"image": png(photo()), "mask": png(mask)}
        answer = client.post("/v1/images/edits", data={"prompt": "x"}, files=files)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "mask")
