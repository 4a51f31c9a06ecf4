"""The official OpenAI client against the running suite: gateway -> text service -> model, all real processes."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import openai
import pytest

from shared import registry
from tests.e2e.conftest import Suite
from tests.e2e.tiny import build_tiny_llama

MESSAGES = [{"role": "user", "content": "Say something about coffee."}]


@pytest.fixture(scope="module")
def client(suite: Suite) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{suite.url}/v1", api_key="none yet", max_retries=0) as client:
        yield client


def test_chat(client: openai.OpenAI):
    answer = client.chat.completions.create(model="tiny", messages=MESSAGES, max_tokens=8, seed=1)
    assert answer.object == "chat.completion" and answer.model == "tiny"
    assert answer.choices[0].message.role == "assistant" and answer.choices[0].message.content
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage and answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert 1 <= answer.usage.completion_tokens <= 8


def test_chat_streamed_says_the_same(client: openai.OpenAI):
    request = {"model": "tiny", "messages": MESSAGES, "max_tokens": 16, "seed": 3, "temperature": 1.0}
    whole = client.chat.completions.create(**request)
    stream = client.chat.completions.create(**request, stream=True, stream_options={"include_usage": True})
    chunks = list(stream)
    assert chunks[0].choices[0].delta.role == "assistant"
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == whole.choices[0].message.content
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason] == [
        whole.choices[0].finish_reason
    ]
    assert chunks[-1].choices == [] and chunks[-1].usage == whole.usage


def test_usage_is_sent_only_when_asked(client: openai.OpenAI):
    chunks = list(client.chat.completions.create(model="tiny", messages=MESSAGES, max_tokens=4, stream=True))
    assert all(chunk.choices for chunk in chunks) and all(chunk.usage is None for chunk in chunks)


def test_completion_and_its_stream(client: openai.OpenAI):
    request = {"model": "tiny", "prompt": "the quick brown", "max_tokens": 6, "temperature": 0}
    whole = client.completions.create(**request)
    assert whole.object == "text_completion" and whole.choices[0].text
    streamed = "".join(chunk.choices[0].text for chunk in client.completions.create(**request, stream=True))
    assert streamed == whole.choices[0].text


def test_structured_output_is_valid_from_random_weights(client: openai.OpenAI):
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 20}, "size": {"enum": ["small", "large"]}},
        "required": ["name", "size"],
        "additionalProperties": False,
    }
    answer = client.chat.completions.create(
        model="tiny",
        messages=MESSAGES,
        max_tokens=120,
        temperature=1.5,
        seed=5,
        response_format={"type": "json_schema", "json_schema": {"name": "product", "strict": True, "schema": schema}},
    )
    value = json.loads(answer.choices[0].message.content or "")
    assert set(value) == {"name", "size"} and value["size"] in ("small", "large") and len(value["name"]) <= 20


def test_models(client: openai.OpenAI):
    ids = [model.id for model in client.models.list()]
    assert "tiny" in ids
    assert client.models.retrieve("tiny").object == "model"


def test_errors_are_typed(client: openai.OpenAI):
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="no-such-model", messages=MESSAGES)
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such-model")
    with pytest.raises(openai.BadRequestError) as long:
        client.chat.completions.create(model="tiny", messages=[{"role": "user", "content": "fox " * 3000}])
    assert long.value.code == "context_length_exceeded"
    assert "This model's maximum context length is 1024 tokens" in str(long.value)  # by which LiteLLM knows it
    with pytest.raises(openai.BadRequestError) as wrong:
        client.chat.completions.create(model="tiny", messages=MESSAGES, temperature=9)
    assert wrong.value.param == "temperature"
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="tiny", messages=[])


def test_every_error_has_the_envelope_and_a_request_id(suite: Suite):
    for method, path, status in (("GET", "/v1/nowhere", 404), ("DELETE", "/v1/chat/completions", 405)):
        answer = httpx2.request(method, suite.url + path, timeout=10)
        assert answer.status_code == status
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
        assert answer.headers["x-request-id"]
    broken = httpx2.post(f"{suite.url}/v1/chat/completions", content=b'{"model": ', timeout=10)
    assert broken.status_code == 400 and broken.json()["error"]["type"] == "invalid_request_error"


def test_a_request_id_runs_through_both_services(suite: Suite, client: openai.OpenAI):
    raw = client.chat.completions.with_raw_response.create(
        model="tiny", messages=MESSAGES, max_tokens=1, extra_headers={"x-request-id": "e2e-trace-1"}
    )
    assert raw.headers["x-request-id"] == "e2e-trace-1"
    deadline = time.monotonic() + 5  # the lines are written after the answer has left
    seen: set[str] = set()
    while seen != {"gateway", "text"} and time.monotonic() < deadline:
        seen = {line.split("|")[0].strip() for line in suite.log.splitlines() if "e2e-trace-1" in line}
        time.sleep(0.05)
    assert seen == {"gateway", "text"}


def test_a_client_that_leaves_does_not_hold_its_slot(client: openai.OpenAI):
    for _ in range(40):  # more than there are slots
        stream = client.chat.completions.create(model="tiny", messages=MESSAGES, max_tokens=900, stream=True)
        next(iter(stream))
        stream.close()
    answer = client.chat.completions.create(model="tiny", messages=MESSAGES, max_tokens=2)
    assert answer.choices[0].message.content is not None


def test_a_model_published_while_it_runs_answers_at_once(suite: Suite, client: openai.OpenAI, tmp_path: Path):
    build_tiny_llama(tmp_path / "late")
    registry.publish(suite.data_dir, "late", tmp_path / "late", {"service": "text"})
    answer = client.chat.completions.create(model="late", messages=MESSAGES, max_tokens=2)
    assert answer.model == "late"
    assert "late" in [model.id for model in client.models.list()]


def test_embeddings_find_what_belongs_together(client: openai.OpenAI):
    """With nothing said OpenAI's client asks for base64 and unpacks it."""
    texts = ["Coffee place called Blue Door, 20% off", "Yoga studio Asana House, first class is free"]
    designs = ["Asana House\nWhen did you last exhale?\nThe first one is free", "Blue Door\nSmall cup.\nEnjoy 20% off"]
    answer = client.embeddings.create(model="starter-embedding", input=[*texts, *designs])
    vectors = [row.embedding for row in answer.data]
    assert [row.index for row in answer.data] == [0, 1, 2, 3] and answer.usage.total_tokens > 40
    coffee, yoga = (
        [sum(a * b for a, b in zip(text, design, strict=True)) for design in vectors[2:]] for text in vectors[:2]
    )
    assert coffee[1] > coffee[0] and yoga[0] > yoga[1]
    plain = client.embeddings.create(model="starter-embedding", input=texts[0], encoding_format="float", dimensions=64)
    assert len(plain.data[0].embedding) == 64


def test_embeddings_of_a_language_model_are_refused(client: openai.OpenAI):
    with pytest.raises(openai.BadRequestError, match="contrastive") as refused:
        client.embeddings.create(model="tiny", input="coffee")
    assert refused.value.code == "unsupported_model"
