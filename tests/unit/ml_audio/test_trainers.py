"""Trainers on tiny models: what is published is what was trained, adapters change their base, a stopped run goes on."""

import base64
import json
from pathlib import Path

import pytest
import torch

from ml_audio import loading
from ml_audio.models.pronouncer import Pronouncer
from ml_audio.models.recogniser import Recogniser
from ml_audio.models.voice import Voice
from ml_audio.sound.reading import read_mono
from ml_audio.sources import Sources
from ml_audio.trainers import pronouncer, recogniser, recogniser_scratch, vocoder, voice, voice_scratch, wavenet
from shared import registry
from shared.errors import InvalidRequest
from tests.unit.ml_audio.training import settings, tiny_recogniser, tiny_voice, write_clips

# peft 0.21 asks transformers 5.23 by a name that it is leaving
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
FAST = {"precision": "fp32", "save_dtype": "float32"}


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    return write_clips(tmp_path / "my clips")


@pytest.fixture
def base_recogniser(tmp_path: Path) -> Path:
    tiny_recogniser().save_pretrained(tmp_path / "ears")
    return tmp_path / "ears"


@pytest.fixture
def base_voice(tmp_path: Path) -> Path:
    tiny_voice().save_pretrained(tmp_path / "mouth")
    return tmp_path / "mouth"


def version(tmp_path: Path, name: str) -> registry.Version:
    return registry.resolve(tmp_path / "data", name)


def test_a_recogniser_learns_words_from_clips(tmp_path, clips):
    args = recogniser_scratch.Args(
        dataset=[clips],
        preset="tiny",
        max_steps=400,
        batch_size=12,
        learning_rate=0.02,
        augment=0.0,
        validation_fraction=0.0,
        warmup_steps=10,
    )
    name = recogniser_scratch.main(args, settings(tmp_path))
    assert name == "my-clips"
    heard = Recogniser.from_pretrained(version(tmp_path, name).path)
    recordings = [clips / "wavs" / f"c00{number}.wav" for number in (0, 5, 3)]
    recordings = [torch.from_numpy(read_mono(path.read_bytes(), 16_000, 30.0)) for path in recordings]
    said = [" ".join(word.text for word in heard.transcribe(samples, 1)) for samples in recordings]
    assert said == ["yes", "blue", "two"]
    card = version(tmp_path, name).card
    assert card["parity"]["checked"] and card["clips"] == 12 and card["service"] == "audio"


