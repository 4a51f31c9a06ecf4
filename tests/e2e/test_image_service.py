"""OpenAI's client, gateway and image service as processes, with a tiny pipeline of random weights behind them."""

import base64
import io
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from PIL import Image

from shared import registry
from tests.contract.test_production import free_port, gateway_process
from tests.contract.upstream_images import picture
from tests.unit.ml_image import pipelines

pytestmark = pytest.mark.slow
SMALL: dict[str, Any] = {"model": "tiny", "size": "96x64"}
STEPS: dict[str, Any] = {"steps": 3, "seed": 7}


@contextmanager
def image_service(data_dir: Path) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "ml_image.serve", "--model", "tiny", "--port", str(port)]
    env = os.environ | {"DATA_DIR": str(data_dir), "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    log = (data_dir / "image.log").open("w+")
    with log, subprocess.Popen(command, env=env, stdout=log, stderr=subprocess.STDOUT) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            deadline = time.monotonic() + 240
            while not ready(url):
                assert process.poll() is None and time.monotonic() < deadline, (data_dir / "image.log").read_text()
                time.sleep(0.2)
            yield url
        finally:
            process.terminate()


def ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ready", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[openai.OpenAI]:
    folder = tmp_path_factory.mktemp("data")
    made = pipelines.save(tmp_path_factory.mktemp("models") / "tiny", "StableDiffusionPipeline")
    registry.publish(folder, "tiny", made, {"service": "image"})
    with (
        image_service(folder) as url,
        gateway_process(folder, ML_IMAGE_URL=url, MODEL_IMAGE="tiny") as gateway,
        openai.OpenAI(
            base_url=f"{gateway.url}/v1", api_key="none", max_retries=0, _strict_response_validation=True
        ) as client,
    ):
        yield client


def opened(b64: str | None) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(b64 or ""))).convert("RGB")


def test_one_seed_is_one_picture(client: openai.OpenAI) -> None:
    made = [client.images.generate(prompt="a red cup", n=2, **SMALL, extra_body=STEPS) for _ in range(2)]
    pictures = [[image.b64_json for image in answer.data or []] for answer in made]
    assert pictures[0] == pictures[1] and pictures[0][0] != pictures[0][1]
    assert opened(pictures[0][0]).size == (96, 64) and (made[0].model_extra or {})["model"] == "tiny"


def test_a_stream_ends_with_the_picture(client: openai.OpenAI) -> None:
    whole = client.images.generate(prompt="a red cup", **SMALL, extra_body=STEPS)
    stream = client.images.generate(prompt="a red cup", **SMALL, stream=True, partial_images=1, extra_body=STEPS)
    events = list(stream)
    assert [event.type.split(".")[1] for event in events] == ["partial_image", "completed"]
    assert whole.data and events[-1].b64_json == whole.data[0].b64_json


def test_what_the_mask_leaves_stays(client: openai.OpenAI) -> None:
    photo, keep = picture((200, 30, 30), size=(96, 64)), Image.new("RGBA", (96, 64), (0, 0, 0, 255))
    keep.paste((0, 0, 0, 0), (0, 0, 48, 64))
    mask = io.BytesIO()
    keep.save(mask, "PNG")
    answer = client.images.edit(
        image=("a.png", photo), mask=("m.png", mask.getvalue()), prompt="blue", **SMALL, extra_body=STEPS
    )
    assert answer.data
    made = opened(answer.data[0].b64_json)
    assert made.crop((48, 0, 96, 64)).getcolors() == [(48 * 64, (200, 30, 30))]
    assert made.crop((0, 0, 46, 64)).getcolors() != [(46 * 64, (200, 30, 30))]


def test_variations_and_addresses(client: openai.OpenAI) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        answer = client.images.create_variation(
            image=("a.png", picture(size=(96, 64))), model="tiny", response_format="url", extra_body={"seed": 1}
        )
    assert answer.data and answer.data[0].url
    found = httpx.get(answer.data[0].url)
    assert found.status_code == 200 and found.headers["content-type"] == "image/png"


def test_what_the_service_refuses_comes_through(client: openai.OpenAI) -> None:
    for more, param in (({"style": "nobody knows"}, "style"), ({"steps": 999}, "steps"), ({"steps": 0}, "steps")):
        with pytest.raises(openai.BadRequestError) as refused:
            client.images.generate(prompt="x", **SMALL, extra_body=more)
        assert refused.value.param == param
    with pytest.raises(openai.NotFoundError) as missing:
        client.images.generate(prompt="x", model="nope")
    assert missing.value.code == "model_not_found"


def test_models_say_what_they_are(client: openai.OpenAI) -> None:
    assert "tiny" in [model.id for model in client.models.list()]
    assert (client.models.retrieve("tiny").model_extra or {})["family"]
