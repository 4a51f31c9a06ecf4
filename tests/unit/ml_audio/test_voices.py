"""Voices: those of the weights, those of clips, and models that are voices."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from ml_audio.sound.encoding import encode
from ml_audio.voices import RATE_HZ, VoiceStore, read_clips
from shared.errors import InvalidRequest, NotFound, TooLarge


def tone(seconds: float) -> bytes:
    return encode(np.sin(np.arange(round(seconds * RATE_HZ)) / 10).astype(np.float32) / 2, RATE_HZ, "wav")


def test_a_voice_of_clips_is_kept_found_and_deleted(tmp_path: Path) -> None:
    store = VoiceStore(tmp_path)
    made = store.create("Ann", read_clips([tone(1), tone(2)], ["one", " two\n"]), "cons_1", "tiny")
    again = VoiceStore(tmp_path)
    assert again.list() == [made] == [again.get(made.id)]
    clip = again.clip(made.id)
    assert (len(clip.samples), clip.sample_rate_hz, clip.transcript) == (3 * RATE_HZ, RATE_HZ, "one two")
    again.remove(made.id)
    assert again.list() == [] and list((tmp_path / "voices").iterdir()) == []
    for id in (made.id, "voice_../../etc", "../x", ""):
        with pytest.raises(NotFound):
            again.get(id)


@pytest.mark.parametrize(
    ("sounds", "transcripts", "error"),
    [
        ([tone(0.2)], [], InvalidRequest),
        ([tone(40)], [], TooLarge),
        ([tone(20), tone(20)], [], InvalidRequest),
        ([tone(2)], ["one", "two"], InvalidRequest),
        ([b"no sound"], [], InvalidRequest),
        ([], [], InvalidRequest),
    ],
)
def test_clips_that_cannot_be_used(sounds: list[bytes], transcripts: list[str], error: type[Exception]) -> None:
    with pytest.raises(error):
        read_clips(sounds, transcripts)


def test_a_service_lists_its_voices_and_says_how_others_come(serve: Any, save_model: Any) -> None:
    client: TestClient = serve(save_model("two", "fastspeech2_conformer", speakers=2), save_model("other", "vits"))
    names = [voice["id"] for voice in client.get("/v1/audio/voices").json()["data"]]
    assert names == ["v0", "v1"]
    files = {"audio_sample": ("a.wav", tone(2))}
    refused = client.post("/v1/audio/voices", data={"name": "Ann"}, files=files)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "voice")
    assert "fine_tuning" in refused.json()["error"]["message"]
    assert client.delete("/v1/audio/voices/voice_0123456789").status_code == 404
    said = {"input": "hello", "response_format": "wav", "stream": False}
    sounds = {
        voice: client.post("/v1/audio/speech", json={**said, "voice": voice}).content
        for voice in ("v0", "v1", "other", "alloy", "ash")
    }
    assert len({sounds[voice] for voice in ("v0", "v1", "other")}) == 3, "a model's name is a voice, too"
    assert (sounds["alloy"], sounds["ash"]) == (sounds["v0"], sounds["v1"]), "OpenAI's names mean one each"
    cheerful = client.post("/v1/audio/speech", json={**said, "instructions": "Speak in a cheerful tone."})
    assert cheerful.status_code == 200 and cheerful.content != sounds["v0"]
