"""What is written, and how it is read out."""

import pytest

from ml_audio.spoken import spoken, words

CASES = {
    "Meet Dr. Lee at 3:30 pm for $4.50": "meet doctor lee at three thirty p m for four dollars and fifty cents",
    "on 2026-11-25.": "on november twenty fifth, twenty twenty six.",
    "Sale ends Nov 30th! 25% off": "sale ends november thirtieth! twenty five percent off",
    "Call 555-123-4567.": "call five five five one two three four five six seven.",
    "1,250 items; 3.14 km": "one thousand two hundred fifty items, three point one four kilometers",
    "21°C": "twenty one degrees celsius",
    "in 1999, in 2005, in 2026": "in nineteen ninety nine, in two thousand five, in twenty twenty six",
    "the 1980s": "the nineteen eighties",
    "£1 €2.01 ₹5 $3M": "one pound two euros and one cent five rupees three million dollars",
    "$0.05": "five cents",
    "The API and NASA's FAQs, U.S. law": "the ay p i and nasa's f ay qs, u s law",
    "e.g. this (or that) — vs. those": "for example this, or that, versus those",
    "No. 5, no.": "number five, no.",
    "9:05 and 12:00 and 9:00 a.m.": "nine oh five and twelve o'clock and nine ay m",
    "mail me@example.com": "mail me at example dot com",
    "www.example.org/x": "w w w dot example dot org slash x",
    "-5 degrees, 2-3 days, 1/2": "minus five degrees, two to three days, one over two",
    "007": "zero zero seven",
    "1234567890123456": "one two three four five six seven eight nine zero one two three four five six",
    "Café naïve ½ cup": "cafe naive one half cup",
    "1 kg, 5 ft, 1 in": "one kilogram, five feet, one inch",
    "the 21st, the 3rd": "the twenty first, the third",
    "Wait… what?!": "wait. what?",
    "don't 'quote' rock 'n' roll": "don't quote rock n roll",
}


@pytest.mark.parametrize("written", CASES)
def test_read_out(written: str):
    assert spoken(written) == CASES[written]


@pytest.mark.parametrize("text", ["", " ", "😀🎉", "日本語です", "\x00\x1b[", "שלום", "…!?…"])
def test_what_cannot_be_read_is_left_out(text: str):
    assert words(text) == []


@pytest.mark.parametrize(
    "text", ["9" * 2000, "1-" * 2000, "$" * 500 + "1", "A." * 1000, "1:" * 999, "a@" * 999, "12/" * 900]
)
def test_odd_text_is_read_in_a_moment_and_without_digits(text: str):
    said = spoken(text)
    assert not set(said) - set("abcdefghijklmnopqrstuvwxyz',.?! ")


def test_words_are_what_is_heard():
    assert words("The A.I. costs $2!") == ["the", "a", "i", "costs", "two", "dollars"]
