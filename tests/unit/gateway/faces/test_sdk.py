"""UnifiedAI with a face, over real sockets: SDK, gateway, image service."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
import skimage.data
from PIL import Image

from gateway.client import UnifiedAI
from gateway.main import create_gateway
from gateway.settings import MODALITIES, Settings
from shared.errors import InvalidRequest
from shared.faces import find_faces
from tests.contract.upstream import serving
from tests.contract.upstream_images import IMAGE_MODELS, ImageScript


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdk")
    Image.fromarray(skimage.data.astronaut()).crop((90, 0, 370, 260)).save(folder / "me.png")
    Image.new("RGB", (400, 300), (20, 60, 90)).save(folder / "scene.jpg")
    return folder


@pytest.fixture(scope="module")
def ai(folder: Path) -> Iterator[UnifiedAI]:
    image = MODALITIES["image"]
    with serving(ImageScript("custom", size=(400, 300)).app()) as upstream:
        settings = Settings(
            data_dir=folder / "data", modalities={"image": image(urls=(upstream,), model=IMAGE_MODELS["custom"])}
        )
        with serving(create_gateway(settings)) as url, UnifiedAI(url, max_retries=0) as ai:
            yield ai


def faces(data: bytes) -> int:
    return len(find_faces(Image.open(io.BytesIO(data)).convert("RGB")))


def test_a_photo_s_person_is_in_the_picture_and_then_forgotten(ai: UnifiedAI, folder: Path):
    made = ai.generate_image("a street", face_path=folder / "me.png", face_blend=0.3)
    assert faces(made) == 1
    assert list((folder / "data" / "faces").iterdir()) == []


def test_a_kept_face_is_put_into_one_s_own_picture(ai: UnifiedAI, folder: Path):
    face_id = ai.upload_face(folder / "me.png", index=0)
    made = ai.compose_face(face_id, folder / "scene.jpg", x=0.4, size=0.9, output_format="webp", output_compression=99)
    assert faces(made) == 1 and Image.open(io.BytesIO(made)).format == "WEBP"
    ai.delete_face(face_id)
    with pytest.raises(InvalidRequest) as error:
        ai.upload_face(folder / "scene.jpg")
    assert error.value.code == "no_face_found"
