"""Errors as the client's exceptions, and the headers that it reads."""

from typing import Any

import openai
import pytest

ASK: Any = [{"role": "user", "content": "Hello"}]
PICTURE: Any = [
    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]}
]


def test_unknown_model(client: openai.OpenAI):
    with pytest.raises(openai.NotFoundError) as error:
        client.chat.completions.create(model="no-such-model", messages=ASK)
    assert error.value.code == "model_not_found" and error.value.request_id


def test_wrong_key(client: openai.OpenAI, model: str):
    with pytest.raises(openai.AuthenticationError) as error:
        client.with_options(api_key="sk-wrong").chat.completions.create(model=model, messages=ASK)
    assert error.value.code == "invalid_api_key"


def test_too_long(client: openai.OpenAI, model: str):
    with pytest.raises(openai.BadRequestError) as error:
        client.chat.completions.create(model=model, messages=[{"role": "user", "content": "fox " * 3000}])
    assert error.value.code == "context_length_exceeded"


@pytest.mark.parametrize(
    ("field", "value"),
    [("temperature", 9), ("max_tokens", 0), ("messages", []), ("n", 0), ("top_logprobs", 2), ("stop", ["a"] * 5)],
)
def test_wrong_values_are_named(client: openai.OpenAI, model: str, field: str, value: Any):
    asked: Any = {"model": model, "messages": ASK, field: value}
    with pytest.raises(openai.BadRequestError) as error:
        client.chat.completions.create(**asked)
    assert error.value.param == field and error.value.type == "invalid_request_error"


def test_what_a_text_model_cannot_do_is_refused(client: openai.OpenAI, model: str):
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model=model, messages=PICTURE)
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(
            model=model, messages=ASK, modalities=["text", "audio"], audio={"voice": "alloy", "format": "wav"}
        )


def test_an_early_failure_of_a_stream_keeps_its_status(client: openai.OpenAI):
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="no-such-model", messages=ASK, stream=True)


def test_headers(client: openai.OpenAI, model: str):
    raw = client.chat.completions.with_raw_response.create(model=model, messages=ASK, max_tokens=2)
    assert raw.headers["x-request-id"] and int(raw.headers["openai-processing-ms"]) >= 0
    assert raw.parse().choices and raw.request_id


def test_streamed_response(client: openai.OpenAI, model: str):
    asked: Any = {"model": model, "messages": ASK, "max_tokens": 4, "stream": True}
    with client.chat.completions.with_streaming_response.create(**asked) as response:
        lines = [line for line in response.iter_lines() if line]
    assert lines[-1] == "data: [DONE]" and all(line.startswith("data: ") for line in lines)


def test_unknown_route(client: openai.OpenAI):
    with pytest.raises(openai.NotFoundError) as error:
        client.get("/nowhere", cast_to=object)
    assert isinstance(error.value.body, dict) and set(error.value.body) == {"message", "type", "param", "code"}
