"""Files, uploads, models, stored completions."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import openai
import pytest

LINES = b'{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n' * 3
ASK: Any = [{"role": "user", "content": "Hello"}]


def test_files(client: openai.OpenAI):
    made = client.files.create(file=("train.jsonl", LINES), purpose="fine-tune")
    assert made.bytes == len(LINES) and made.status in ("uploaded", "processed")
    assert client.files.retrieve(made.id) == made
    assert client.files.content(made.id).read() == LINES
    assert made.id in [file.id for file in client.files.list(purpose="fine-tune")]
    assert client.files.wait_for_processing(made.id, max_wait_seconds=10).id == made.id
    assert client.files.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(made.id)


@pytest.mark.parametrize("purpose", ["assistants", "batch", "fine-tune", "vision", "user_data", "evals"])
def test_every_purpose(lenient: openai.OpenAI, purpose: Any):
    made = lenient.files.create(file=("x.jsonl", LINES), purpose=purpose)
    assert made.purpose == purpose
    lenient.files.delete(made.id)


def test_files_expire(client: openai.OpenAI):
    made = client.files.create(
        file=io.BytesIO(b"text"), purpose="user_data", expires_after={"anchor": "created_at", "seconds": 3600}
    )
    assert made.expires_at == made.created_at + 3600


def test_files_are_paged(client: openai.OpenAI):
    ids = [client.files.create(file=(f"{i}.txt", b"x"), purpose="assistants").id for i in range(5)]
    paged = [file.id for file in client.files.list(limit=2, order="asc", purpose="assistants")]
    assert paged[-5:] == ids
    for id in ids:
        client.files.delete(id)


def test_a_bad_file_is_refused(client: openai.OpenAI):
    with pytest.raises(openai.BadRequestError) as error:
        client.files.create(file=("x.jsonl", b"no json"), purpose="fine-tune")
    assert error.value.param == "file"


def test_uploads(client: openai.OpenAI):
    asked: Any = {"filename": "big.txt", "mime_type": "text/plain", "purpose": "user_data"}
    made = client.uploads.create(**asked, bytes=6)
    parts = [client.uploads.parts.create(made.id, data=data).id for data in (b"abc", b"def")]
    done = client.uploads.complete(
        made.id, part_ids=parts, md5=hashlib.md5(b"abcdef", usedforsecurity=False).hexdigest()
    )
    assert done.status == "completed" and done.file
    assert client.files.content(done.file.id).read() == b"abcdef"
    other = client.uploads.create(**asked, bytes=6)
    assert client.uploads.cancel(other.id).status == "cancelled"


def test_a_chunked_upload(client: openai.OpenAI, tmp_path: Path):
    path = tmp_path / "big.txt"
    path.write_bytes(b"0123456789" * 100)
    done = client.uploads.upload_file_chunked(
        file=path, mime_type="text/plain", purpose="user_data", part_size=300, md5=openai.omit
    )
    assert done.status == "completed" and done.file and done.file.bytes == 1000


def test_models(client: openai.OpenAI, model: str, embedding_model: str):
    ids = [found.id for found in client.models.list()]
    assert {model, embedding_model} <= set(ids)
    assert client.models.retrieve(model).object == "model"
    for call in (client.models.retrieve, client.models.delete):
        with pytest.raises(openai.NotFoundError):
            call("no-such-model")


def test_stored_completions(client: openai.OpenAI, lenient: openai.OpenAI, model: str):
    asked: Any = {"model": model, "messages": ASK, "max_tokens": 4, "store": True}
    made = [client.chat.completions.create(**asked, metadata={"run": str(i)}) for i in range(3)]
    found = client.chat.completions.retrieve(made[0].id)
    assert found.choices[0].message.content == made[0].choices[0].message.content
    listed = [one.id for one in client.chat.completions.list(limit=2, order="asc")]
    assert listed[-3:] == [one.id for one in made]
    assert made[1].id in [one.id for one in client.chat.completions.list(metadata={"run": "1"})]
    assert client.chat.completions.update(made[0].id, metadata={"run": "x"}).id == made[0].id
    assert [message.content for message in lenient.chat.completions.messages.list(made[0].id)] == ["Hello"]
    for one in made:
        assert client.chat.completions.delete(one.id).deleted


def test_stored_from_a_stream(client: openai.OpenAI, model: str):
    chunks = list(client.chat.completions.create(model=model, messages=ASK, max_tokens=4, store=True, stream=True))
    found = client.chat.completions.retrieve(chunks[0].id)
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert found.choices[0].message.content == said
    client.chat.completions.delete(found.id)


def test_file_content_as_lines(client: openai.OpenAI):
    made = client.files.create(file=("b.jsonl", LINES), purpose="batch")
    with client.files.with_streaming_response.content(made.id) as response:
        assert len([json.loads(line) for line in response.iter_lines()]) == 3
    client.files.delete(made.id)
