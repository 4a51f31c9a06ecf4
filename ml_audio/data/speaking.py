"""What a voice, a vocoder and a pronouncer learn from, as rows for the training loop.

Shapes: B clips, P phonemes, T frames, M mel bins, N samples, L letters.
"""

from dataclasses import dataclass

import numpy as np
import torch

from ml_audio.data.ragged import Shards
from ml_audio.models.pronouncer import encode
from ml_audio.models.spectrogram import HOP, Scale
from shared.errors import InvalidRequest
from shared.training.packing import IGNORED


def scale_of(shards: Shards, places: np.ndarray) -> Scale:
    """Of at most 400 clips."""
    some = places[:: max(1, len(places) // 400)]
    mel = np.concatenate([shards.get("mel", place).astype(np.float32) for place in some])
    pitch = np.concatenate([shards.get("pitch", place) for place in some])
    energy = np.concatenate([shards.get("energy", place) for place in some])
    voiced = pitch[pitch > 0]
    if not len(voiced):
        raise InvalidRequest("no clip has a voiced sound in it", param="dataset")
    return Scale(
        [round(float(x), 4) for x in mel.mean(0)],
        [round(float(x) + 1e-3, 4) for x in mel.std(0)],
        float(voiced.mean()),
        float(voiced.std()) + 1e-3,
        float(energy.mean()),
        float(energy.std()) + 1e-3,
    )


def grouped(lengths: np.ndarray, places: np.ndarray, size: int, seed: int = 0) -> list[np.ndarray]:
    """`places` in groups of like length, so that little is padding."""
    jitter = np.random.default_rng(seed).uniform(0.92, 1.08, len(places))
    ordered = places[np.argsort(lengths[places] * jitter)]
    return [ordered[at : at + size] for at in range(0, len(ordered), size)]


@dataclass
class VoiceRows:
    """Rows of `clips_per_row` clips for FastSpeech2Conformer."""

    shards: Shards
    places: np.ndarray
    phonemes: dict[str, int]
    speakers: dict[str, int]
    """Numbers of the voices that the rows name; empty for a model of one voice."""
    scale: Scale
    clips_per_row: int
    unknown: int = 1
    """Of a phoneme that the model has no number for."""

    def __post_init__(self) -> None:
        lengths = self.shards.lengths("mel")
        self.rows = grouped(lengths, self.places, self.clips_per_row)
        self.frames = np.array([int(lengths[row].sum()) for row in self.rows])

    def __len__(self) -> int:
        return len(self.rows)

    def loss_tokens(self, index: np.ndarray) -> int:
        return int(self.frames[index].sum())

    tokens = loss_tokens

    def batch(self, index: np.ndarray) -> dict[str, torch.Tensor]:
        places = [place for row in index for place in self.rows[row]]
        ids = [
            [self.phonemes.get(name, self.unknown) for name in self.shards.row(place)["phonemes"]] for place in places
        ]
        count, longest = len(places), max(map(len, ids))
        frames = max(len(self.shards.get("mel", place)) for place in places)
        batch = {
            name: torch.zeros(count, longest, dtype=torch.long)
            for name in ("input_ids", "attention_mask", "duration_labels")
        }
        batch |= {name: torch.zeros(count, longest, 1) for name in ("pitch_labels", "energy_labels")}
        batch["spectrogram_labels"] = torch.full((count, frames, len(self.scale.mel_mean)), float(IGNORED))
        scale = self.scale
        for at, (place, numbers) in enumerate(zip(places, ids, strict=True)):
            size = len(numbers)
            mel = scale.mel(torch.from_numpy(self.shards.get("mel", place).astype(np.float32)))
            pitch = self.shards.get("pitch", place)
            pitch = np.where(pitch > 0, (pitch - scale.pitch_mean) / scale.pitch_std, 0)  # unvoiced is the mean
            energy = (self.shards.get("energy", place) - scale.energy_mean) / scale.energy_std
            batch["input_ids"][at, :size] = torch.tensor(numbers)
            batch["attention_mask"][at, :size] = 1
            batch["duration_labels"][at, :size] = torch.from_numpy(self.shards.get("durations", place).astype(np.int64))
            batch["pitch_labels"][at, :size, 0] = torch.from_numpy(pitch.astype(np.float32))
            batch["energy_labels"][at, :size, 0] = torch.from_numpy(energy.astype(np.float32))
            batch["spectrogram_labels"][at, : len(mel)] = mel
        if self.speakers:
            batch["speaker_ids"] = torch.tensor([self.speakers[self.shards.row(place)["voice"]] for place in places])
        return batch


@dataclass
class SoundRows:
    """Rows of `crops_per_row` pieces of `crop` frames for a vocoder: the spectrogram and the sound it was made of."""

    shards: Shards
    places: np.ndarray
    scale: Scale
    crop: int
    crops_per_row: int

    def __post_init__(self) -> None:
        lengths = self.shards.lengths("mel")
        long = self.places[lengths[self.places] > self.crop + 2]
        self.rows = [long[at : at + self.crops_per_row] for at in range(0, len(long), self.crops_per_row)]

    def __len__(self) -> int:
        return len(self.rows)

    def loss_tokens(self, index: np.ndarray) -> int:
        return sum(len(self.rows[row]) for row in index)

    def tokens(self, index: np.ndarray) -> int:
        return self.loss_tokens(index) * self.crop

    def batch(self, index: np.ndarray) -> dict[str, torch.Tensor]:
        mels: list[torch.Tensor] = []
        sounds: list[np.ndarray] = []
        for place in (place for row in index for place in self.rows[row]):
            mel, samples = self.shards.get("mel", place), self.shards.get("samples", place)
            start = int(torch.randint(1, len(mel) - self.crop, ()))  # of the seed that the loop has set
            mels.append(self.scale.mel(torch.from_numpy(mel[start : start + self.crop].astype(np.float32))))
            sounds.append(samples[start * HOP : (start + self.crop - 1) * HOP].astype(np.float32) / 32767)
        return {"mel": torch.stack(mels), "samples": torch.from_numpy(np.stack(sounds))}


@dataclass
class SpellingRows:
    """Rows of `words_per_row` words with their phonemes, for a pronouncer."""

    words: list[str]
    spoken: list[list[str]]
    phonemes: dict[str, int]
    words_per_row: int

    def __post_init__(self) -> None:
        lengths = np.array([len(word) for word in self.words])
        self.rows = grouped(lengths, np.arange(len(self.words)), self.words_per_row)

    def __len__(self) -> int:
        return len(self.rows)

    def loss_tokens(self, index: np.ndarray) -> int:
        return sum(len(self.spoken[place]) for row in index for place in self.rows[row])

    tokens = loss_tokens

    def batch(self, index: np.ndarray) -> dict[str, torch.Tensor]:
        places = [int(place) for row in index for place in self.rows[row]]
        letters = [encode(self.words[place]) for place in places]
        wanted = [torch.tensor([self.phonemes[name] for name in self.spoken[place]]) for place in places]
        return {
            "letters": torch.nn.utils.rnn.pad_sequence(letters, batch_first=True),
            "labels": torch.nn.utils.rnn.pad_sequence(wanted, batch_first=True, padding_value=IGNORED),
        }
