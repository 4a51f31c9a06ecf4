"""What a recogniser learns from: rows of clips of like length, their energies stacked, and the letters that are said.

Shapes: B clips, T stacked frames, F = stride * 80, L letters.
"""

from dataclasses import dataclass

import numpy as np
import torch

from ml_audio.data.augment import augment, mask, normalise
from ml_audio.data.ragged import Shards
from ml_audio.models.spectrogram import BINS
from shared.training.packing import IGNORED


def letters(words: str, alphabet: dict[str, int]) -> np.ndarray:
    """(L,) of words that are parted by spaces; what the alphabet lacks is left out."""
    return np.array([alphabet[letter] for letter in words.replace(" ", "|") if letter in alphabet], np.int64)


@dataclass
class HeardRows:
    """Rows of `clips_per_row` clips of like length."""

    shards: Shards
    places: np.ndarray
    labels: list[np.ndarray]
    """Of each place in the shards."""
    stride: int
    clips_per_row: int
    augmented: float
    """0: as recorded; to 1: how often a clip is heard as if it had been recorded elsewhere."""
    phonemes: dict[str, int] | None = None
    """Numbers of the phonemes, 0 is silence: where the rows tell when each begins, batches tell what each frame is."""
    seed: int = 0

    def __post_init__(self) -> None:
        lengths = self.shards.lengths("features")
        shuffled = lengths[self.places] * np.random.default_rng(self.seed).uniform(0.9, 1.1, len(self.places))
        ordered = self.places[np.argsort(shuffled)]
        self.rows = [ordered[at : at + self.clips_per_row] for at in range(0, len(ordered), self.clips_per_row)]
        self.frames = np.array([int(lengths[row].sum()) for row in self.rows])

    def __len__(self) -> int:
        return len(self.rows)

    def loss_tokens(self, index: np.ndarray) -> int:
        return sum(len(self.labels[place]) for row in index for place in self.rows[row])

    def tokens(self, index: np.ndarray) -> int:
        return int(self.frames[index].sum())

    def batch(self, index: np.ndarray) -> dict[str, torch.Tensor]:
        r = np.random.default_rng(int(torch.randint(2**31, ())))  # the loop seeds torch by the step's number
        places = [place for row in index for place in self.rows[row]]
        clips = [self.clip(place, r) for place in places]
        longest = max(len(clip) for clip, _ in clips)
        features = torch.zeros(len(clips), longest, self.stride * BINS)
        attended = torch.zeros(len(clips), longest, dtype=torch.long)
        said = torch.full((len(clips), longest), IGNORED)
        labels = torch.full((len(clips), max(len(self.labels[place]) for place in places)), IGNORED)
        for at, ((clip, track), place) in enumerate(zip(clips, places, strict=True)):
            features[at, : len(clip)] = torch.from_numpy(clip)
            attended[at, : len(clip)] = 1
            said[at, : len(clip)] = torch.from_numpy(track)
            labels[at, : len(self.labels[place])] = torch.from_numpy(self.labels[place])
        batch = {"input_features": features, "attention_mask": attended, "labels": labels}
        return batch if self.phonemes is None else {**batch, "phonemes": said}

    def clip(self, place: int, r: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """(T, F), and (T,) the number of the phoneme in each frame."""
        x, track = self.shards.get("features", place).astype(np.float32), self.track(place)
        if self.augmented:
            x, track = augment(x, track, r, self.augmented)
            x = mask(normalise(x), r)
        else:
            x = normalise(x)
        frames = len(x) // self.stride
        middle = track[self.stride // 2 :: self.stride][:frames]
        return x[: frames * self.stride].reshape(frames, self.stride * BINS), middle

    def track(self, place: int) -> np.ndarray:
        """(T,) in frames of 10 ms; zeros where nothing is known."""
        track = np.zeros(len(self.shards.get("features", place)), np.int64)
        if self.phonemes is not None:
            sounds = self.shards.row(place)["sounds"]
            starts = [round(start * 100) for _, start in sounds]
            for (name, _), start, end in zip(sounds, starts, [*starts[1:], len(track)], strict=True):
                track[start:end] = self.phonemes.get(plain(name), 0)
        return track


def plain(phoneme: str) -> str:
    """Without its stress."""
    return phoneme.strip("ˈˌ")


def phoneme_numbers(shards: Shards) -> dict[str, int]:
    """Of all that the rows name, from 1; pauses are silence."""
    names = {plain(name) for place in range(len(shards)) for name, _ in shards.row(place)["sounds"]}
    return {name: number for number, name in enumerate(sorted(names - {"_"}), 1)}
