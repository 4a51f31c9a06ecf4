"""A folder of MIDI files to a model that plays: from random weights, on from one, resumed, and what is refused."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from ml_audio.data import pieces
from ml_audio.music.composer import compose
from ml_audio.music.generate import generate_music
from ml_audio.music.interchange import to_midi
from ml_audio.music.model import load
from ml_audio.settings import AudioSettings
from ml_audio.trainers import TRAINERS
from ml_audio.trainers.music import Args, main
from shared.errors import InvalidRequest
from tests.unit.services import settings_in


@pytest.fixture
def settings(tmp_path) -> AudioSettings:
    return settings_in(tmp_path / "data", AudioSettings)


@pytest.fixture
def folder(tmp_path) -> Path:
    home = tmp_path / "tunes"
    (home / "more").mkdir(parents=True)
    rng = random.Random(1)
    for number in range(8):
        path = home / ("more" if number % 2 else "") / f"{number}.mid"
        path.write_bytes(to_midi(compose(rng, 8, style="folk", instruments=("guitar",))))
    return home


def options(folder: Path, **given) -> Args:
    return Args(
        **{
            "dataset": [folder], "preset": "tiny", "max_steps": 12, "batch_size": 2, "sequence_length": 512,
            "warmup_steps": 2, "log_steps": 4, "validation_fraction": 0.25, "name": "tunes", "learning_rate": 1e-2,
            **given,
        }
    )  # fmt: skip


def test_from_files_to_a_model_that_plays_and_goes_on(folder, settings):
    assert main(options(folder), settings) == "tunes"
    run = settings.data_dir / "runs" / "tunes"
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    losses = [event["validation_loss"] for event in events if "validation_loss" in event]
    assert losses[-1] < losses[0]
    assert any(event.get("sounds") for event in events)
    card = json.loads((run / "result.json").read_text())
    assert card["trainer"] == "music" and card["pieces"] == 8 and card["parity"]["apart"] < 0.02
    model = load(run / "model")
    assert generate_music(model, "a tune for guitar", 4.0, seed=1)[0].any()
    again = main(options(folder, model="tunes", name="tunes-2", max_steps=2, learning_rate=1e-4), settings)
    result = json.loads((settings.data_dir / "runs" / again / "result.json").read_text())
    assert result["metrics"]["best_loss"] < losses[0]


def test_pieces_are_held_out_whole_and_long_ones_cut(folder, tmp_path):
    long = compose(random.Random(2), 64, instruments=("piano",))
    parts = list(pieces.excerpts(long, 200))
    assert len(parts) > 2 and sum(part.bars for part in parts) == 64
    assert all(len(pieces.sample(part).ids) <= 200 for part in parts)
    prepared = pieces.prepare(options(folder), tmp_path / "run")
    assert prepared.pieces == 8 and len(prepared.validation) and not prepared.skipped
    assert np.array_equal(pieces.prepare(options(folder), tmp_path / "run").train.ids, prepared.train.ids)


def test_bad_files_stop_the_run_or_are_skipped(folder, tmp_path):
    (folder / "broken.mid").write_bytes(b"MThd and no more")
    with pytest.raises(InvalidRequest, match=r"broken\.mid"):
        pieces.prepare(options(folder), tmp_path / "run")
    assert pieces.prepare(options(folder, on_bad_row="skip"), tmp_path / "run").skipped == 1
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InvalidRequest, match="no file ends"):
        pieces.prepare(options(empty), tmp_path / "run")


def test_it_is_a_row_of_the_table():
    assert TRAINERS["music"].main is main
