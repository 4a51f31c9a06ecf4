"""Voices of people's own: clips of their speech, kept in the data folder, for families that speak as a clip does."""

import json
import re
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ml_audio.sound.encoding import encode
from ml_audio.sound.reading import read_mono
from ml_audio.speaking.speaker import Clip
from shared.blobs import new_id
from shared.errors import InvalidRequest, NotFound

RATE_HZ = 24_000
SHORTEST_S, LONGEST_S = 1.0, 30.0
"""Of all clips together: a model speaks on from them, so they are read before every sentence."""
ID = re.compile(r"voice_[0-9a-zA-Z]{8,64}")


@dataclass(frozen=True)
class OwnVoice:
    id: str
    name: str
    created_at: int
    transcript: str
    consent: str | None = None
    model: str | None = None


def read_clips(sounds: list[bytes], transcripts: list[str]) -> Clip:
    """What was recorded, one behind the other. Raises InvalidRequest or TooLarge for what cannot be used."""
    if transcripts and len(transcripts) != len(sounds):
        raise InvalidRequest(f"there are {len(sounds)} clips and {len(transcripts)} transcripts", param="transcripts")
    if not sounds:
        raise InvalidRequest("there are no clips", param="audio_sample")
    samples = np.concatenate([read_mono(sound, RATE_HZ, LONGEST_S, "audio_sample") for sound in sounds])
    seconds = len(samples) / RATE_HZ
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise InvalidRequest(
            f"the clips have {seconds:.1f} s; {SHORTEST_S:g} to {LONGEST_S:g} s are needed", param="audio_sample"
        )
    return Clip(samples, RATE_HZ, " ".join(" ".join(transcripts).split()))


class VoiceStore:
    """One folder per voice: `voice.json` and `clip.wav`, renamed into place when it is whole."""

    def __init__(self, data_dir: Path) -> None:
        self.folder = data_dir / "voices"

    def create(self, name: str, clip: Clip, consent: str | None, model: str) -> OwnVoice:
        voice = OwnVoice(f"voice_{new_id('')}", name, int(time.time()), clip.transcript, consent, model)
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / f".{voice.id}"
        try:
            draft.mkdir()
            (draft / "voice.json").write_text(json.dumps(asdict(voice)))
            (draft / "clip.wav").write_bytes(encode(clip.samples, clip.sample_rate_hz, "wav"))
            draft.rename(self.folder / voice.id)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return voice

    def list(self) -> list[OwnVoice]:
        return sorted((self.get(path.name) for path in self.folder.glob("voice_*")), key=lambda voice: voice.created_at)

    def get(self, id: str) -> OwnVoice:
        """Raises NotFound."""
        try:
            return OwnVoice(**json.loads((self._place(id) / "voice.json").read_text()))
        except FileNotFoundError:
            raise _unknown(id) from None

    def clip(self, id: str) -> Clip:
        """Raises NotFound."""
        voice = self.get(id)
        return Clip(
            read_mono((self._place(id) / "clip.wav").read_bytes(), RATE_HZ, LONGEST_S), RATE_HZ, voice.transcript
        )

    def remove(self, id: str) -> None:
        """Raises NotFound."""
        self.get(id)
        gone = self.folder / f".{id}"
        self._place(id).rename(gone)
        shutil.rmtree(gone)

    def _place(self, id: str) -> Path:
        if not ID.fullmatch(id):
            raise _unknown(id)
        return self.folder / id


def is_own(name: str) -> bool:
    """Whether a voice's name is the id of one of these."""
    return ID.fullmatch(name) is not None


def _unknown(id: str) -> NotFound:
    return NotFound(f"no voice {id[:80]!r}", code="voice_not_found", param="voice")
