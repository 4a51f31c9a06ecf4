"""Encoders of every family: the vectors are those of the formulas, whatever else is in the batch; OpenAI's shapes."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from starlette.testclient import TestClient
from transformers import AutoModel, AutoTokenizer

from ml_text import catalog
from ml_text.encoder import Encoder, load_encoder
from ml_text.pooling import write_pooling
from ml_text.sources import Source
from shared.errors import InvalidRequest
from tests.unit.ml_text.conftest import VOCABULARY

TEXTS = ["the quick brown fox", "a", "lazy dogs jump over quick foxes, over and over again", "é🦊"]


@pytest.fixture
def save_encoder(tmp_path: Path, tokenizer: Any) -> Callable[..., Path]:
    """save_encoder(family, **config) -> the folder of a tiny encoder with random weights."""

    def save(family: str = "bert", name: str = "encoder", **config: Any) -> Path:
        torch.manual_seed(0)
        model = catalog.build(family, vocab_size=VOCABULARY, **config)
        model.save_pretrained(tmp_path / name)
        tokenizer.save_pretrained(tmp_path / name)
        return tmp_path / name

    return save


def open_encoder(folder: Path, settings: Any) -> Encoder:
    return load_encoder(Source(folder.name, folder, 0), settings(dtype="float32"))


def embed(encoder: Encoder, texts: list[str]) -> np.ndarray:
    rows = encoder.tokenize(texts)
    made = {}
    for places in encoder.batches(rows):
        made.update(zip(places, encoder.encode([rows[place] for place in places]), strict=True))
    return np.stack([made[place] for place in range(len(rows))])


def states(folder: Path, text: str) -> torch.Tensor:
    """(T, C), the straight way: one text, no padding."""
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    ids = torch.tensor([AutoTokenizer.from_pretrained(folder)(text)["input_ids"]])
    with torch.inference_mode():
        return model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0]


def unit(vector: torch.Tensor) -> np.ndarray:
    return (vector / vector.norm()).numpy()


FORMULAS = {
    "mean": lambda states: states.mean(0),
    "cls": lambda states: states[0],
    "max": lambda states: states.max(0).values,
    "lasttoken": lambda states: states[-1],
    "mean_sqrt_len_tokens": lambda states: states.sum(0) / len(states) ** 0.5,
    "weightedmean": lambda states: (
        (states * torch.arange(1, len(states) + 1)[:, None]).sum(0) / sum(range(len(states) + 1))
    ),
}


@pytest.mark.parametrize("family", catalog.ENCODERS)
def test_every_family_gives_the_mean_of_its_states(family: str, save_encoder: Any, settings: Any) -> None:
    folder = save_encoder(family)
    made = embed(open_encoder(folder, settings), TEXTS)
    expected = np.stack([unit(states(folder, text).mean(0)) for text in TEXTS])
    np.testing.assert_allclose(made, expected, atol=2e-6)
    assert np.abs(made[0] - made[2]).max() > 0.01, "vectors that are all alike prove nothing"


@pytest.mark.parametrize("mode", FORMULAS)
def test_the_folders_pooling(mode: str, save_encoder: Any, settings: Any) -> None:
    folder = save_encoder()
    write_pooling(folder, 32, 200, mode)
    made = embed(open_encoder(folder, settings), TEXTS)
    expected = np.stack([unit(FORMULAS[mode](states(folder, text))) for text in TEXTS])
    np.testing.assert_allclose(made, expected, atol=2e-6)


def test_two_ways_beside_each_other_a_dense_layer_and_a_prefix(save_encoder: Any, settings: Any) -> None:
    folder = save_encoder()
    write_pooling(folder, 32, 200)
    (folder / "1_Pooling/config.json").write_text(json.dumps({"pooling_mode": ["cls", "mean"]}))
    modules = json.loads((folder / "modules.json").read_text())
    modules.insert(2, {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"})
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "2_Dense").mkdir()
    dense = {"in_features": 64, "out_features": 8, "bias": True, "activation_function": "torch.nn.modules.Tanh"}
    (folder / "2_Dense/config.json").write_text(json.dumps(dense))
    weight, bias = torch.randn(8, 64), torch.randn(8)
    save_file({"linear.weight": weight, "linear.bias": bias}, folder / "2_Dense/model.safetensors")
    prompts = {"prompts": {"query": "find: "}, "default_prompt_name": "query"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    seen = states(folder, "find: the fox")
    expected = unit(torch.tanh(weight @ torch.cat([seen[0], seen.mean(0)]) + bias))
    np.testing.assert_allclose(embed(open_encoder(folder, settings), ["the fox"])[0], expected, atol=2e-6)


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("modules.json", "{", "cannot be read"),
        ("modules.json", '[{"type": "a.Pooling", "path": "../../etc"}]', "leads out"),
        ("modules.json", '[{"type": "a.b.LSTM", "path": ""}]', "'LSTM'"),
        ("1_Pooling/config.json", "{}", "not known here"),
        ("1_Pooling/config.json", '{"pooling_mode": "sideways"}', "sideways"),
    ],
)
def test_a_folder_that_says_something_odd(file: str, content: str, says: str, save_encoder: Any, settings: Any) -> None:
    folder = save_encoder()
    write_pooling(folder, 32, 200)
    (folder / file).write_text(content)
    with pytest.raises(InvalidRequest, match=says):
        open_encoder(folder, settings)


def test_a_language_model_serves_only_after_a_contrastive_pass(save_model: Any, settings: Any) -> None:
    folder = save_model()
    with pytest.raises(InvalidRequest, match="contrastive --model tiny") as refused:
        open_encoder(folder, settings)
    assert (refused.value.code, refused.value.param) == ("unsupported_model", "model")
    write_pooling(folder, 32, 200)
    made = embed(open_encoder(folder, settings), TEXTS)
    np.testing.assert_allclose(made[0], unit(states(folder, TEXTS[0]).mean(0)), atol=2e-6)


@pytest.fixture
def client(save_encoder: Any, save_model: Any, serve: Any) -> TestClient:
    return serve(save_model(), save_encoder())


def ask(client: TestClient, given: Any, **more: Any) -> Any:
    return client.post("/v1/embeddings", json={"model": "encoder", "input": given, **more})


def test_floats_and_base64_say_the_same(client: TestClient) -> None:
    plain, packed = ask(client, TEXTS).json(), ask(client, TEXTS, encoding_format="base64").json()
    assert [row["index"] for row in plain["data"]] == [0, 1, 2, 3] and plain["model"] == "encoder"
    decoded = [np.frombuffer(base64.b64decode(row["embedding"]), "<f4") for row in packed["data"]]
    np.testing.assert_array_equal(np.stack(decoded), np.float32([row["embedding"] for row in plain["data"]]))
    assert plain["usage"] == packed["usage"]
    assert plain["usage"]["prompt_tokens"] == plain["usage"]["total_tokens"] > len(TEXTS)


def test_token_ids_are_the_texts(client: TestClient, tokenizer: Any) -> None:
    ids = tokenizer(TEXTS)["input_ids"]
    texts = [row["embedding"] for row in ask(client, TEXTS).json()["data"]]
    assert [row["embedding"] for row in ask(client, ids).json()["data"]] == texts
    np.testing.assert_allclose(ask(client, ids[0]).json()["data"][0]["embedding"], texts[0], atol=1e-6)


def test_fewer_dimensions_have_length_one(client: TestClient) -> None:
    whole = np.array(ask(client, "fox").json()["data"][0]["embedding"])
    short = np.array(ask(client, "fox", dimensions=8).json()["data"][0]["embedding"])
    np.testing.assert_allclose(short, whole[:8] / np.linalg.norm(whole[:8]), atol=1e-6)


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"input": ""}, "input", None),
        ({"input": []}, "input", None),
        ({"input": ["fox", ""]}, "input[1]", None),
        ({"input": 7}, "input", None),
        ({"input": ["fox", 7]}, "input", None),
        ({"input": [100_257]}, "input[0]", None),
        ({"input": [-1]}, "input[0]", None),
        ({"input": "fox " * 300}, "input[0]", "context_length_exceeded"),
        ({"input": "x" * 1_000_000}, "input[0]", "context_length_exceeded"),
        ({"input": ["fox"] * 2049}, "input", None),
        ({"input": "fox", "dimensions": 33}, "dimensions", None),
        ({"input": "fox", "dimensions": 0}, "dimensions", None),
        ({"input": "fox", "encoding_format": "hex"}, "encoding_format", None),
        ({"input": "fox", "model": "tiny"}, "model", "unsupported_model"),
        ({}, "input", None),
    ],
)
def test_bad_input_names_the_field(client: TestClient, body: Any, param: str, code: str | None) -> None:
    answer = client.post("/v1/embeddings", json={"model": "encoder", **body})
    error = answer.json()["error"]
    assert answer.status_code == 400, answer.text
    assert error["param"].startswith(param) and (code is None or error["code"] == code), error


def test_an_encoder_writes_no_text_and_tells_what_it_is(client: TestClient) -> None:
    chat = {"model": "encoder", "messages": [{"role": "user", "content": "hi"}]}
    answer = client.post("/v1/chat/completions", json=chat)
    assert answer.status_code == 400 and answer.json()["error"]["code"] == "unsupported_model"
    assert client.get("/v1/models/encoder").json()["family"] == "bert"
    assert client.post("/v1/models/encoder/load").json()["loaded"] is True