@pytest.mark.parametrize(("rank", "quantize"), [(0, None), (4, None), (4, "nf4")])
def test_a_recogniser_goes_on_from_a_base(tmp_path, clips, base_recogniser, rank, quantize):
    args = recogniser.Args(
        dataset=[clips],
        model=str(base_recogniser),
        name="mine",
        rank=rank,
        quantize=quantize,
        max_steps=30,
        learning_rate=0.01,
        augment=0.0,
    )
    recogniser.main(args, settings(tmp_path))
    found = version(tmp_path, "mine")
    assert (found.path / "adapter_config.json").exists() == bool(rank)
    lines = [json.loads(line) for line in (tmp_path / "data/runs/mine/events.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    assert losses[-1] < 0.8 * losses[0]


def test_training_4_bit_weights_themselves_is_refused(tmp_path, clips, base_recogniser):
    args = recogniser.Args(dataset=[clips], model=str(base_recogniser), quantize="nf4")
    with pytest.raises(InvalidRequest, match="give a rank"):
        recogniser.main(args, settings(tmp_path))


@pytest.mark.parametrize(("rank", "quantize"), [(0, None), (4, None), (4, "nf4")])
def test_a_voice_is_adapted_to_clips(tmp_path, clips, base_voice, rank, quantize):
    args = voice.Args(
        dataset=[clips],
        model=str(base_voice),
        name="mine",
        rank=rank,
        quantize=quantize,
        max_steps=30,
        batch_size=4,
        speaker="bob",
        validation_fraction=0.25,
    )
    voice.main(args, settings(tmp_path))
    found = version(tmp_path, "mine")
    assert (found.path / "adapter_config.json").exists() == bool(rank)
    assert found.card["parity"]["checked"] and found.card["clips"] == 9
    lines = [json.loads(line) for line in (tmp_path / "data/runs/mine/events.jsonl").read_text().splitlines()]
    losses = [line["validation_loss"] for line in lines if "validation_loss" in line]
    assert losses[-1] < 0.9 * losses[0]
    (shown, *_) = [line["sounds"][0] for line in lines if "sounds" in line]
    assert read_mono(base64.b64decode(shown["b64_json"]), 16_000, 30.0).any() and shown["format"] == "mp3"
    sources = Sources(settings(tmp_path))
    base = sources.fetch(str(base_voice))
    served = loading.load(
        base if rank else sources.find("mine"), sources.find("mine") if rank else None, settings(tmp_path)
    )
    said, before = served.voice.spectrogram(["a", "b"], "bob"), tiny_voice().spectrogram(["a", "b"], "bob")
    assert said[0].shape != before[0].shape or not torch.allclose(said[0], before[0], atol=1e-2)


def test_a_voice_from_nothing_speaks(tmp_path, clips, base_voice):
    args = voice_scratch.Args(dataset=[clips], guide=str(base_voice), preset="tiny", name="new", max_steps=20, **FAST)
    voice_scratch.main(args, settings(tmp_path))
    made = Voice.from_pretrained(version(tmp_path, "new").path)
    assert made.speakers == [""] and made.pronouncer.config.phonemes == tiny_voice().pronouncer.config.phonemes
    mel, frames = made.spectrogram(["a", "b", "."])
    assert len(mel) == max(1, int(frames.sum()))


def test_a_voice_goes_on_from_another_that_lacks_a_phoneme(tmp_path, clips, base_voice):
    first, more = tmp_path / "one voice", {"guide": str(base_voice), "preset": "tiny", "max_steps": 4, **FAST}
    one = tiny_voice(speakers=1)
    one.phonemes.remove("s")
    one.save_pretrained(first)
    voice_scratch.main(voice_scratch.Args(dataset=[clips], init=first, name="on", **more), settings(tmp_path))
    assert Voice.from_pretrained(version(tmp_path, "on").path).phonemes == one.phonemes
    with pytest.raises(InvalidRequest, match="ann, bob"):
        voice_scratch.main(voice_scratch.Args(dataset=[clips], init=base_voice, **more), settings(tmp_path))


def test_a_voice_that_the_base_does_not_have_is_named(tmp_path, clips, base_voice):
    with pytest.raises(InvalidRequest, match="ann, bob"):
        voice.main(voice.Args(dataset=[clips], model=str(base_voice), speaker="eve"), settings(tmp_path))


def test_a_stopped_run_goes_on_as_if_nothing_had_been(tmp_path, clips, base_voice):
    given = {
        "dataset": [clips],
        "model": str(base_voice),
        "rank": 0,
        "batch_size": 4,
        "max_steps": 8,
        "save_steps": 4,
        "keep_checkpoints": 9,
        "publish": False,
    }
    whole = voice.main(voice.Args(**given, output_dir=tmp_path / "whole"), settings(tmp_path))
    voice.main(voice.Args(**given, output_dir=tmp_path / "cut"), settings(tmp_path))
    for later in (tmp_path / "cut" / "checkpoints").glob("*8.pt"):
        later.unlink()
    cut = voice.main(voice.Args(**given, output_dir=tmp_path / "cut", resume=True), settings(tmp_path))
    ours, theirs = (Voice.from_pretrained(Path(folder)).acoustic.state_dict() for folder in (whole, cut))
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items()), "running means of norms, too"


@pytest.mark.parametrize("trainer", [vocoder, wavenet])
def test_sound_is_learnt_from_recordings(tmp_path, clips, trainer):
    small = (
        {"channels": 16, "hidden": 32, "layers": 1}
        if trainer is vocoder
        else {"residual": 8, "skip": 16, "cycle": 4, "cycles": 1}
    )
    args = trainer.Args(
        dataset=[clips],
        name="sound",
        crop=16,
        batch_size=4,
        max_steps=40,
        log_steps=10,
        warmup_steps=5,
        learning_rate=0.01,
        **small,
    )
    trainer.main(args, settings(tmp_path))
    lines = [json.loads(line) for line in (tmp_path / "data/runs/sound/events.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    assert losses[-1] < 0.95 * losses[0]
    assert (version(tmp_path, "sound").path / "model.safetensors").is_file()


def test_a_pronouncer_learns_words_and_keeps_them(tmp_path):
    words = {
        "ab": "a b",
        "ba": "b a",
        "an": "a n",
        "na": "n a",
        "nab": "n a b",
        "the": "d a",
        "the^": "d n",
        "ad": "a d",
    }
    (tmp_path / "words.json").write_text(json.dumps(words))
    args = pronouncer.Args(
        dataset=[tmp_path / "words.json"],
        name="reads",
        channels=32,
        hidden=64,
        layers=1,
        max_steps=150,
        learning_rate=0.01,
        warmup_steps=10,
        validation_fraction=0,
    )
    pronouncer.main(args, settings(tmp_path))
    made = Pronouncer.from_pretrained(version(tmp_path, "reads").path)
    assert made.pronounce("the ab, the nab.") == ["d", "n", "a", "b", ",", "d", "a", "n", "a", "b", "."]
    made.lexicon.clear()
    assert made.pronounce("ban ab") == ["b", "a", "n", "a", "b"]
    with pytest.raises(InvalidRequest, match="no JSON"):
        pronouncer.main(args.model_copy(update={"dataset": [tmp_path / "gone.json"]}), settings(tmp_path))
