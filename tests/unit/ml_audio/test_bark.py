"""Bark: three models behind one another, and voices that are histories of what was said."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ml_audio import catalog
from ml_audio.speaking import strangers
from ml_audio.speaking.bark import Bark
from ml_audio.speaking.bark_voices import read_voices
from ml_audio.speaking.speaker import Utterance
from ml_audio.weights import Loading
from shared.errors import InvalidRequest
from tests.unit.ml_audio import tiny_models

TEXT = "hello there, this is a test"


def load(folder: Path) -> Bark:
    with torch.inference_mode():
        return catalog.get_family(folder).load(Loading(folder, torch.float32, torch.device("cpu")))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.save("bark", tmp_path_factory.mktemp("models") / "bark")


def history(seed: int, length: int = 30) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(seed)
    sizes = {"semantic_prompt": (length,), "coarse_prompt": (2, length), "fine_prompt": (4, length)}
    return {prompt: draw.integers(0, 16, size, np.int64) for prompt, size in sizes.items()}


def list_voices(folder: Path, voices: dict[str, dict[str, Any]]) -> None:
    """As the hub's repos have them."""
    listed: dict[str, Any] = {"repo_or_path": "somewhere/else"}
    for name, prompts in voices.items():
        listed[name] = {prompt: f"speaker_embeddings/{name}_{prompt}.npy" for prompt in prompts}
        for prompt, codes in prompts.items():
            path = folder / listed[name][prompt]
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, codes)
    (folder / "speaker_embeddings_path.json").write_text(json.dumps(listed))


@torch.inference_mode()
def test_it_says_what_transformers_generates(folder: Path) -> None:
    voice = load(folder)
    before = voice.stranger("3")
    said = voice.say(Utterance(TEXT, voice="3", seed=5))
    words = voice.tokenizer(TEXT, padding="max_length", max_length=128, add_special_tokens=False, return_tensors="pt")
    torch.manual_seed(5)
    expected = voice.model.generate(words["input_ids"], attention_mask=words["attention_mask"], history_prompt=before)
    assert len(said) > 1000
    np.testing.assert_array_equal(said, expected[0].numpy())


@torch.inference_mode()
def test_a_seed_is_a_voice(folder: Path) -> None:
    voice, again = load(folder), load(folder)
    assert voice.voices == strangers.VOICES
    one, other = (voice.stranger(name) for name in "12")
    assert one and other and not torch.equal(one["fine_prompt"], other["fine_prompt"])
    assert voice.stranger("1") is one and torch.equal(again.stranger("1")["fine_prompt"], one["fine_prompt"])


def test_voices_of_the_folder(tmp_path: Path) -> None:
    folder = tiny_models.save("bark", tmp_path / "bark")
    list_voices(folder, {"announcer": history(1), "v2/en_speaker_1": history(2), "v2/de_speaker_0": history(3)})
    (folder / "speaker_embeddings" / "v2" / "de_speaker_0_fine_prompt.npy").unlink()
    save_file({f"ann.{prompt}": torch.from_numpy(codes) for prompt, codes in history(4).items()},
              folder / "speakers.safetensors")  # fmt: skip
    voice = load(folder)
    assert voice.voices == ["ann", "v2/en_speaker_1", "announcer"]
    with torch.inference_mode():
        said = {name: voice.say(Utterance(TEXT, voice=name)).tobytes() for name in voice.voices}
    assert len(set(said.values())) == 3


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ({"coarse_prompt": np.array([{"a": 1}], dtype=object)}, "pickle"),
        ({"coarse_prompt": np.zeros((2, 30), np.float32)}, "float32"),
        ({"coarse_prompt": np.zeros(30, np.int64)}, "shape"),
        ({"semantic_prompt": np.full(30, 20)}, "beyond 19"),
        ({"fine_prompt": np.full((4, 30), -1)}, "beyond 15"),
    ],
)
def test_voices_that_are_none(tmp_path: Path, broken: dict[str, Any], why: str) -> None:
    list_voices(tmp_path, {"ann": history(1) | broken})
    with pytest.raises(InvalidRequest, match=why):
        read_voices(tmp_path, 20, 16)


def test_a_list_that_points_outside(tmp_path: Path) -> None:
    paths = dict.fromkeys(("semantic_prompt", "coarse_prompt", "fine_prompt"), "../secret.npy")
    (tmp_path / "speaker_embeddings_path.json").write_text(json.dumps({"ann": paths}))
    with pytest.raises(InvalidRequest, match="outside"):
        read_voices(tmp_path, 20, 16)


def test_too_long_a_sentence_is_refused(folder: Path) -> None:
    voice = load(folder)
    assert voice.limit == 128
    with pytest.raises(InvalidRequest, match="129 tokens") as refused:
        voice.check(Utterance("a" * 129))
    assert refused.value.param == "input"


def test_a_folder_that_is_not_whole(tmp_path: Path) -> None:
    folder = tiny_models.save("bark", tmp_path / "bark")
    (folder / "generation_config.json").unlink()
    with pytest.raises(InvalidRequest, match="generation_config"):
        load(folder)
