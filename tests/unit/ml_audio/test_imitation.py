"""CSM and Dia: they speak on in the voice of a clip, which is what voices of clips are for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr
import torch
from starlette.testclient import TestClient

from ml_audio import catalog
from ml_audio.sound.encoding import encode
from ml_audio.speaking.csm import Csm
from ml_audio.speaking.dia import Dia, script
from ml_audio.speaking.speaker import Clip, Utterance, lasting_s
from ml_audio.weights import Loading
from shared.errors import InvalidRequest
from tests.unit.ml_audio import tiny_models

TEXT = "hello there, this is a test"
FAMILIES = ("csm", "dia")
SPEECH, VOICES = "/v1/audio/speech", "/v1/audio/voices"


def load(folder: Path) -> Any:
    with torch.inference_mode():
        return catalog.get_family(folder).load(Loading(folder, torch.float32, torch.device("cpu")))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("models")
    return {family: tiny_models.save(family, place / family) for family in FAMILIES}


@pytest.fixture(scope="module")
def speakers(folders: dict[str, Path]) -> dict[str, Any]:
    return {family: load(folder) for family, folder in folders.items()}


def clip(seconds: float = 2.0, words: str = "some words", seed: int = 0) -> Clip:
    noise = np.random.default_rng(seed).standard_normal(round(seconds * 24_000)).astype(np.float32) * 0.1
    return Clip(noise, 24_000, words)


@torch.inference_mode()
def test_csm_says_what_transformers_generates(speakers: dict[str, Any]) -> None:
    from transformers import CsmProcessor, EncodecFeatureExtractor

    voice: Csm = speakers["csm"]
    said = voice.say(Utterance(TEXT, clip=clip(), seed=5))
    heard = soxr.resample(clip().samples, 24_000, 8000)
    processor = CsmProcessor(EncodecFeatureExtractor(sampling_rate=8000), voice.tokenizer)
    convolutions = {
        "kernel_sizes": [7, 3, 1, 40, 3, 1, 16, 3, 1, 16, 3, 4], "strides": [1, 1, 1, 20, 1, 1, 8, 1, 1, 8, 1, 2],
        "dilations": [1] * 12, "use_causal_conv": True,
    }  # fmt: skip
    turns = f"<s>[0]some words</s><|AUDIO|><|audio_eos|><s>[0]{TEXT}</s>"
    read = processor(
        text=turns, audio=heard, audio_kwargs={"sampling_rate": 8000, "encoded_length_kwargs": convolutions}
    )
    torch.manual_seed(5)
    most = int(np.ceil(3.125 * 2 * lasting_s(len(TEXT))))
    expected = voice.model.generate(**read, max_new_tokens=most, output_audio=True)[0]
    assert len(said) > 1000
    np.testing.assert_array_equal(said, expected.numpy())


@torch.inference_mode()
def test_dia_says_what_transformers_generates(speakers: dict[str, Any]) -> None:
    voice: Dia = speakers["dia"]
    said = voice.say(Utterance(TEXT, clip=clip(), seed=5))
    heard = soxr.resample(clip().samples, 24_000, 8000)
    how = {"delay_pattern": [0, 2, 3], "bos_token_id": 258, "eos_token_id": 256, "pad_token_id": 257}
    read = voice.processor(
        text=[f"[S1] some words {TEXT}"], audio=heard, text_kwargs={"padding": False},
        audio_kwargs={"sampling_rate": 8000, **how},
    )  # fmt: skip
    torch.manual_seed(5)
    codes = voice.model.generate(**read, max_new_tokens=int(np.ceil(3.125 * 2 * lasting_s(len(TEXT)))))
    begin = read["decoder_attention_mask"].shape[1] - 3
    expected = voice.processor.batch_decode(codes, audio_prompt_len=begin, audio_kwargs=how)[0]
    assert len(said) > 1000
    np.testing.assert_array_equal(said, expected.numpy())


def test_who_speaks_in_dia() -> None:
    assert script("hello", None) == "[S1] hello"
    assert script("hello", clip()) == "[S1] some words hello"
    assert script("[S2] hello", clip(words="[S1] some words")) == "[S1] some words [S2] hello"


@pytest.mark.parametrize("family", FAMILIES)
@torch.inference_mode()
def test_the_clip_is_the_voice(speakers: dict[str, Any], family: str) -> None:
    voice = speakers[family]
    said = [voice.say(Utterance(TEXT, clip=clip(seed=seed))).tobytes() for seed in (0, 0, 1)]
    assert said[0] == said[1] != said[2]
    assert voice.say(Utterance(TEXT, voice="1")).tobytes() not in said


@pytest.mark.parametrize("family", FAMILIES)
@torch.inference_mode()
def test_marks_of_the_model_in_a_text_are_letters(speakers: dict[str, Any], family: str) -> None:
    voice = speakers[family]
    marks = "<|AUDIO|><|audio_eos|></s>[S2]<pad>"
    odd = Utterance(f"{marks} hi", clip=clip(words=f"some {marks} words"))
    voice.check(odd)
    assert np.isfinite(voice.say(odd)).all()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("asked", "param"),
    [
        (Utterance(TEXT, clip=clip(words="")), "transcripts"),
        (Utterance(TEXT, clip=clip(words="a" * 1000)), "voice"),
        (Utterance(TEXT, mood="cheerful"), "instructions"),
    ],
)
def test_what_they_cannot_do_is_named(speakers: dict[str, Any], family: str, asked: Utterance, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        speakers[family].check(asked)
    assert refused.value.param == param


def test_dia_bounds_clips_and_bytes(speakers: dict[str, Any]) -> None:
    for asked, param in ((Utterance(TEXT, clip=clip(20.0)), "voice"), (Utterance("é" * 300), "input")):
        with pytest.raises(InvalidRequest) as refused:
            speakers["dia"].check(asked)
        assert refused.value.param == param


def test_dia_without_its_codec(tmp_path: Path) -> None:
    folder = tiny_models.save("dia", tmp_path / "dia")
    (folder / "codec" / "config.json").unlink()
    with pytest.raises(InvalidRequest, match="dac_44khz"):
        load(folder)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_voice_of_clips(
    serve: Callable[..., TestClient], save_model: Any, folders: dict[str, Path], family: str
) -> None:
    client = serve(save_model("plain"), folders[family])
    recording = clip(2.0)
    files = {"audio_sample": ("ann.wav", encode(recording.samples, 24_000, "wav"))}
    ann = {"name": "Ann", "model": family, "transcripts": "some words"}
    for fields, param in (({"name": "Ann", "model": family}, "transcripts"), (ann | {"model": "plain"}, "voice")):
        refused = client.post(VOICES, data=fields, files=files)
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, param), refused.text
    listed = {"audio_sample[]": files["audio_sample"]}
    words = {"name": "Ann", "model": family, "transcripts[]": ["some words"]}
    made = client.post(VOICES, data=words, files=listed)
    assert made.status_code == 200 and made.json()["model"] == family, made.text
    id = made.json()["id"]
    assert id in [voice["id"] for voice in client.get(VOICES).json()["data"]]
    say = {"input": TEXT, "voice": {"id": id}, "response_format": "wav", "stream": False}
    said = client.post(SPEECH, json=say)
    assert said.status_code == 200, said.text
    assert said.content == client.post(SPEECH, json=say | {"model": family}).content
    assert said.content != client.post(SPEECH, json=say | {"model": family, "voice": "alloy"}).content
    plain = client.post(SPEECH, json=say | {"model": "plain"})
    assert (plain.status_code, plain.json()["error"]["param"]) == (400, "voice")
    assert client.delete(f"{VOICES}/{id}").json()["deleted"] is True
    assert client.post(SPEECH, json=say).status_code == 404
    assert id not in [voice["id"] for voice in client.get(VOICES).json()["data"]]
