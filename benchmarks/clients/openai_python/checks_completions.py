"""Completions and embeddings."""

import math
from typing import Any

import openai
import pytest

PROMPT = "the quick brown"


def test_whole_and_streamed(client: openai.OpenAI, lenient: openai.OpenAI, model: str):
    asked: Any = {"model": model, "prompt": PROMPT, "max_tokens": 8, "temperature": 0}
    whole = client.completions.create(**asked)
    assert whole.object == "text_completion" and whole.choices[0].text
    chunks = list(lenient.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == whole.choices[0].text
    assert chunks[-1].usage == whole.usage


@pytest.mark.parametrize("prompt", [["one", "two"], [5, 6, 7], [[5, 6], [7, 8, 9]]], ids=["texts", "ids", "lists"])
def test_prompts(client: openai.OpenAI, model: str, prompt: Any):
    answer = client.completions.create(model=model, prompt=prompt, max_tokens=3)
    wanted = 1 if isinstance(prompt[0], int) else 2
    assert [choice.index for choice in answer.choices] == list(range(wanted))


def test_n_and_best_of(client: openai.OpenAI, model: str):
    answer = client.completions.create(model=model, prompt=PROMPT, max_tokens=4, n=2, best_of=4, temperature=1)
    assert len(answer.choices) == 2


def test_echo_scores_the_prompt(lenient: openai.OpenAI, model: str):
    answer = lenient.completions.create(model=model, prompt=PROMPT, max_tokens=0, echo=True, logprobs=2)
    found = answer.choices[0].logprobs
    assert answer.choices[0].text == PROMPT and found and found.tokens and found.token_logprobs
    assert "".join(found.tokens) == PROMPT
    assert found.token_logprobs[0] is None and all(value < 0 for value in found.token_logprobs[1:])


def test_logprobs_have_their_places(lenient: openai.OpenAI, model: str):
    answer = lenient.completions.create(model=model, prompt=PROMPT, max_tokens=5, logprobs=1, echo=True)
    found = answer.choices[0].logprobs
    assert found and found.text_offset and found.text_offset[0] == 0
    assert found.text_offset == sorted(found.text_offset)


def test_suffix_is_a_hint(client: openai.OpenAI, model: str):
    assert client.completions.create(model=model, prompt=PROMPT, suffix=" dog", max_tokens=2).choices


def test_embeddings_by_default(lenient: openai.OpenAI, embedding_model: str):
    """With nothing said the client asks for base64 and unpacks it."""
    answer = lenient.embeddings.create(model=embedding_model, input=["coffee", "yoga"])
    assert [row.index for row in answer.data] == [0, 1] and answer.usage.total_tokens > 0
    assert all(math.isclose(math.hypot(*row.embedding), 1, rel_tol=1e-3) for row in answer.data)


def test_embeddings_as_floats(client: openai.OpenAI, lenient: openai.OpenAI, embedding_model: str):
    plain = client.embeddings.create(model=embedding_model, input="coffee", encoding_format="float", dimensions=32)
    packed = lenient.embeddings.create(model=embedding_model, input="coffee", dimensions=32)
    assert len(plain.data[0].embedding) == 32
    assert plain.data[0].embedding == pytest.approx(packed.data[0].embedding, rel=1e-5)


def test_foreign_token_ids_are_refused(client: openai.OpenAI, embedding_model: str):
    with pytest.raises(openai.BadRequestError):
        client.embeddings.create(model=embedding_model, input=[[99_999_999, 3]])


def test_empty_input_is_refused(client: openai.OpenAI, embedding_model: str):
    with pytest.raises(openai.BadRequestError) as error:
        client.embeddings.create(model=embedding_model, input=[])
    assert error.value.param == "input"
