"""Text as it leaves: whole characters, no part of a stop string, and the same however it was cut."""

import random
from typing import Any

import pytest

from ml_text.detokenize import TextStream

TEXT = "naïve café 🦊 – 漢字 ก็ 👩‍👩‍👧 the quick brown fox"


def push_all(stream: TextStream, ids: list[int]) -> list[str]:
    parts: list[str] = []
    for id in ids:
        parts.append(stream.push(id))
        if stream.stopped:
            break
    return [*parts, stream.finish()]


def byte_ids(tokenizer: Any, text: str) -> list[int]:
    """One token per byte, so that every character of more than one byte is torn."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    letters = bytes_to_unicode()
    return tokenizer.convert_tokens_to_ids([letters[byte] for byte in text.encode()])


def test_characters_are_never_torn(tokenizer: Any) -> None:
    parts = push_all(TextStream(tokenizer), byte_ids(tokenizer, TEXT))
    assert "".join(parts) == TEXT
    assert not any("\ufffd" in part for part in parts)


def test_half_a_character_at_the_end_is_left_out(tokenizer: Any) -> None:
    ids = byte_ids(tokenizer, "fox 🦊")
    assert "".join(push_all(TextStream(tokenizer), ids[:-1])) == "fox "


def test_bytes_that_are_no_character_do_not_hold_up_the_rest(tokenizer: Any) -> None:
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    broken = tokenizer.convert_tokens_to_ids([bytes_to_unicode()[0x80]] * 6)
    text = "".join(push_all(TextStream(tokenizer), [*broken, *byte_ids(tokenizer, "fox")]))
    assert text.endswith("fox") and set(text[:-3]) == {"\ufffd"}


@pytest.mark.parametrize("stop", ["brown", "fox", "é 🦊", "n", "k b"])
def test_stop_strings_never_leak(tokenizer: Any, stop: str) -> None:
    for ids in (byte_ids(tokenizer, TEXT), tokenizer(TEXT)["input_ids"]):
        stream = TextStream(tokenizer, [stop])
        parts = push_all(stream, ids)
        assert "".join(parts) == TEXT[: TEXT.index(stop)]
        assert stream.stopped


def test_the_beginning_of_a_stop_string_is_sent_once_it_is_none(tokenizer: Any) -> None:
    stream = TextStream(tokenizer, ["quick brown dog", "foxes"])
    assert "".join(push_all(stream, byte_ids(tokenizer, TEXT))) == TEXT
    assert not stream.stopped


def test_the_first_of_several_stops_counts(tokenizer: Any) -> None:
    stream = TextStream(tokenizer, ["fox", "quick", "brown"])
    assert "".join(push_all(stream, tokenizer(TEXT)["input_ids"])) == TEXT[: TEXT.index("quick")]


def test_any_ids_give_the_text_of_the_whole_sequence(tokenizer: Any) -> None:
    chance = random.Random(0)
    for _ in range(50):
        text = "".join(chance.choice("aé漢🦊 \n") for _ in range(30))
        ids = tokenizer(text)["input_ids"] if chance.random() < 0.5 else byte_ids(tokenizer, text)
        assert "".join(push_all(TextStream(tokenizer), ids)) == text
