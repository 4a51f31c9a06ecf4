"""What hostile, broken and impatient clients do to the running suite: calm errors, and a server that goes on."""

import asyncio
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.e2e.conftest import Suite

CHAT = "/v1/chat/completions"
HELLO = [{"role": "user", "content": "Say something about coffee."}]
SHOWN = b'"model":"tiny","max_tokens":2,"messages":[{"role":"user","content":"hi"}]'
MAX_RESIDENT_MB = {"gateway.main": 500, "ml_text.serve": 1500}
"""After everything here, the starter and a tiny model being loaded: what a laptop has to spare."""


@pytest.fixture(scope="module")
def client(suite: Suite) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=suite.url, timeout=60) as client:
        yield client


def ask(client: httpx2.Client, **fields: Any) -> httpx2.Response:
    return client.post(CHAT, json={"model": "tiny", "messages": HELLO, "max_tokens": 4} | fields)


def refused(answer: httpx2.Response, status: int, code: str | None = None, param: str | None = None) -> None:
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"} and answer.headers["x-request-id"]
    assert (answer.status_code, error["type"]) == (status, "invalid_request_error"), error
    assert code is None or error["code"] == code, error
    assert param is None or error["param"] == param, error


def deltas(text: str) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in text.split("\n\n") if line.startswith("data: {")]


def said(chunks: list[dict[str, Any]]) -> str:
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])


def test_32_mb_are_refused_before_they_are_read(client: httpx2.Client) -> None:
    body = b"{" + SHOWN + b',"user":"' + b"x" * (32 << 20) + b'"}'
    try:
        answer = client.post(CHAT, content=body, headers={"content-type": "application/json"})
    except httpx2.WriteError:  # the server hung up on what it will not read
        pass
    else:
        refused(answer, 413, "body_too_large")
    assert ask(client).status_code == 200


