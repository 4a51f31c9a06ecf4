"""The project's own music model: a GPT over notes, in a grammar, played by a synthesiser; also as a MIDI file."""

from typing import Any

from ml_audio.composing.composer import Made, Piece
from ml_audio.music import model as music_model
from ml_audio.music.generate import generate_music
from ml_audio.music.synth.sound import SAMPLE_RATE_HZ
from ml_audio.weights import Loading


class Notes:
    def __init__(self, model: Any) -> None:
        self.model = model

    def compose(self, piece: Piece) -> Made:
        samples, midi = generate_music(
            self.model, piece.prompt, piece.duration_s, piece.seed, piece.temperature, **piece.fields
        )
        return Made(samples, SAMPLE_RATE_HZ, midi)


def load(how: Loading) -> Notes:
    return Notes(how.adapt(music_model.load(how.folder, how.dtype)).to(how.device))
