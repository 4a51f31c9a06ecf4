"""MIDI files: written and read back, told apart by their notes, and hostile ones refused."""

import random

import pytest

from ml_audio.music.composer import compose
from ml_audio.music.interchange import from_midi, to_midi
from ml_audio.music.midi import MidiFile, MidiNote, Track, read_midi, write_midi
from ml_audio.music.score import split_bars
from ml_audio.music.tokens import encode
from shared.errors import InvalidRequest


def song(**changes) -> MidiFile:
    """Four bars on G: a tune above, chords below, in two tracks without a program."""
    tune = [MidiNote(480 * beat, 67 + step, 480, 90, 0, 0) for beat, step in enumerate((0, 2, 4, 5, 7, 5, 4, 2) * 2)]
    chords = [MidiNote(1920 * bar, pitch, 1920, 70, 1, 0) for bar in range(4) for pitch in (43, 47, 50)]
    file = MidiFile(480, [Track("", tune), Track("", chords)], [(0, 96.0)], [(0, 4, 4)], [(0, 1, False)])
    for name, value in changes.items():
        setattr(file, name, value)
    return file


def test_a_piece_comes_back_from_its_file():
    rng = random.Random(1)
    for _ in range(20):
        score = compose(rng)
        read = from_midi(to_midi(score))
        assert (read.parts, read.key, read.meter, read.bars) == (score.parts, score.key, score.meter, score.bars)
        assert (read.mood, read.style) == (score.mood, score.style)
        assert read.tempo_bpm == pytest.approx(score.tempo_bpm, abs=0.01)


def test_a_strangers_file_is_told_apart_by_its_notes():
    score = from_midi(write_midi(song()))
    assert score.key == "G major" and score.bars == 4 and score.tempo_bpm == pytest.approx(96, abs=0.01)
    assert {part.role: part.instrument for part in score.parts} == {"melody": "piano", "harmony": "piano"}
    melody = score.part("melody")
    assert melody is not None and [note.pitch for note in melody.notes[:3]] == [67, 69, 71]
    assert split_bars(score, melody)[0] == split_bars(score, melody)[2]


def test_a_wrong_or_missing_key_is_found_in_the_notes():
    assert from_midi(write_midi(song(keys=[]))).key == "G major"
    assert from_midi(write_midi(song(keys=[(0, -5, False)]))).key == "G major"  # signed in D flat


def test_drums_and_bass_are_told_by_channel_and_program():
    drums = Track("", [MidiNote(480 * beat, 38, 100, 90, 9, 0) for beat in range(8)])
    bass = Track("", [MidiNote(960 * bar, 31, 960, 90, 2, 33) for bar in range(4)])
    score = from_midi(write_midi(song(tracks=[*song().tracks, drums, bass])))
    assert [part.role for part in score.parts] == ["drums", "bass", "harmony", "melody"]
    assert encode(score)


def test_a_metre_that_changes_ends_what_is_read_and_an_odd_one_is_refused():
    assert from_midi(write_midi(song(meters=[(0, 4, 4), (3840, 3, 4)]))).bars == 2
    with pytest.raises(InvalidRequest, match="7/8"):
        from_midi(write_midi(song(meters=[(0, 7, 8)])))


def test_pitches_beyond_the_tokens_are_folded_by_octaves():
    far = Track("", [MidiNote(480 * n, pitch, 480, 90, 0, 0) for n, pitch in enumerate((3, 127, 60, 62))])
    score = from_midi(write_midi(song(tracks=[far])))
    assert {note.pitch % 12 for part in score.parts for note in part.notes} == {3, 7, 0, 2}
    assert encode(score)


def test_damaged_files_are_refused():
    whole = write_midi(song())
    for cut in range(0, len(whole) - 1, 7):
        with pytest.raises(InvalidRequest):
            from_midi(whole[:cut])
    for data in (b"", b"RIFF" + whole, b"MThd" + b"\xff" * 40, whole[:8] + b"\0\2" + whole[10:]):
        with pytest.raises(InvalidRequest, match="MIDI"):
            read_midi(data, "dataset")


def test_random_bytes_never_break_the_reader():
    rng = random.Random(9)
    whole = bytearray(write_midi(song()))
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(rng.randint(1, 6)):
            damaged[rng.randrange(14, len(damaged))] = rng.randrange(256)
        try:
            encode(from_midi(bytes(damaged)))
        except InvalidRequest:
            continue


def test_a_note_that_is_never_released_lasts_to_the_end_of_its_track():
    head = bytes.fromhex("4d546864 00000006 0000 0001 01e0".replace(" ", ""))
    body = bytes.fromhex("00 90 3c 64 83 60 90 40 64 83 60 80 40 00 00 ff 2f 00".replace(" ", ""))
    notes = read_midi(head + b"MTrk" + len(body).to_bytes(4, "big") + body).tracks[0].notes
    assert [(note.start, note.pitch, note.duration) for note in notes] == [(0, 60, 960), (480, 64, 480)]
