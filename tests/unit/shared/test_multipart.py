"""What is written as a form is read as the same."""

from typing import Any

import pytest

from shared.errors import InvalidRequest
from shared.multipart import read_form, write_form


async def reread(body: bytes, kind: str, most: dict[str, int], size: int, **more: Any) -> Any:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    return await read_form(receive, kind, most, **more)


@pytest.mark.parametrize("size", [1, 13, 10_000])
async def test_there_and_back(size: int) -> None:
    fields = {"prompt": "Grüße\r\n--x", "n": 2, "stream": True, "guidance": 3.5}
    files = [("image[]", 'a"b\n.png', "image/png", b"\r\n--\0"), ("image[]", "ü.webp", "image/webp", b"")]
    form = await reread(*write_form(fields, files), {"image[]": 2}, size)
    assert form.fields == {"prompt": "Grüße\r\n--x", "n": "2", "stream": "true", "guidance": "3.5"}
    assert [(file.param, file.media_type, bytes(file.data)) for file in form.files] == [
        ("image[]", "image/png", b"\r\n--\0"),
        ("image[]", "image/webp", b""),
    ]
    assert form.files[1].filename == "ü.webp" and "\n" not in form.files[0].filename


async def test_no_more_files_than_a_field_takes() -> None:
    body, kind = write_form({}, [("mask", "m", "image/png", b"x")] * 2)
    with pytest.raises(InvalidRequest) as refused:
        await reread(body, kind, {"mask": 1}, 50)
    assert refused.value.param == "mask"


async def test_files_of_other_fields_are_passed_over() -> None:
    form = await reread(*write_form({"a": "b"}, [("other", "m", "image/png", b"x")]), {"image": 1}, 50)
    assert form.files == [] and form.fields == {"a": "b"}


async def test_fields_may_be_as_long_as_the_route_says() -> None:
    body, kind = write_form({"prompt": "x" * 100}, [])
    assert (await reread(body, kind, {}, 50, field_limit_bytes=100)).fields["prompt"] == "x" * 100
    with pytest.raises(InvalidRequest):
        await reread(body, kind, {}, 50, field_limit_bytes=99)
