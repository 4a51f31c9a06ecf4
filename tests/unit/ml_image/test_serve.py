"""The service over HTTP: OpenAI's shapes, errors in its envelope."""

import base64
import io
import json
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from ml_image.serve import create_service
from ml_image.sources import Sources
from tests.unit.ml_image.test_families import difference, photo

WANTED = {"prompt": "a red cat", "size": "64x64", "steps": 2, "seed": 3}


@pytest.fixture
def client(tiny: Any, settings: Any) -> Iterator[TestClient]:
    made = settings(model=str(tiny()))
    sources = Sources(made)
    with TestClient(create_service(made, sources, sources.fetch(made.model).name)) as client:
        deadline = time.monotonic() + 120
        while client.get("/ready").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield client


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
