"""/v1/faces over HTTP: a photo comes in each way it may, the person comes out unchanged, bad ones are named."""

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
import skimage.data
from PIL import Image
from starlette.testclient import TestClient

from gateway.db import connect
from gateway.keys import KeyStore
from gateway.main import create_gateway
from gateway.settings import Settings
from shared.faces import Cutout, Placement, compose, cut_out

ASTRONAUT = Image.fromarray(skimage.data.astronaut()).crop((90, 0, 370, 260))
SCENE = Image.fromarray(np.indices((300, 400)).sum(0).astype(np.uint8)).convert("RGB")


def encoded(image: Image.Image, format: str = "PNG") -> bytes:
    out = io.BytesIO()
    image.save(out, format)
    return out.getvalue()


PHOTO, PICTURE = encoded(ASTRONAUT), encoded(SCENE)


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def data_url(data: bytes) -> str:
    return f"data:image/png;base64,{text(data)}"


@pytest.fixture(scope="module")
def own() -> Cutout:
    return cut_out(ASTRONAUT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def secrets(folder: Path) -> dict[str, str]:
    """Two keys' secrets; the first is the client's own."""
    keys = KeyStore(connect(folder / "gateway.db"))
    return {name: keys.create(name, {})[1] for name in ("me", "you")}


@pytest.fixture(scope="module")
def client(folder: Path, secrets: dict[str, str]) -> Iterator[TestClient]:
    with TestClient(create_gateway(Settings(data_dir=folder))) as client:
        client.headers["authorization"] = f"Bearer {secrets['me']}"
        yield client


@pytest.fixture(scope="module")
def face(client: TestClient) -> dict[str, Any]:
    answer = client.post("/v1/faces", files={"image": ("me.png", PHOTO, "image/png")})
    assert answer.status_code == 200, answer.text
    return answer.json()


def refusal(answer: Any, status: int, param: str | None) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"} and error["param"] == param, error
    return error


def made(answer: Any) -> Image.Image:
    assert answer.status_code == 200, answer.text
    return Image.open(io.BytesIO(base64.b64decode(answer.json()["data"][0]["b64_json"])))


def uploaded(client: TestClient, data: bytes) -> str:
    sent = {"file": ("a.png", data, "image/png")}
    return client.post("/v1/files", files=sent, data={"purpose": "vision"}).json()["id"]


def on_disk(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "faces").iterdir())


def test_a_face_is_shown_and_its_cutout_is_the_person(client: TestClient, face: dict[str, Any], own: Cutout):
    assert client.get(f"/v1/faces/{face['id']}").json() == face
    content = client.get(f"/v1/faces/{face['id']}/content")
    assert content.headers["content-type"] == "image/png" and content.headers["cache-control"] == "no-store"
    assert len(content.content) == face["bytes"]
    image = Image.open(io.BytesIO(content.content))
    assert (image.mode, image.size) == ("RGBA", (face["width"], face["height"]))
    assert np.array_equal(np.asarray(image)[..., :3], own.pixels)
    assert (own.face.left, own.face.width) == (face["box"]["left"], face["box"]["width"])


@pytest.mark.parametrize("way", ["image", "file_id"])
def test_a_photo_comes_in_as_json_too_and_goes_again(client: TestClient, folder: Path, way: str):
    body = {"image": text(PHOTO)} if way == "image" else {"file_id": uploaded(client, PHOTO)}
    answer = client.post("/v1/faces", json=body | {"index": 0})
    assert answer.status_code == 200, answer.text
    found = answer.json()["id"]
    pixels = (folder / "faces" / found).read_bytes()
    assert client.delete(f"/v1/faces/{found}").json() == {"id": found, "object": "face", "deleted": True}
    refusal(client.get(f"/v1/faces/{found}/content"), 404, "face_id")
    left = b"".join(path.read_bytes() for path in folder.glob("gateway.db*"))
    assert found not in on_disk(folder) and not any(pixels[at : at + 64] in left for at in range(0, len(pixels), 997))


def test_faces_are_listed_by_pages(client: TestClient, face: dict[str, Any]):
    page = client.get("/v1/faces", params={"limit": 1, "order": "asc"}).json()
    assert (page["data"], page["has_more"], page["first_id"], page["last_id"]) == (
        [face],
        False,
        face["id"],
        face["id"],
    )
    assert client.get("/v1/faces", params={"after": face["id"], "order": "asc"}).json()["data"] == []
    refusal(client.get("/v1/faces", params={"after": "none"}), 404, "after")


