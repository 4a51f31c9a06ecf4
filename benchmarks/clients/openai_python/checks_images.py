"""Pictures: generated, edited, varied; left out where the suite offers none."""

import base64
import io
import struct
import warnings
import zlib

import openai
import pytest

MODEL = "starter-image"
SMALL = "128x128"


@pytest.fixture(autouse=True)
def offered(client: openai.OpenAI) -> None:
    if MODEL not in [model.id for model in client.models.list()]:
        pytest.skip("no image service runs")


def png(pixel: bytes, side: int = 128) -> bytes:
    """One color, RGB or RGBA, without a library: this environment has OpenAI's client alone."""
    kind = 6 if len(pixel) == 4 else 2

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", side, side, 8, kind, 0, 0, 0)
    rows = zlib.compress((b"\0" + pixel * side) * side)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def size_of(b64: str | None) -> tuple[int, int]:
    data = base64.b64decode(b64 or "")
    assert data.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def test_generate(client: openai.OpenAI):
    answer = client.images.generate(model=MODEL, prompt="a red cup on a table", size=SMALL, n=2)
    assert answer.data and [size_of(image.b64_json) for image in answer.data] == [(128, 128)] * 2
    assert answer.created and answer.size == SMALL


def test_generate_streamed(client: openai.OpenAI):
    stream = client.images.generate(model=MODEL, prompt="a red cup", size=SMALL, stream=True, partial_images=1)
    kinds = [event.type for event in stream]
    assert kinds[-1] == "image_generation.completed" and set(kinds[:-1]) <= {"image_generation.partial_image"}


def test_generate_as_a_url(client: openai.OpenAI):
    answer = client.images.generate(model=MODEL, prompt="a red cup", size=SMALL, response_format="url")
    assert answer.data and answer.data[0].url and answer.data[0].url.startswith("http")


def test_edit(client: openai.OpenAI):
    photo = io.BytesIO(png(b"\xc8\x1e\x1e"))
    photo.name = "cup.png"
    answer = client.images.edit(
        model=MODEL, image=photo, mask=("mask.png", png(b"\0\0\0\0")), prompt="a blue cup", size=SMALL
    )
    assert answer.data and size_of(answer.data[0].b64_json) == (128, 128)


def test_vary(client: openai.OpenAI):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        answer = client.images.create_variation(model=MODEL, image=png(b"\xc8\x1e\x1e"))
    assert answer.data and answer.data[0].b64_json


def test_bad_pictures(client: openai.OpenAI):
    with pytest.raises(openai.BadRequestError) as refused:
        client.images.edit(model=MODEL, image=("x.png", b"no picture"), prompt="x")
    assert refused.value.param == "image"
