"""MusicGen: from words to sound, in windows where the piece is longer than the model's context."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from starlette.testclient import TestClient

from ml_audio import catalog
from ml_audio.composing.composer import Piece
from ml_audio.composing.musicgen import LONGEST_S, TINY, MusicGen, describe
from ml_audio.sound.reading import open_recording, read_mono
from ml_audio.weights import Loading
from shared.errors import InvalidRequest
from tests.unit.ml_audio import tiny_models

PIECE = Piece("calm piano", 1.5, seed=3)


def load(folder: Path) -> MusicGen:
    return catalog.get_family(folder).load(Loading(folder, torch.float32, torch.device("cpu")))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.save("musicgen", tmp_path_factory.mktemp("models") / "musicgen")


@pytest.fixture(scope="module")
def composer(folder: Path) -> MusicGen:
    return load(folder)


@torch.inference_mode()
def test_a_piece_is_what_the_model_generates(composer: MusicGen) -> None:
    made = composer.compose(PIECE)
    torch.manual_seed(3)
    words = composer.tokenizer("calm piano", return_tensors="pt")
    expected = composer.model.generate(
        input_ids=words["input_ids"], attention_mask=words["attention_mask"], max_new_tokens=38 + 3
    )
    assert (made.sample_rate_hz, made.samples.shape, made.midi) == (8000, (12_000, 1), None)
    np.testing.assert_array_equal(made.samples[:, 0], expected[0, 0, :12_000].numpy())


@torch.inference_mode()
def test_a_long_piece_goes_on_from_what_there_is(composer: MusicGen) -> None:
    long = composer.compose(Piece("calm piano", 4.0, seed=3)).samples
    assert long.shape == (32_000, 1) and np.isfinite(long).all()
    window = composer.context * composer.hop
    assert window < 2 * 8000, "it took more than two windows"
    alone = composer.compose(Piece("calm piano", window / 8000, seed=3)).samples
    np.testing.assert_array_equal(long[: window - 160], alone[: window - 160])
    assert not np.array_equal(alone, composer.compose(Piece("calm piano", window / 8000, seed=4)).samples)


@torch.inference_mode()
def test_two_channels(tmp_path: Path) -> None:
    decoder = {**TINY["decoder"], "audio_channels": 2, "num_codebooks": 8}
    made = load(tiny_models.save("musicgen", tmp_path / "stereo", decoder=decoder)).compose(Piece("calm", 1))
    assert made.samples.shape == (8_000, 2) and not np.array_equal(made.samples[:, 0], made.samples[:, 1])


def test_fields_become_words() -> None:
    fields = {"mood": "sad", "tonic": 10, "mode": "minor", "tempo_bpm": 72.0, "meter": "3/4"}
    piece = Piece("A slow waltz. ", 5, fields={**fields, "instruments": ("piano", "cello")})
    assert describe(piece) == "A slow waltz, sad, in B flat minor, 72 bpm, 3/4 time, with piano and cello"
    assert describe(Piece("rain", 5)) == "rain"


@pytest.mark.parametrize(
    ("piece", "param"),
    [
        (Piece("calm", 0.5), "duration"),
        (Piece("calm", LONGEST_S + 1), "duration"),
        (Piece("calm", 2, midi=True), "response_format"),
    ],
)
def test_what_it_cannot_play_is_named(composer: MusicGen, piece: Piece, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        composer.compose(piece)
    assert refused.value.param == param


def test_a_folder_that_is_not_whole(tmp_path: Path) -> None:
    folder = tiny_models.save("musicgen", tmp_path / "musicgen")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(InvalidRequest, match="tokenizer"):
        load(folder)
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(InvalidRequest, match="cannot be read"):
        load(folder)


def test_music_over_http(serve: Callable[..., TestClient], save_model: Any, folder: Path) -> None:
    client = serve(save_model("voice"), folder, music="musicgen")
    body = {"prompt": "calm piano", "duration": 1.5, "seed": 3}
    wav = client.post("/v1/audio/generate", json=body | {"tempo": 80, "key": "D minor"})
    assert wav.status_code == 200 and wav.headers["x-audio-model"] == "musicgen", wav.text
    assert open_recording(wav.content, 60).stream.rate == 44_100
    assert len(read_mono(wav.content, 44_100, 60)) == 1.5 * 44_100
    midi = client.post("/v1/audio/generate", json=body | {"response_format": "midi"})
    assert (midi.status_code, midi.json()["error"]["param"]) == (400, "response_format")
