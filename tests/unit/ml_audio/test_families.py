"""The same assertions over every row of FAMILIES that has a tiny model: what is saved is loaded, speaks or hears."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ml_audio import catalog
from ml_audio.hearing.listener import RATE_HZ, Listener, Segment, Task
from ml_audio.sources import Source
from ml_audio.speaking.fastspeech2 import MOODS
from ml_audio.speaking.speaker import Clip, Speaker, Utterance
from ml_audio.weights import Loading
from shared.errors import InvalidRequest
from tests.unit.ml_audio import tiny_models

TEXT = "hello there, this is a test of a voice"
SPEAKERS = sorted(name for name in tiny_models.SAVE if catalog.FAMILIES[name].kind == "speech")
LISTENERS = sorted(name for name in tiny_models.SAVE if catalog.FAMILIES[name].kind == "recogniser")


def load(folder: Path) -> Any:
    with torch.inference_mode():
        return catalog.get_family(folder).load(Loading(folder, torch.float32, torch.device("cpu")))


@pytest.fixture(scope="module", params=SPEAKERS)
def speaker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Speaker:
    return load(tiny_models.save(request.param, tmp_path_factory.mktemp("models") / request.param))


@pytest.fixture(scope="module", params=LISTENERS)
def listener(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Listener:
    return load(tiny_models.save(request.param, tmp_path_factory.mktemp("models") / request.param))


def say(speaker: Speaker, **fields: Any) -> np.ndarray:
    with torch.inference_mode():
        return speaker.say(Utterance(**{"text": TEXT, **fields}))


def test_a_voice_speaks(speaker: Speaker) -> None:
    samples = say(speaker)
    assert samples.ndim == 1 and samples.dtype == np.float32 and np.isfinite(samples).all()
    assert len(samples) and speaker.sample_rate_hz >= 8_000 and speaker.limit >= 100
    np.testing.assert_array_equal(samples, say(speaker))
    assert all(len(say(speaker, voice=voice)) for voice in speaker.voices[:2])


def test_speed_changes_the_length(speaker: Speaker) -> None:
    slow, fast = (len(say(speaker, speed=speed)) for speed in (0.8, 2.0))
    assert fast < slow or slow < 2000, "too short to be stretched"


def test_what_cannot_be_said_is_nothing(speaker: Speaker) -> None:
    assert not len(say(speaker, text="🎉"))


def test_what_a_family_cannot_do_is_named(speaker: Speaker) -> None:
    clip = Clip(np.zeros(1000, np.float32), 24_000, "words")
    for utterance, param in (
        (Utterance(TEXT, mood="as a pirate"), "instructions"),
        (Utterance(TEXT, clip=clip), "voice"),
    ):
        try:
            speaker.check(utterance)
        except InvalidRequest as error:
            assert error.param == param


def hear(listener: Listener, samples: np.ndarray, task: Task) -> list[Segment]:
    hearing, at, found = listener.begin(task), 0, list[Segment]()
    with torch.inference_mode():
        while True:
            last = at + hearing.window >= len(samples)
            segments, step = hearing.hear(samples[at : at + hearing.window], at, last)
            found += segments
            assert step > 0
            if last:
                return found
            at += step


@pytest.mark.filterwarnings("ignore:std")  # of the attention over a single token
def test_a_recogniser_writes_in_order_within_the_recording(listener: Listener) -> None:
    seconds = 33.0
    noise = np.random.default_rng(0).standard_normal(round(seconds * RATE_HZ)).astype(np.float32) * 0.1
    segments = hear(listener, noise, Task(words=True, temperature=0.5))
    starts = [segment.start_s for segment in segments]
    assert starts == sorted(starts) and all(0 <= start <= seconds for start in starts)
    for segment in segments:
        assert segment.text and segment.end_s <= seconds + 0.1 and segment.logprob <= 0
        for word in segment.words:
            assert segment.start_s - 0.01 <= word.start_s <= word.end_s <= segment.end_s + 0.01


def test_whisper_translates_and_names_what_it_does_not_know(tmp_path: Path) -> None:
    whisper = load(tiny_models.save("whisper", tmp_path / "whisper"))
    noise = np.random.default_rng(0).standard_normal(4 * RATE_HZ).astype(np.float32) * 0.1
    segments = hear(whisper, noise, Task("translate", language="de", prompt="words", temperature=0.5))
    assert {segment.language for segment in segments} <= {"de"}
    with pytest.raises(InvalidRequest) as refused:
        whisper.begin(Task(language="fr"))
    assert refused.value.param == "language"


def test_moods_bend_the_voice(tmp_path: Path) -> None:
    voice = load(tiny_models.save("fastspeech2_conformer", tmp_path / "voice"))
    plain = say(voice)
    for name, (words, _) in MOODS.items():
        assert name in words.split()
        voice.check(Utterance(TEXT, mood=f"Please be {name}!"))
        assert not np.array_equal(say(voice, mood=f"Please be {name}!"), plain), name
    np.testing.assert_array_equal(say(voice), plain)
    with pytest.raises(InvalidRequest, match="cheerful"):
        voice.check(Utterance(TEXT, mood="like a pirate"))


def test_a_voice_from_elsewhere_says_what_it_lacks(tmp_path: Path) -> None:
    folder = tiny_models.save("speecht5", tmp_path / "voice")
    (folder / "vocoder" / "config.json").unlink()
    with pytest.raises(InvalidRequest, match="vocoder"):
        load(folder)
    assert Source("a", folder, 0).key == str(folder)


def test_an_architecture_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(InvalidRequest, match="bert"):
        catalog.get_family(tmp_path)
