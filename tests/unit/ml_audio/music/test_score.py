"""Scores, their tokens, and the composer whose pieces have both."""

import random
from itertools import pairwise

import pytest

from ml_audio.music.composer import compose
from ml_audio.music.composer.habits import MOOD_HABITS, STYLE_HABITS
from ml_audio.music.composer.patterns import BASS, CELLS, DRUM_LINES, HARMONY, RHYTHMS
from ml_audio.music.grammar import Frame, follows
from ml_audio.music.score import METERS, MOODS, ROLES, STYLES, Note, Part, Score, bars_in, share_in_key, split_bars
from ml_audio.music.tokens import IDS, VOCABULARY, decode, encode, header


def frame_of(score: Score) -> Frame:
    ids = tuple(IDS[word] for word in header(score))
    return Frame(ids, tuple(part.role for part in score.parts), score.meter, score.mode, score.bars)


def test_a_piece_comes_back_from_its_tokens():
    rng = random.Random(1)
    for _ in range(40):
        score = compose(rng)
        assert decode(encode(score), score.tempo_bpm, score.tonic) == score


def test_what_is_composed_follows_the_grammar_and_a_note_out_of_key_does_not():
    rng = random.Random(2)
    for _ in range(20):
        score = compose(rng, instruments=("piano", "bass"))
        ids = encode(score)
        assert follows(frame_of(score), ids)
    wrong = list(ids)
    pitches = [place for place, token in enumerate(ids) if VOCABULARY[token].startswith("pitch")]
    wrong[pitches[-1]] = IDS["pitch 61"]  # the tonic raised is in no key
    assert not follows(frame_of(score), wrong)
    assert not follows(frame_of(score), ids[:-1])


def test_the_same_seed_is_the_same_piece_and_a_repeat_is_one_token():
    assert compose(random.Random(3)) == compose(random.Random(3)) != compose(random.Random(4))
    part = Part("melody", "piano", (Note(0, 60, 12), Note(96, 60, 12)))
    words = [VOCABULARY[token] for token in encode(Score(100, "4/4", 0, "major", 3, (part,)))]
    assert words[-3:] == ["melody", "same 2", "end"]


@pytest.mark.parametrize("mood", MOODS)
def test_a_mood_and_every_style_are_as_asked(mood):
    for style in STYLES:
        score = compose(random.Random(5), 8, mood=mood, style=style, tonic=2, instruments=("guitar", "drums"))
        assert (score.mood, score.style, score.bars) == (mood, style, 8)
        assert set(score.instruments) == {"guitar", "drums"} and all(part.notes for part in score.parts)
        assert share_in_key(score) >= 0.85
        assert max(note.start + note.duration for part in score.parts for note in part.notes) <= 8 * score.bar_ticks


def test_a_piece_has_a_form_and_comes_home():
    rng = random.Random(6)
    returning = []
    for _ in range(30):
        score = compose(rng, 16, instruments=("piano", "bass"))
        melody = score.part("melody")
        assert melody is not None and melody.notes[-1].pitch % 12 == score.tonic
        bars = split_bars(score, melody)
        returning.append(sum(bar in bars[:number] for number, bar in enumerate(bars)) / len(bars))
    assert 0.25 < sum(returning) / len(returning) < 0.75


def test_tunes_step_more_than_they_leap():
    rng = random.Random(7)
    moves = [
        abs(after.pitch - before.pitch)
        for _ in range(20)
        for part in compose(rng, 16, instruments=("piano",)).parts
        if part.role == "melody"
        for before, after in pairwise(part.notes)
    ]
    assert sum(move <= 4 for move in moves) > 0.7 * len(moves)


def test_tables_fit_each_other():
    assert set(MOOD_HABITS) == set(MOODS) and set(STYLE_HABITS) == set(STYLES)
    for name, style in STYLE_HABITS.items():
        for meter in style.meters:
            assert set(style.harmony[meter]) <= set(HARMONY[meter]), name
            assert set(style.bass[meter]) <= set(BASS[meter]) and set(style.drums[meter]) <= set(DRUM_LINES[meter])
    for meter, cells in CELLS.items():
        assert sum(cells) == METERS[meter]
        assert all(sum(cell) == part for part in cells for row in RHYTHMS[part].values() for cell in row)


def test_bars_and_bad_parts():
    assert bars_in(30, 120, "4/4") == 15 and bars_in(0.1, 120, "4/4") == 1
    assert [part.role for part in compose(random.Random(8), instruments=("drums", "piano", "bass")).parts] == [
        role for role in ROLES if role != "pad"
    ]
