"""/v1/uploads with the official client: what it becomes is a file like any other."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from fastapi import FastAPI
from openai.types import Upload

from gateway.keys import KeyStore
from tests.contract.asking import sdk
from tests.contract.test_files import check_error, on_disk

PIECES = [b"x" * 70_000, b"y" * 30_000, b"z"]
WHOLE = b"".join(PIECES)
MD5 = hashlib.md5(WHOLE, usedforsecurity=False).hexdigest()


@pytest.fixture
def api(client: httpx.AsyncClient) -> openai.AsyncOpenAI:
    return sdk(client)


async def begin(api: openai.AsyncOpenAI, size: int = len(WHOLE), **more: Any) -> Upload:
    asked: dict[str, Any] = {"purpose": "user_data", "filename": "../big.txt", "mime_type": "text/plain"}
    return await api.uploads.create(bytes=size, **asked | more)


async def send(api: openai.AsyncOpenAI, id: str, pieces: list[bytes]) -> list[str]:
    return [part.id for part in await asyncio.gather(*(api.uploads.parts.create(id, data=piece) for piece in pieces))]


def parts_on_disk(tmp_path: Path) -> int:
    return len(list((tmp_path / "uploads").iterdir()))


async def test_parts_become_a_file(api: openai.AsyncOpenAI, tmp_path: Path) -> None:
    upload = await begin(api)
    assert (upload.status, upload.expires_at) == ("pending", upload.created_at + 3600)
    c, b, a = await send(api, upload.id, PIECES[::-1])
    done = await api.uploads.complete(upload.id, part_ids=[a, b, c], md5=MD5.upper())
    assert done.status == "completed" and done.file is not None and done.id == upload.id
    assert (done.file.bytes, done.file.filename, done.file.purpose) == (len(WHOLE), "../big.txt", "user_data")
    content = await api.files.content(done.file.id)
    assert content.content == WHOLE and content.response.headers["content-type"].startswith("text/plain")
    assert parts_on_disk(tmp_path) == 0 and on_disk(tmp_path) == [done.file.id]
    for call in (api.uploads.cancel(upload.id), api.uploads.complete(upload.id, part_ids=[a])):
        with pytest.raises(openai.BadRequestError) as ended:
            await call
        assert ended.value.code == "upload_completed"


async def test_the_clients_own_way_in_chunks(api: openai.AsyncOpenAI) -> None:
    done = await api.uploads.upload_file_chunked(
        file=WHOLE, filename="a", bytes=len(WHOLE), mime_type="text/plain", purpose="user_data", part_size=40_000
    )
    assert done.file is not None and (await api.files.content(done.file.id)).content == WHOLE


async def test_a_refused_completion_leaves_it_pending(api: openai.AsyncOpenAI, tmp_path: Path) -> None:
    upload = await begin(api)
    a, b, c = await send(api, upload.id, PIECES)
    for part_ids, md5, param in [
        ([a, b], None, "part_ids"),
        ([a, b, b, c], None, "part_ids"),
        ([a, b, "part_none"], None, "part_ids[2]"),
        ([], None, "part_ids"),
        ([a, b, c], "0" * 32, "md5"),
        ([b, a, c], MD5, "md5"),
    ]:
        with pytest.raises(openai.BadRequestError) as refused:
            await api.uploads.complete(upload.id, part_ids=part_ids, md5=md5 or openai.omit)
        assert refused.value.param == param and on_disk(tmp_path) == []
    assert (await api.uploads.complete(upload.id, part_ids=[a, b, c])).status == "completed"


async def test_lines_are_checked(api: openai.AsyncOpenAI, tmp_path: Path) -> None:
    data = b'{"a": 1}\nnope\n'
    upload = await begin(api, len(data), purpose="batch")
    ids = await send(api, upload.id, [data[:12]])
    ids += await send(api, upload.id, [data[12:]])
    with pytest.raises(openai.BadRequestError, match="line 2") as refused:
        await api.uploads.complete(upload.id, part_ids=ids)
    assert refused.value.param == "part_ids" and on_disk(tmp_path) == []


async def test_two_completions_make_one_file(api: openai.AsyncOpenAI, tmp_path: Path) -> None:
    upload = await begin(api)
    ids = await send(api, upload.id, PIECES[:1])
    ids += await send(api, upload.id, PIECES[1:])
    calls = (api.uploads.complete(upload.id, part_ids=ids) for _ in range(2))
    ended = await asyncio.gather(*calls, return_exceptions=True)
    assert sorted(type(end).__name__ for end in ended) == ["BadRequestError", "Upload"]
    assert len(on_disk(tmp_path)) == 1 and parts_on_disk(tmp_path) == 0


async def test_cancelled_and_expired_uploads_take_no_more(
    api: openai.AsyncOpenAI, app: FastAPI, tmp_path: Path
) -> None:
    first, second = await begin(api), await begin(api)
    for upload in (first, second):
        await send(api, upload.id, PIECES[:1])
    assert (await api.uploads.cancel(first.id)).status == "cancelled" and parts_on_disk(tmp_path) == 1
    with app.state.db:
        app.state.db.execute("UPDATE uploads SET expires = 1")
    for upload, code in ((first, "upload_cancelled"), (second, "upload_expired")):
        with pytest.raises(openai.BadRequestError) as refused:
            await api.uploads.parts.create(upload.id, data=b"x")
        assert refused.value.code == code
    app.state.uploads.expire()
    assert parts_on_disk(tmp_path) == 0


async def test_more_than_was_announced(api: openai.AsyncOpenAI, tmp_path: Path) -> None:
    upload = await begin(api, 10)
    await send(api, upload.id, [b"x" * 6])
    with pytest.raises(openai.APIStatusError) as refused:
        await api.uploads.parts.create(upload.id, data=b"x" * 5)
    assert (refused.value.status_code, refused.value.param) == (413, "data") and parts_on_disk(tmp_path) == 1


GOOD: dict[str, Any] = {"purpose": "user_data", "filename": "a", "mime_type": "text/plain", "bytes": 1}


@pytest.mark.parametrize(
    ("change", "status", "param"),
    [
        ({"bytes": 0}, 400, "bytes"),
        ({"bytes": "1"}, 400, "bytes"),
        ({"bytes": 1.5}, 400, "bytes"),
        ({"bytes": 1 << 62}, 413, "bytes"),
        ({"bytes": 1 << 70}, 400, "bytes"),
        ({"filename": ""}, 400, "filename"),
        ({"filename": "x" * 300}, 400, "filename"),
        ({"purpose": "assistants_output"}, 400, "purpose"),
        ({"mime_type": None}, 400, "mime_type"),
        ({"expires_after": {"anchor": "now", "seconds": 3600}}, 400, "expires_after.anchor"),
        ({"expires_after": {"anchor": "created_at", "seconds": 1}}, 400, "expires_after.seconds"),
    ],
)
async def test_uploads_that_are_wrong(
    client: httpx.AsyncClient, change: dict[str, Any], status: int, param: str
) -> None:
    answer = await client.post("/v1/uploads", json=GOOD | change)
    assert check_error(answer, answer.status_code, param) and answer.status_code in (status, 413)


async def test_bad_json_and_bad_parts(client: httpx.AsyncClient) -> None:
    body = b'{"purpose": "vision", "filename": "\\ud83d", "mime_type": "a/b", "bytes": 1}'
    check_error(
        await client.post("/v1/uploads", content=body, headers={"content-type": "application/json"}), 400, "filename"
    )
    id = (await client.post("/v1/uploads", json=GOOD)).json()["id"]
    path = f"/v1/uploads/{id}/parts"
    check_error(await client.post(path, json={}), 400, None)
    check_error(await client.post(path, data={"data": "no file"}), 400, None)
    check_error(await client.post(path, files={"data": ("a", b"")}), 400, "data")
    check_error(await client.post(path, files={"other": ("a", b"x")}), 400, "data")
    check_error(await client.post("/v1/uploads/none/parts", files={"data": ("a", b"x")}), 404, "upload_id")


async def test_uploads_belong_to_their_key(app: FastAPI, client: httpx.AsyncClient) -> None:
    keys: KeyStore = app.state.keys
    mine, theirs = (sdk(client, keys.create(name, {})[1]) for name in ("mine", "theirs"))
    keys.checked = float("-inf")  # look at the table now
    upload = await begin(mine, 1)
    (part,) = await send(mine, upload.id, [b"x"])
    for call in (
        theirs.uploads.parts.create(upload.id, data=b"x"),
        theirs.uploads.complete(upload.id, part_ids=[part]),
        theirs.uploads.cancel(upload.id),
    ):
        with pytest.raises(openai.NotFoundError):
            await call
    assert (await mine.uploads.complete(upload.id, part_ids=[part])).status == "completed"
