"""/v1/files and /v1/uploads with the official client, whichever provider answers text."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from fastapi import FastAPI

from gateway.keys import KeyStore
from tests.contract.asking import sdk

LINES = b'{"a": 1}\n{"a": 2}\n'


@pytest.fixture
async def api(client: httpx.AsyncClient) -> AsyncIterator[openai.AsyncOpenAI]:
    yield sdk(client)


def on_disk(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "files").iterdir() if path.is_file())


def check_error(answer: httpx.Response, status: int, param: str | None) -> dict[str, Any]:
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (answer.status_code, error["param"]) == (status, param), error
    return error


async def test_a_file_comes_back_as_it_went(api: openai.AsyncOpenAI, tmp_path: Path) -> None:
    data = bytes(range(256)) * 12_000  # 3 MB: more than one piece
    made = await api.files.create(file=("ü/../a b.bin", data, "image/png"), purpose="user_data")
    assert (made.filename, made.bytes, made.purpose, made.status) == (
        "ü/../a b.bin",
        len(data),
        "user_data",
        "processed",
    )
    assert await api.files.retrieve(made.id) == made and on_disk(tmp_path) == [made.id]
    content = await api.files.content(made.id)
    assert content.content == data
    assert content.response.headers["content-type"] == "image/png"
    assert content.response.headers["x-content-type-options"] == "nosniff"
    assert content.response.headers["content-disposition"].startswith("attachment;")
    assert (await api.files.delete(made.id)).deleted and on_disk(tmp_path) == []
    with pytest.raises(openai.NotFoundError) as missing:
        await api.files.content(made.id)
    assert missing.value.param == "file_id"


@pytest.mark.parametrize("purpose", ["assistants", "batch", "fine-tune", "vision", "user_data", "evals"])
async def test_every_purpose(client: httpx.AsyncClient, purpose: str) -> None:
    answer = await client.post("/v1/files", files={"file": ("a.jsonl", LINES)}, data={"purpose": purpose})
    assert answer.status_code == 200 and answer.json()["purpose"] == purpose, answer.text
    assert (answer.json()["expires_at"] is not None) == (purpose == "batch")


async def test_the_list_is_paged(api: openai.AsyncOpenAI) -> None:
    ids = [(await api.files.create(file=(f"{i}.txt", b"x"), purpose="vision")).id for i in range(5)]
    lines = await api.files.create(file=("a.jsonl", LINES), purpose="batch")
    seen = [file.id async for file in await api.files.list(limit=2, order="asc", purpose="vision")]
    assert seen == ids
    assert (await api.files.list(limit=1)).data[0].id == lines.id
    page = await api.files.list(after=ids[4], order="desc", limit=2)
    assert [file.id for file in page.data] == [ids[3], ids[2]] and page.has_more


async def test_expiry(api: openai.AsyncOpenAI, app: FastAPI, tmp_path: Path) -> None:
    made = await api.files.create(
        file=("a", b"x"), purpose="user_data", expires_after={"anchor": "created_at", "seconds": 3600}
    )
    assert made.expires_at == made.created_at + 3600
    with app.state.db:
        app.state.db.execute("UPDATE files SET expires = 1")
    with pytest.raises(openai.NotFoundError):
        await api.files.retrieve(made.id)
    assert (await api.files.list()).data == [] and on_disk(tmp_path) == [made.id]
    app.state.files.expire()
    assert on_disk(tmp_path) == []


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "purpose"),
        ({"purpose": "fun"}, "purpose"),
        ({"purpose": "batch"}, "file"),
        ({"purpose": b"\xff"}, "purpose"),
        ({"purpose": "vision", "expires_after[seconds]": "3600"}, "expires_after.anchor"),
        ({"purpose": "vision", "expires_after[anchor]": "created_at"}, "expires_after.seconds"),
        *[
            ({"purpose": "vision", "expires_after[anchor]": "created_at", "expires_after[seconds]": bad}, "seconds")
            for bad in ("3599", "2592001", "NaN", "-1", "1e4", "²", "9" * 400)
        ],
    ],
)
async def test_fields_that_are_wrong(
    client: httpx.AsyncClient, tmp_path: Path, fields: dict[str, Any], param: str
) -> None:
    answer = await client.post("/v1/files", files={"file": ("a", b"not lines")}, data=fields)
    error = check_error(answer, 400, answer.json()["error"]["param"])
    assert error["param"].split(".")[-1] == param.split(".")[-1] and on_disk(tmp_path) == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"a": 1}\n\n{"a": NaN}\n', "line 3: not valid JSON"),
        (b'{"a": 1}\n[1]\n', "line 2: not a JSON object"),
        (b'{"a": "\\ud83d"}\n', "line 1: "),
        (b"\n\n", "no lines"),
        (b'{"a": "\xff"}', "line 1: "),
    ],
)
async def test_lines_that_are_wrong(client: httpx.AsyncClient, tmp_path: Path, data: bytes, said: str) -> None:
    answer = await client.post("/v1/files", files={"file": ("a.jsonl", data)}, data={"purpose": "fine-tune"})
    assert said in check_error(answer, 400, "file")["message"] and on_disk(tmp_path) == []


HEAD = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
BROKEN = {
    "empty body": b"",
    "no end": HEAD + b"x\r\n",
    "no boundary inside": b"x" * 1000,
    "no name": b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n",
    "no disposition": b"--b\r\n\r\nx\r\n--b--\r\n",
    "no filename": HEAD.replace(b'"a"', b'""') + b"x\r\n--b--\r\n",
    "a name that is no text": HEAD.replace(b'"a"', b'"\xff"') + b"x\r\n--b--\r\n",
    "twice": HEAD + b"x\r\n" + HEAD + b"x\r\n--b--\r\n",
    "empty file": HEAD + b"\r\n--b--\r\n",
    "thousands of fields": b'--b\r\nContent-Disposition: form-data; name="f"\r\n\r\nx\r\n' * 3000 + b"--b--\r\n",
    "a long field": b'--b\r\nContent-Disposition: form-data; name="f"\r\n\r\n' + b"x" * 70_000 + b"\r\n--b--\r\n",
    "a long header": b"--b\r\nX-Y: " + b"x" * 70_000 + b"\r\n\r\n",
}


@pytest.mark.parametrize("name", sorted(BROKEN))
async def test_broken_forms(client: httpx.AsyncClient, tmp_path: Path, name: str) -> None:
    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = await client.post("/v1/files", content=BROKEN[name], headers=headers)
    check_error(answer, 400, answer.json()["error"]["param"])
    assert on_disk(tmp_path) == []


@pytest.mark.parametrize(
    "kind", ["multipart/form-data", "multipart/form-data; boundary=" + "b" * 9000, "application/json", "text/plain", ""]
)
async def test_bodies_that_are_no_form(client: httpx.AsyncClient, kind: str) -> None:
    check_error(await client.post("/v1/files", content=b"[]", headers={"content-type": kind}), 400, None)


@pytest.mark.parametrize("query", ["limit=0", "limit=10001", "limit=x", "order=up", "after=file-none"])
async def test_pages_that_are_wrong(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/v1/files?{query}")
    check_error(answer, 404 if "after" in query else 400, query.split("=")[0])


@pytest.mark.parametrize("id", ["file-none", "..", "..%2Fgateway.db", "%00", "%ff", "x" * 3000])
async def test_files_that_are_not_there(client: httpx.AsyncClient, id: str) -> None:
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/content")):
        answer = await client.request(method, f"/v1/files/{id}{path}")
        assert answer.status_code in (404, 405) and set(answer.json()["error"]) == {"message", "type", "param", "code"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
async def test_a_full_disk(
    app: FastAPI, client: httpx.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = app.state.files
    make = files.draft

    def full(limit_bytes: int) -> Any:
        draft = make(limit_bytes)
        draft.file.close()
        draft.file = Path("/dev/full").open("wb")  # noqa: SIM115 - the draft closes it
        return draft

    monkeypatch.setattr(files, "draft", full)
    answer = await client.post("/v1/files", files={"file": ("a", b"x" * 5000)}, data={"purpose": "vision"})
    assert check_error(answer, 507, None)["code"] == "storage_full" and on_disk(tmp_path) == []
    assert answer.headers["x-should-retry"] == "false" and (await client.get("/v1/files")).json()["data"] == []


async def test_a_client_that_leaves_keeps_nothing(app: FastAPI, client: httpx.AsyncClient, tmp_path: Path) -> None:
    begun = [{"type": "http.request", "body": HEAD + b"x" * 3_000_000, "more_body": True}, {"type": "http.disconnect"}]
    headers = [(b"content-type", b"multipart/form-data; boundary=b")]
    scope = {"type": "http", "method": "POST", "path": "/v1/files", "headers": headers, "query_string": b""}
    sent: list[Any] = []

    async def receive() -> Any:
        if len(begun) == 1:
            assert len(on_disk(tmp_path)) == 1  # the first megabytes are on their way
        return begun.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    await app({**scope, "raw_path": b"/v1/files", "http_version": "1.1", "scheme": "http"}, receive, send)
    assert sent[0]["status"] == 499 and on_disk(tmp_path) == []


class TestLimit:
    @pytest.fixture
    def more(self) -> dict[str, Any]:
        return {"file_limit_bytes": 3 << 20, "body_limit_bytes": 1024}

    @pytest.mark.parametrize("size", [3 << 20, (3 << 20) + 1, 9 << 20])
    async def test_files_have_their_own_limit(self, client: httpx.AsyncClient, tmp_path: Path, size: int) -> None:
        answer = await client.post("/v1/files", files={"file": ("a", b"x" * size)}, data={"purpose": "vision"})
        assert answer.status_code == (200 if size == 3 << 20 else 413)
        assert answer.status_code == 200 or on_disk(tmp_path) == []

    async def test_only_there(self, client: httpx.AsyncClient) -> None:
        answer = await client.post("/v1/files", json={"x": "x" * 2000})
        assert answer.status_code == 413


async def test_files_belong_to_their_key(app: FastAPI, client: httpx.AsyncClient) -> None:
    keys: KeyStore = app.state.keys
    mine, theirs = (sdk(client, keys.create(name, {})[1]) for name in ("mine", "theirs"))
    keys.checked = float("-inf")  # look at the table now
    made = await mine.files.create(file=("a", b"x"), purpose="vision")
    assert (await theirs.files.list()).data == [] and len((await mine.files.list()).data) == 1
    for call in (theirs.files.retrieve, theirs.files.delete, theirs.files.content):
        with pytest.raises(openai.NotFoundError):
            await call(made.id)
    with pytest.raises(openai.NotFoundError):
        await theirs.files.list(after=made.id)
    assert await mine.files.retrieve(made.id) == made
