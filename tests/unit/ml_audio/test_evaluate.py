"""Error rates, and the evaluation of a voice and of a recogniser from the command line."""

import json

import pytest

from ml_audio.evaluate import Args, evaluate, main
from ml_audio.metrics import edits, error_rate
from shared.errors import InvalidRequest
from tests.unit.ml_audio.training import settings, tiny_recogniser, tiny_voice, write_clips


@pytest.mark.parametrize(
    ("said", "heard", "count"),
    [
        ("a b c", "a b c", 0),
        ("a b c", "a c", 1),
        ("a b", "a x b", 1),
        ("a b c", "x y z", 3),
        ("", "a", 1),
        ("a", "", 1),
    ],
)
def test_edits(said, heard, count):
    assert edits(said.split(), heard.split()) == count


def test_rates_are_over_all_together():
    assert error_rate([["a"] * 9, ["b"]], [["a"] * 9, ["c"]]) == 0.1
    assert error_rate([["a"]], [["x", "y", "z"]]) == 3


def test_a_recogniser_and_a_voice_are_scored(tmp_path, monkeypatch, capsys):
    clips = write_clips(tmp_path / "clips", 3)
    tiny_recogniser().save_pretrained(tmp_path / "ears")
    tiny_voice().save_pretrained(tmp_path / "mouth")
    found = evaluate(Args(model=str(tmp_path / "ears"), dataset=clips), settings(tmp_path))
    assert found["clips"] == 3 and [row["said"] for row in found["rows"]] == ["yes", "no", "one"] and found["wer"] > 0
    spoken = Args(model=str(tmp_path / "mouth"), recogniser=str(tmp_path / "ears"), dataset=clips, voice="bob", limit=2)
    assert evaluate(spoken, settings(tmp_path))["seconds"] > 0
    with pytest.raises(InvalidRequest, match="ann, bob"):
        evaluate(spoken.model_copy(update={"voice": "eve"}), settings(tmp_path))
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    options = ["--model", str(tmp_path / "ears"), "--dataset", str(clips), "--output", str(tmp_path / "report.json")]
    assert main(options) == 0
    assert json.loads(capsys.readouterr().out)["clips"] == len(
        json.loads((tmp_path / "report.json").read_text())["rows"]
    )
    assert main(["--model", str(tmp_path / "ears"), "--dataset", str(tmp_path / "none")]) == 2
