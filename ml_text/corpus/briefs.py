"""How people write a brief: fragments in any order, half sentences, small letters, now and then a slip of the finger."""

import re
from random import Random

from ml_text.corpus.story import Story

MOOD_WORDS = {
    "loud": [
        "loud",
        "loud and fun",
        "bold",
        "super colourful",
        "make it loud",
        "bright and bold",
        "energetic",
        "loud please",
    ],
    "quiet": [
        "quiet",
        "minimal",
        "calm",
        "quiet and minimal",
        "serious tone",
        "keep it simple",
        "clean look",
        "understated",
    ],
    "pastel": [
        "pastel",
        "soft pastel look",
        "pastel colours",
        "soft colours",
        "gentle pastel tones",
        "sweet and pastel",
    ],
    "dark": [
        "dark",
        "dark and moody",
        "dark elegant",
        "black background",
        "luxury look",
        "dark theme please",
        "elegant",
    ],
}
KINDS = ["ad", "ad", "poster", "post", "banner", "design", "story", "thumbnail", "graphic"]
AUDIENCES = [
    "for busy families",
    "for beginners",
    "for women",
    "for students",
    "for young people",
    "for everyone",
    "for kids",
    "for small teams",
    "for adults",
    "for the whole family",
    "for locals",
    "for newcomers",
]
ASIDES = ["no appointment needed", "bring friends", "book online", "family run", "open every day", "come and sit down", "link in bio",
          "handmade", "all ages welcome", "made here", "new in town", "back again", "small groups", "everyone is welcome",
          "limited seats", "walk in", "call us", "nothing fancy", "fresh every day", "with real people", "sign up now", "hurry"]  # fmt: skip


def write_brief(r: Random, story: Story) -> str:
    """The brief of a story; every name and figure of the story stands in it."""
    parts = [*_opening(r, story), *[_offer(r, story, offer.brief) for offer in story.offers]]
    parts += [detail.brief for detail in (story.when, story.where, story.count) if detail]
    if story.topic and r.random() < 0.35:
        parts.append(r.choice(story.topic.occasions))
    if r.random() < 0.25:
        parts.append(r.choice(AUDIENCES))
    if r.random() < 0.3:
        parts.append(r.choice(ASIDES))
    if r.random() < 0.3:
        parts.append(r.choice([story.platform, f"for {story.platform}", f"{story.platform} {story.format}"]))
    head, tail = parts[:1], parts[1:]
    if story.where and story.where.brief in tail and r.random() < 0.4:  # the place first, the name far behind it
        tail.remove(story.where.brief)
        head = [f"{head[0]} {story.where.brief}"]
    if len(tail) > 1 and tail[0] == story.brand and r.random() < 0.4:
        tail = [*tail[1:], tail[0]]
    elif r.random() < 0.5:
        r.shuffle(tail)
    parts = _with_mood(r, story, head + tail)
    text = _joined(r, parts)
    return _slip(r, text) if r.random() < 0.06 else text


def _opening(r: Random, story: Story) -> list[str]:
    b, k, p, kind = story.brand, story.business, story.product, r.choice(KINDS)
    if story.topic and r.random() < 0.12:
        p = story.topic.topic.lower()
    article = "an" if k[0] in "aeiou" else "a"
    if b.islower():  # a small-letter name is only seen as a name after such a word
        return [r.choice([f"{k} called {b}", f"{kind} for {article} {k} called {b}", f"{p} by a {k} named {b}"])]
    ways = [
        [f"{k} called {b}"],
        [f"{k} {b}"],
        [f"{k} {b}", p],
        [f"{b}, {article} {k}"],
        [f"{p} by {b}"],
        [f"{p} from {b}"],
        [f"{kind} for our {k} {b}"],
        [f"{kind} for {article} {k} named {b}", p],
        [f"{k} {b} has new {p}"],
        [f"{p}, {b}"],
        [f"{p}", b],
        [f"we sell {p} ({b})"],
        [f"we are {b}, {article} {k}", p],
        [f"promote {p} at {b}"],
        [f"promote the {p} of {article} {k}", f"Shop name {b}"],
        [f'{k} "{b}" wants people to try the {p}'],
        [p, f"Name: {b}"],
        [f"{p} at our {k}", f"Brand: {b}"],
        [f"{k}, {p}", b],
        [f"{article} {k} that does {p}", f"Name {b}"],
        [f"{p} {kind}", b],
        [f"{k} with {p}", f"Brand is {b}"],
        [f"{p} at {b}"],
        [f"{b} {p}"],
        [f"{b}: {p}"],
        [f"{k}: {p}", b],
        [f"{p} hosted by {b}"],
        [f"try our {p}", b],
        [f"{b} - {k}", p],
        [f"I need {article} {kind} for {b}, {article} {k}"],
        [f"{kind} about {p}, we are {b}"],
        [f"{k} '{b}'", p],
        [f"new {k} opens, {b}"],
        [f"{k} looking for people who want {p}", b],
        [f"{p}, the good ones, from {b}"],
        [f"{b} {k}: {p}"],
        [f"it is all about {p} at {b}"],
        [f"{p} for everybody! {k}, {b}"],
        [f"{p}! {b}"],
        [f"{k}: help us with {p}", b],
        [f"come to our {k}", p, b],
        [f"hiring! {k} {b} looks for people"],
        [f"join our {k}", f"We are {b}"],
        [f"book {b}, the {k}"],
        [f"{p} at your party! Book {b}"],
        [f"{p} with {b}"],
        [f"{k} launch: {p} by {b}"],
        [f"{p} looking for a good home", b],
        [f"our {k} has everything for {p} fans", b],
        [f"promote the {p} of {article} {k}", b],
    ]
    return r.choice(ways)


def _offer(r: Random, story: Story, said: str) -> str:
    return f"{story.product} {said}" if r.random() < 0.2 else said


def _with_mood(r: Random, story: Story, parts: list[str]) -> list[str]:
    if story.mood is None:
        return parts
    words = r.choice(MOOD_WORDS[story.mood])
    if r.random() < 0.4 and len(words.split()) < 3:
        first = parts[0]
        return [f"{words} {r.choice(KINDS)} for {first}" if r.random() < 0.6 else f"{words} ad, {first}", *parts[1:]]
    return [*parts, words]


def _joined(r: Random, parts: list[str]) -> str:
    style = r.choice(["commas", "commas", "commas", "sentences", "sentences", "dashes", "mixed", "none"])
    mark = {"commas": ", ", "sentences": ". ", "dashes": " - ", "none": " "}
    text = parts[0]
    for part in parts[1:]:
        sign = mark.get(style) or r.choice([", ", ". ", " - "])
        text += sign + (part[0].upper() + part[1:] if sign == ". " else part)
    if style == "sentences" or r.random() < 0.5:
        text = text[0].upper() + text[1:]
    return text + ("." if style == "sentences" and r.random() < 0.6 else "")


def _slip(r: Random, text: str) -> str:
    """One small-letter word loses a letter or swaps two; names and figures are left alone."""
    words = [match.span() for match in re.finditer(r"(?<![\w'])[a-z]{6,}(?![\w'])", text)]
    if not words:
        return text
    start, end = r.choice(words)
    at = r.randrange(start + 1, end - 2)
    swapped = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return r.choice([text[:at] + text[at + 1 :], swapped])
