"""The recipe of the starters: its commands are such that the trainers take, and what is there is not made twice."""

from pathlib import Path

from deploy import audio_starters
from ml_audio.train import PROGRAM
from shared.training import launch


def test_the_recipe_is_understood_and_goes_on_where_it_was(tmp_path):
    work, starters, ran = tmp_path / "work", tmp_path / "starters", []

    def run(module: str, *arguments: str) -> None:
        ran.append(module)
        if module != "ml_audio.train":
            out = Path(arguments[1] if module == "ml_audio.corpus" else arguments[0])
            out.parent.mkdir(parents=True, exist_ok=True)
            out.touch() if out.suffix else out.mkdir(exist_ok=True)
            return
        args = launch.parse(PROGRAM, arguments[0], list(arguments[1:]))
        assert all(path.exists() for path in args.dataset)
        (args.output_dir / "model").mkdir(parents=True)
        (args.output_dir / "model" / "config.json").write_text(arguments[0])

    audio_starters.train(work, run, starters)
    assert {path.parent.name: path.read_text() for path in starters.glob("*/config.json")} == {
        "voice": "voice-scratch", "recogniser": "recogniser-scratch", "music": "music",
    }  # fmt: skip
    assert ran.count("ml_audio.train") == len(audio_starters.TRAININGS)
    ran.clear()
    audio_starters.train(work, run, starters)
    assert set(ran) == {"ml_audio.corpus"}, "whose shards say themselves what is missing"