@pytest.mark.parametrize("content", ["fox " * (1 << 18), "\n" * (1 << 20), "é🦊" * (1 << 17)])
def test_1_mb_does_not_fit_and_holds_nobody_up(suite: Suite, client: httpx2.Client, content: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        long = pool.submit(ask, client, messages=[{"role": "user", "content": content}])
        slowest = 0.0
        while not long.done():
            for url in (suite.url, suite.text_url):
                began = time.perf_counter()
                assert httpx2.get(f"{url}/health", timeout=10).status_code == 200
                slowest = max(slowest, time.perf_counter() - began)
        refused(long.result(), 400, "context_length_exceeded", "messages")
    assert slowest < 1.0


def test_10_000_messages_do_not_fit(client: httpx2.Client) -> None:
    turns = [{"role": ("user", "assistant")[i % 2], "content": f"turn {i}"} for i in range(10_001)]
    refused(ask(client, messages=turns), 400, "context_length_exceeded", "messages")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"{" + SHOWN, None),
        (b"", None),
        (b"null", None),
        (b"{" + SHOWN + b',"temperature":NaN}', "temperature"),
        (b"{" + SHOWN + b',"top_p":Infinity}', "top_p"),
        (b"{" + SHOWN + b',"temperature":1e308}', "temperature"),
        (b"{" + SHOWN + b',"presence_penalty":-1e308}', "presence_penalty"),
        (b"{" + SHOWN + b',"seed":1e308}', "seed"),
        (b"{" + SHOWN + b',"logit_bias":{"5":1e308}}', "logit_bias"),
        (b"{" + SHOWN + b',"seed":123456789012345678901234567890}', "seed"),
        (b"{" + SHOWN.replace(b"hi", b"\\ud83d") + b"}", "messages[0].content"),
        (b"{" + SHOWN.replace(b"hi", b"\xed\xa0\xbd") + b"}", None),
        (b"{" + SHOWN + b',"stop":["\\ud83d"]}', "stop[0]"),
    ],
)
def test_what_is_no_json_or_no_number(client: httpx2.Client, body: bytes, param: str | None) -> None:
    refused(client.post(CHAT, content=body, headers={"content-type": "application/json"}), 400, param=param)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": "hi"}, "messages"),
        ({"messages": [1]}, "messages[0]"),
        ({"messages": [{"role": "user"}]}, "messages[0]"),
        ({"messages": [{"role": "king", "content": "hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"max_tokens": "4"}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"n": 1000}, "n"),
        ({"stop": ["a"] * 5}, "stop"),
        ({"stop": {"a": 1}}, "stop"),
        ({"logit_bias": {"x": 1}}, "logit_bias"),
        ({"logit_bias": {"999999999": 1}}, "logit_bias"),
        ({"tools": [{"type": "function"}]}, "tools[0]"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"stream_options": {"include_usage": "yes"}, "stream": True}, "stream_options.include_usage"),
    ],
)
def test_wrong_types_are_named(client: httpx2.Client, fields: dict[str, Any], param: str) -> None:
    answer = ask(client, **fields)
    refused(answer, 400)
    assert str(answer.json()["error"]["param"]).startswith(param), answer.text


def test_clients_that_leave_make_nobody_slower(client: httpx2.Client) -> None:
    def seconds() -> float:
        took: list[float] = []
        for _ in range(5):
            began = time.perf_counter()
            assert ask(client, max_tokens=16).status_code == 200
            took.append(time.perf_counter() - began)
        return min(took)

    before = seconds()
    for _ in range(16):
        body = {"model": "tiny", "messages": HELLO, "max_tokens": 900, "stream": True, "ignore_eos": True}
        with client.stream("POST", CHAT, json=body) as answer:
            next(answer.iter_raw())
    assert seconds() < 3 * before + 0.2
    deadline = time.monotonic() + 10
    while "http_requests_running 1.0" not in client.get("/metrics").text:  # the question itself
        assert time.monotonic() < deadline, "somebody is still being answered"
        time.sleep(0.1)


async def test_32_at_once_are_all_answered_as_alone(suite: Suite) -> None:
    async with httpx2.AsyncClient(base_url=suite.url, timeout=120) as client:

        async def one(seed: int) -> httpx2.Response:
            body = {"model": "tiny", "messages": HELLO, "max_tokens": 24, "seed": seed, "temperature": 1.0}
            return await client.post(CHAT, json=body | {"stream": seed % 2 == 0})

        answers = await asyncio.gather(*(one(seed) for seed in range(32)))
        assert [answer.status_code for answer in answers] == [200] * 32
        alone = await one(6)
    assert said(deltas(answers[6].text)) == said(deltas(alone.text))


def test_a_stop_string_that_is_split_over_tokens_never_shows(client: httpx2.Client) -> None:
    fields: dict[str, Any] = {"max_tokens": 64, "temperature": 1.0, "seed": 11}
    whole: str = ask(client, **fields).json()["choices"][0]["message"]["content"]
    stop = whole[len(whole) // 2 : len(whole) // 2 + 6]
    assert len(stop) == 6
    expected = whole[: whole.index(stop)]
    answer = ask(client, **fields, stop=[stop]).json()["choices"][0]
    assert (answer["message"]["content"], answer["finish_reason"]) == (expected, "stop")
    chunks = deltas(ask(client, **fields, stop=[stop], stream=True).text)
    assert said(chunks) == expected and stop not in said(chunks)


@pytest.mark.parametrize("seed", range(4))
def test_letters_are_never_torn(client: httpx2.Client, seed: int) -> None:
    """Random weights at a high temperature give bytes that are no UTF-8 at all; each event must still be."""
    fields = {"max_tokens": 200, "temperature": 2.0, "seed": seed, "ignore_eos": True}
    body = {"model": "tiny", "messages": HELLO, "stream": True, **fields}
    with client.stream("POST", CHAT, json=body) as answer:
        raw = b"".join(answer.iter_raw())
    events = raw.split(b"\n\n")
    for event in events:
        event.decode()
    whole: str = ask(client, **fields).json()["choices"][0]["message"]["content"]
    assert said(deltas(raw.decode())) == whole and any(ord(char) > 127 for char in whole)
    whole.encode()


def test_memory_stays_under_its_bound(suite: Suite, client: httpx2.Client) -> None:
    body = {"model": "tiny", "messages": [{"role": "user", "content": "x" * (4 << 20)}]}
    for _ in range(4):
        refused(client.post(CHAT, json=body), 400, "context_length_exceeded")
    found = {module: resident_mb(suite.process.pid, module) for module in MAX_RESIDENT_MB}
    assert all(0 < found[module] < most for module, most in MAX_RESIDENT_MB.items()), found


def resident_mb(parent: int, module: str) -> float:
    """Of the child of `parent` that runs `module`; 0 when there is none."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "status").read_text()
            command = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:  # it ended meanwhile
            continue
        if f"PPid:\t{parent}\n" in status and module.encode() in command:
            return int(status.split("VmRSS:")[1].split()[0]) / 1024
    return 0.0
