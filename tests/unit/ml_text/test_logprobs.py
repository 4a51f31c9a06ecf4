"""Log-probabilities over HTTP: those of a plain forward pass, with the text they belong to; echo, scoring, best_of."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from starlette.testclient import TestClient
from transformers import AutoModelForCausalLM

from ml_text.grammar import GrammarCompiler
from tests.unit.ml_text.conftest import VOCABULARY

PROMPT = "the quick brown fox jumps over"
CHAT = {"messages": [{"role": "user", "content": "the quick 🦊"}], "max_tokens": 14}


@pytest.fixture
def folder(save_model: Any) -> Path:
    return save_model(max_position_embeddings=512)


@pytest.fixture
def client(folder: Path, serve: Any) -> TestClient:
    return serve(folder, dtype="float32", prefill_tokens=16)


def complete(client: TestClient, prompt: Any = PROMPT, **more: Any) -> dict[str, Any]:
    answer = client.post("/v1/completions", json={"prompt": prompt, "temperature": 0, **more})
    assert answer.status_code == 200, answer.text
    if not more.get("echo"):  # OpenAI itself says null for the first token of a prompt, which its types do not allow
        Completion.model_validate(answer.json())
    return answer.json()


def events(text: str) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def forward(folder: Path, ids: list[int]) -> torch.Tensor:
    """(T, V) log-probabilities of what follows each token."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        return torch.log_softmax(model(torch.tensor([ids])).logits[0], -1)


def test_the_answers_are_those_of_a_forward_pass(client: TestClient, folder: Path, tokenizer: Any) -> None:
    """At temperature 1.5 with a penalty: what is told is the model's own distribution all the same."""
    ids = tokenizer(PROMPT)["input_ids"]
    body = {"max_tokens": 12, "logprobs": 5, "temperature": 1.5, "seed": 3, "frequency_penalty": 1.0}
    (choice,) = complete(client, **body)["choices"]
    told = choice["logprobs"]
    spell = GrammarCompiler(tokenizer).vocabulary.tokens.decode_bytes
    known = {spell([id]): id for id in range(VOCABULARY)}
    written = [known[unspelled(token)] for token in told["tokens"]]
    logs = forward(folder, [*ids, *written])[len(ids) - 1 :]
    own = [logs[place, id].item() for place, id in enumerate(written)]
    assert told["token_logprobs"] == pytest.approx(own, abs=2e-4)
    for place, top in enumerate(told["top_logprobs"]):
        best = logs[place].topk(5).values.tolist()
        assert sorted(top.values(), reverse=True)[:5] == pytest.approx(best, abs=2e-4)
    said = b"".join(map(unspelled, told["tokens"]))
    assert said.decode(errors="replace").rstrip("�") == choice["text"]
    starts = [len(b"".join(map(unspelled, told["tokens"][:n])).decode(errors="ignore")) for n in range(12)]
    assert told["text_offset"] == starts or "�" in choice["text"]


def unspelled(token: str) -> bytes:
    """The bytes of a token as OpenAI writes it."""
    return bytes.fromhex(token[6:].replace("\\x", "")) if token.startswith("bytes:") else token.encode()