def test_another_key_finds_no_face(client: TestClient, secrets: dict[str, str], face: dict[str, Any]):
    you = {"authorization": f"Bearer {secrets['you']}"}
    for method, path in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
        answer = client.request(method, f"/v1/faces/{face['id']}{path}", headers=you)
        assert refusal(answer, 404, "face_id")["code"] == "face_not_found"
    body = {"face_id": face["id"], "image": text(PICTURE)}
    refusal(client.post("/v1/faces/compose", json=body, headers=you), 404, "face_id")
    assert client.get("/v1/faces", headers=you).json()["data"] == []
    assert client.get("/v1/faces", headers={"authorization": "Bearer none"}).status_code == 401


def two_people() -> Image.Image:
    both = Image.new("RGB", (560, 260))
    both.paste(ASTRONAUT, (0, 0))
    both.paste(ASTRONAUT, (280, 0))
    return both


@pytest.mark.parametrize(
    ("photo", "more", "status", "param", "code"),
    [
        (PICTURE, {}, 400, "image", "no_face_found"),
        (encoded(two_people()), {}, 400, "index", "several_faces"),
        (PHOTO, {"index": "3"}, 400, "index", "no_such_face"),
        (PHOTO, {"index": "-1"}, 400, "index", None),
        (PHOTO, {"index": "first"}, 400, "index", None),
        (encoded(ASTRONAUT.resize((100, 100))), {}, 400, "image", None),
        (PHOTO[:20_000], {}, 400, "image", "invalid_image"),
        (b"PK\x03\x04 a zip", {}, 400, "image", "invalid_image"),
        (b"<svg onload='alert(1)'/>", {}, 400, "image", "invalid_image"),
        (b"", {}, 400, "image", "empty_file"),
    ],
)
def test_photos_that_cannot_be_used(
    client: TestClient, folder: Path, photo: bytes, more: dict[str, str], status: int, param: str, code: str | None
):
    before = on_disk(folder)
    error = refusal(client.post("/v1/faces", files={"image": ("a.png", photo)}, data=more), status, param)
    assert code is None or error["code"] == code
    assert on_disk(folder) == before


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({}, 400, None),
        ({"image": "aGk=", "file_id": "file-1"}, 400, None),
        ({"image": "not base64!"}, 400, "image"),
        ({"image": "ünicode"}, 400, "image"),
        ({"image": "data:image/png,abc"}, 400, "image"),
        ({"image": 7}, 400, "image"),
        ({"file_id": "file-none"}, 404, "file_id"),
        ({"image_url": "http://127.0.0.1:1/x"}, 400, "image_url"),
        ({"image_url": "http://[::ffff:10.0.0.1]/x"}, 400, "image_url"),
        ({"image_url": "http://localhost/x"}, 400, "image_url"),
        ({"image_url": "file:///etc/passwd"}, 400, "image_url"),
        ({"image": "aGk=", "index": True}, 400, "index"),
    ],
)
def test_json_that_cannot_be_used(
    client: TestClient, folder: Path, body: dict[str, Any], status: int, param: str | None
):
    before = on_disk(folder)
    refusal(client.post("/v1/faces", json=body), status, param)
    assert on_disk(folder) == before


def test_a_file_that_is_no_picture_is_named_by_its_field(client: TestClient):
    refusal(client.post("/v1/faces", json={"file_id": uploaded(client, b"nothing")}), 400, "file_id")


def test_a_form_that_is_too_long_is_refused(client: TestClient):
    headers = {"content-type": "multipart/form-data; boundary=b", "content-length": "99999999"}
    refusal(client.post("/v1/faces", content=b"", headers=headers), 413, None)


def test_a_composition_is_what_the_library_makes(client: TestClient, face: dict[str, Any], own: Cutout):
    body = {"face_id": face["id"], "face_blend": 0.4, "placement": json.dumps({"x": 0.3, "size": 0.7})}
    answer = client.post("/v1/faces/compose", data=body, files={"image": ("scene.png", PICTURE)})
    image = made(answer)
    assert (image.format, answer.json()["output_format"], answer.json()["size"]) == ("PNG", "png", "400x300")
    ours = compose(own, SCENE, Placement(x=0.3, size=0.7), 0.4)
    # the matte went through eight bits on the way
    assert np.abs(np.asarray(image).astype(int) - np.asarray(ours)).max() <= 1
    fields = {"face_id": face["id"], "face_blend": "0.4", "placement[x]": "0.3", "placement[size]": "0.7"}
    again = client.post("/v1/faces/compose", data=fields, files={"image": ("scene.png", PICTURE)})
    assert again.json()["data"] == answer.json()["data"]


