"""Text cut to what a voice says in one breath: at paragraphs, at sentences, then at clauses, words and letters."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

PARAGRAPH_S, SENTENCE_S, CLAUSE_S = 0.6, 0.35, 0.15
"""Silence behind each."""
ABBREVIATIONS = frozenset(
    "mr mrs ms dr prof st jr sr vs etc e.g i.e approx dept inc ltd co corp no vol fig est tel ave blvd rd apt capt sgt "
    "gen u.s u.k a.m p.m z.b bzw ca usw d.h nr str m mme mlle".split()
)
PARAGRAPH = re.compile(r"\n\s*\n")
ENDING = re.compile(r"[.!?…]+[\"'”’»)\]]*(?=\s)|[。！？]+[」』”’）]*|[؟۔।]+(?=\s)|\n")
CLAUSE = re.compile(r"[,;:،؛、，；：]+[\"'”’»)\]]*(?=\s)|[、，；：]|\s[—–-]+(?=\s)")
LAST_WORD = re.compile(r"[\w.]+$")


@dataclass(frozen=True)
class Piece:
    text: str
    pause_s: float
    """Silence behind it; none behind the last."""


def cut(text: str, limit: int) -> list[Piece]:
    """Pieces of at most `limit` characters that together say `text`; none for text that is all blanks."""
    paragraphs = [part.strip() for part in PARAGRAPH.split(text) if part.strip()]
    pieces = [piece for paragraph in paragraphs for piece in _paragraph(paragraph, limit)]
    return [*pieces[:-1], Piece(pieces[-1].text, 0.0)] if pieces else []


def _paragraph(text: str, limit: int) -> Iterator[Piece]:
    found = [part for part in _split(text) if part]
    for i, sentence in enumerate(found):
        pause_s = PARAGRAPH_S if i == len(found) - 1 else SENTENCE_S
        parts = list(_fit(sentence, limit))
        for part in parts[:-1]:
            yield Piece(part, CLAUSE_S)
        yield Piece(parts[-1], pause_s)


def _split(text: str) -> Iterator[str]:
    start = 0
    for ending in ENDING.finditer(text):
        before = LAST_WORD.search(text[max(start, ending.start() - 12) : ending.start()])
        word = before[0].lower() if before else ""
        if ending[0] == "." and (word in ABBREVIATIONS or (len(word) == 1 and word.isalpha())):
            continue  # an initial, or short for something
        yield text[start : ending.end()].strip()
        start = ending.end()
    yield text[start:].strip()


def _fit(sentence: str, limit: int) -> Iterator[str]:
    """At most `limit` characters each: as many clauses as fit, else as many words, else as many letters."""
    while len(sentence) > limit:
        ends = [found.end() for found in CLAUSE.finditer(sentence, 0, limit + 1) if found.end() <= limit]
        blank = sentence.rfind(" ", 1, limit + 1)
        end = ends[-1] if ends and ends[-1] > limit // 3 else blank if blank > 0 else limit
        yield sentence[:end].strip()
        sentence = sentence[end:].strip()
    if sentence:
        yield sentence