@pytest.mark.parametrize("as_ids", [False, True])
@pytest.mark.parametrize("max_tokens", [0, 1])
def test_a_prompt_is_scored(client: TestClient, folder: Path, tokenizer: Any, as_ids: bool, max_tokens: int) -> None:
    """As lm-eval asks, over several pieces of 16 tokens."""
    text = " ".join([PROMPT] * 4)
    ids = tokenizer(text)["input_ids"]
    assert len(ids) > 40
    answer = complete(client, ids if as_ids else text, max_tokens=max_tokens, logprobs=1, echo=True)
    (choice,) = answer["choices"]
    told = choice["logprobs"]
    logs = forward(folder, ids)
    assert told["token_logprobs"][0] is None and told["top_logprobs"][0] is None
    own = [logs[place - 1, ids[place]].item() for place in range(1, len(ids))]
    assert told["token_logprobs"][1 : len(ids)] == pytest.approx(own, abs=2e-4)
    best = [logs[place - 1].max().item() for place in range(1, len(ids))]
    assert [max(top.values()) for top in told["top_logprobs"][1 : len(ids)]] == pytest.approx(best, abs=2e-4)
    assert len(told["tokens"]) == len(ids) + max_tokens and choice["text"].startswith(text)
    assert (choice["text"] == text) == (max_tokens == 0) and choice["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == max_tokens


def test_many_prompts_are_scored_beside_each_other(client: TestClient) -> None:
    texts = [" ".join(["fox"] * count) for count in (1, 30, 7)]
    together = complete(client, texts, max_tokens=0, logprobs=0, echo=True)["choices"]
    for text, choice in zip(texts, together, strict=True):
        (alone,) = complete(client, text, max_tokens=0, logprobs=0, echo=True)["choices"]
        assert alone["logprobs"]["token_logprobs"][1:] == pytest.approx(
            choice["logprobs"]["token_logprobs"][1:], abs=1e-5
        )
        assert choice["logprobs"]["top_logprobs"] is None and choice["text"] == text


def test_echo_without_scores(client: TestClient) -> None:
    plain, echoed = complete(client, max_tokens=4), complete(client, max_tokens=4, echo=True)
    assert echoed["choices"][0]["text"] == PROMPT + plain["choices"][0]["text"]
    assert echoed["choices"][0]["logprobs"] is None
    body = {"prompt": PROMPT, "temperature": 0, "max_tokens": 4, "echo": True, "stream": True, "logprobs": 2}
    chunks = events(client.post("/v1/completions", json=body).text)
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == echoed["choices"][0]["text"]
    whole = complete(client, max_tokens=4, echo=True, logprobs=2)["choices"][0]["logprobs"]
    for field in ("tokens", "token_logprobs", "text_offset"):
        streamed = [value for chunk in chunks for value in chunk["choices"][0]["logprobs"][field]]
        assert streamed == whole[field]


def test_a_stop_string_cuts_the_scores_too(client: TestClient) -> None:
    whole = complete(client, max_tokens=20, logprobs=0)["choices"][0]
    stop = whole["text"][8:11]
    cut = complete(client, max_tokens=20, logprobs=0, stop=stop)["choices"][0]
    kept, every = cut["logprobs"]["tokens"], whole["logprobs"]["tokens"]
    assert cut["finish_reason"] == "stop" and cut["text"] == whole["text"][:8]
    assert 0 < len(kept) < len(every) and kept == every[: len(kept)]
    before = [len(b"".join(map(unspelled, every[:n])).decode(errors="replace").rstrip("�")) for n in range(len(every))]
    assert before[len(kept) - 1] < 8 <= before[len(kept)] + 1


def test_the_best_of_many(client: TestClient) -> None:
    many = {"max_tokens": 6, "temperature": 1.2, "seed": 5, "logprobs": 0}
    every = complete(client, n=6, **many)["choices"]

    def score(choice: Any) -> float:
        values = choice["logprobs"]["token_logprobs"]
        return sum(values) / len(values)

    best = complete(client, n=2, best_of=6, **many)
    wanted = sorted(every, key=score, reverse=True)[:2]
    assert [choice["text"] for choice in best["choices"]] == [choice["text"] for choice in wanted]
    assert best["usage"]["completion_tokens"] == 36
    silent = complete(client, best_of=6, **{**many, "logprobs": None})["choices"]
    assert (silent[0]["text"], silent[0]["logprobs"]) == (wanted[0]["text"], None)


def test_chat(client: TestClient) -> None:
    body = {**CHAT, "logprobs": True, "top_logprobs": 3, "temperature": 1.0, "seed": 1}
    answer = client.post("/v1/chat/completions", json=body).json()
    ChatCompletion.model_validate(answer)
    (choice,) = answer["choices"]
    content = choice["logprobs"]["content"]
    said = b"".join(bytes(token["bytes"]) for token in content)
    assert said.decode(errors="replace").rstrip("�") == choice["message"]["content"]
    assert len(content) == 14 and all(len(token["top_logprobs"]) == 3 for token in content)
    assert all(token["logprob"] <= token["top_logprobs"][0]["logprob"] + 1e-5 for token in content)
    chunks = events(client.post("/v1/chat/completions", json={**body, "stream": True}).text)
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk)
    streamed = [token for chunk in chunks for token in (chunk["choices"][0]["logprobs"] or {"content": []})["content"]]
    assert streamed == content
    silent = client.post("/v1/chat/completions", json={**body, "top_logprobs": None}).json()
    assert all(token["top_logprobs"] == [] for token in silent["choices"][0]["logprobs"]["content"])


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("chat/completions", {**CHAT, "top_logprobs": 3}, "top_logprobs"),
        ("chat/completions", {**CHAT, "logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ("chat/completions", {**CHAT, "logprobs": 3}, "logprobs"),
        ("chat/completions", {**CHAT, "max_tokens": 0}, "max_tokens"),
        ("completions", {"prompt": "a", "logprobs": 6}, "logprobs"),
        ("completions", {"prompt": "a", "logprobs": True}, "logprobs"),
        ("completions", {"prompt": "a", "max_tokens": -1}, "max_tokens"),
        ("completions", {"prompt": "a", "n": 3, "best_of": 2}, "best_of"),
        ("completions", {"prompt": "a", "best_of": 2, "stream": True}, "best_of"),
        ("completions", {"prompt": "a", "best_of": 17}, "best_of"),
    ],
)
def test_what_does_not_go_together_is_refused(client: TestClient, path: str, body: Any, param: str) -> None:
    answer = client.post(f"/v1/{path}", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param), answer.text


def test_a_scored_prompt_may_fill_the_context(client: TestClient) -> None:
    filled = complete(client, [7] * 512, max_tokens=0, logprobs=0, echo=True)
    assert len(filled["choices"][0]["logprobs"]["tokens"]) == 512
    with pytest.raises(AssertionError, match="context_length_exceeded"):
        complete(client, [7] * 513, max_tokens=0, logprobs=0, echo=True)