@pytest.mark.parametrize("way", ["image", "image_url", "file_id"])
def test_a_picture_comes_in_as_json_too(client: TestClient, face: dict[str, Any], way: str):
    sent = uploaded(client, PICTURE) if way == "file_id" else data_url(PICTURE)
    body = {"face_id": face["id"], "placement": {"x": 0.4}, way: sent}
    assert made(client.post("/v1/faces/compose", json=body)).size == SCENE.size


@pytest.mark.parametrize(("format", "least"), [("jpeg", 30), ("webp", 99)])
def test_other_forms_keep_the_face(client: TestClient, face: dict[str, Any], format: str, least: int):
    body: dict[str, Any] = {"face_id": face["id"], "image": text(PICTURE)}
    exact = np.asarray(made(client.post("/v1/faces/compose", json=body))).astype(float)
    image = made(client.post("/v1/faces/compose", json=body | {"output_format": format, "output_compression": 97}))
    assert image.format == format.upper()
    error = ((np.asarray(image.convert("RGB")) - exact) ** 2).mean()
    assert error == 0 or 10 * np.log10(255**2 / error) > least


@pytest.mark.parametrize(
    ("more", "status", "param"),
    [
        ({"output_format": "jpeg", "output_compression": 92}, 400, "output_compression"),
        ({"output_format": "webp", "output_compression": 0}, 400, "output_compression"),
        ({"output_format": "gif"}, 400, "output_format"),
        ({"face_blend": 1.5}, 400, "face_blend"),
        ({"placement": {"x": 7}}, 400, "placement.x"),
        ({"placement": {"x": 0.0}}, 400, "placement"),
        ({"placement": "left"}, 400, "placement"),
        ({"image": text(b"no picture")}, 400, "image"),
        ({"face_id": "face_none"}, 404, "face_id"),
        ({"face_id": "../../etc/passwd"}, 404, "face_id"),
        ({"face_id": None}, 400, "face_id"),
    ],
)
def test_compositions_that_cannot_be_made(
    client: TestClient, face: dict[str, Any], more: dict[str, Any], status: int, param: str
):
    body: dict[str, Any] = {"face_id": face["id"], "image": text(PICTURE)} | more
    refusal(client.post("/v1/faces/compose", json=body), status, param)


def test_a_form_s_placement_that_cannot_be_read(client: TestClient, face: dict[str, Any]):
    for fields in ({"placement": "left"}, {"placement": "[1]"}):
        body = {"face_id": face["id"]} | fields
        refusal(client.post("/v1/faces/compose", data=body, files={"image": ("a.png", PICTURE)}), 400, "placement")
    body = {"face_id": face["id"], "placement[x]": "left"}
    refusal(client.post("/v1/faces/compose", data=body, files={"image": ("a.png", PICTURE)}), 400, "placement.x")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk(client: TestClient, folder: Path, monkeypatch: pytest.MonkeyPatch):
    app: Any = client.app
    store = app.state.faces.store
    make, before = store.draft, on_disk(folder)

    def full(limit_bytes: int, param: str = "image") -> Any:
        draft = make(limit_bytes, param)
        draft.file.close()
        draft.file = Path("/dev/full").open("wb")  # noqa: SIM115 - the draft closes it
        return draft

    monkeypatch.setattr(store, "draft", full)
    for sent in ({"files": {"image": ("a.png", PHOTO)}}, {"json": {"image": text(PHOTO)}}):
        assert refusal(client.post("/v1/faces", **sent), 507, None)["code"] == "storage_full"
    assert on_disk(folder) == before


def test_without_opencv_faces_are_not_offered(client: TestClient, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    answer = client.post("/v1/faces", files={"image": ("a.png", PHOTO)})
    assert refusal(answer, 400, None)["code"] == "unsupported_by_provider"


def test_the_document_describes_the_request_without_loose_ends(client: TestClient):
    body = client.get("/openapi.json").json()["paths"]["/v1/faces/compose"]["post"]["requestBody"]["content"]
    assert "$ref" not in json.dumps(body) and set(body) == {"multipart/form-data", "application/json"}
    assert body["multipart/form-data"]["schema"]["required"] == ["face_id", "image"]
    assert "x" in body["application/json"]["schema"]["properties"]["placement"]["anyOf"][0]["properties"]


def test_openai_s_client_reaches_the_routes(client: TestClient, face: dict[str, Any], secrets: dict[str, str]):
    http: Any = client
    api = openai.OpenAI(api_key=secrets["me"], base_url="http://testserver/v1", http_client=http, max_retries=0)
    body = {"face_id": face["id"], "image": text(PICTURE)}
    answer = api.post("/faces/compose", body=body, cast_to=openai.types.ImagesResponse)
    assert answer.data and answer.data[0].b64_json and answer.size == "400x300"
