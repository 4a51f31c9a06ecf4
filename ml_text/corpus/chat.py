"""Short chats about copy: headlines, slogans, calls to action, rewriting, and a few words about oneself."""

from random import Random

from ml_text.corpus.briefs import write_brief
from ml_text.corpus.copywriting import write_copy
from ml_text.corpus.details import date, price
from ml_text.corpus.names import draw_name, draw_place
from ml_text.corpus.story import draw_story
from ml_text.corpus.topics import Topic, load_topics

Turns = list[dict[str, str]]
SMALL_TALK = [
    (["hello", "hi", "hey", "hello there", "good morning", "hi!"], ["Hello! Shall we write an ad?", "Hi! What are we selling today?", "Hello! Tell me what it is about."]),
    (["who are you?", "what are you?", "what is your name?", "introduce yourself"], ["I am the starter, a small model that writes ads.", "A small language model, made for headlines and designs."]),
    (["what can you do?", "how can you help me?", "help"], ["I write headlines, lines and calls to action, and I design ads from a brief.", "Give me a brief, and I design an ad. Or ask me for a headline."]),
    (["thanks", "thank you", "thanks a lot!", "great, thanks"], ["You are welcome.", "Any time. Good luck with the ad!", "Glad to help."]),
    (["bye", "goodbye", "see you"], ["Goodbye!", "See you. Come back with the next brief."]),
    (["how are you?", "how is it going?"], ["Fine, and ready to write. What is it about?", "Very well. Which product shall we talk about?"]),
    (["tell me a joke", "say something funny"], ["A headline walks into a bar. Nobody reads the rest.", "I had a long joke, but the canvas was square."]),
    (["what makes a good ad?", "how do i write a good headline?", "any advice for my ad?"], ["Say one thing, say it short, and tell people what to do next.", "Few words, clear offer, strong contrast. Then a call to action."]),
    (["write code", "what is the capital of france?", "who is the president?", "solve this equation"], ["I am too small for that. I know headlines and designs.", "That is beyond me. Ask me for a headline instead."]),
]  # fmt: skip
HEADLINE = [
    "write a headline for {k}",
    "headline for {k}",
    "give me a headline for {k}",
    "I need a headline about {p}",
    "a short headline for {p}, please",
    "slogan for {k}",
    "write a slogan for {k} called {b}",
    "tagline for {p}",
]
LINE = [
    "write a line about {p}",
    "one sentence about {p}",
    "describe {p} in one sentence",
    "a caption for {k}",
    "write a short instagram caption about {p}",
    "say something nice about {p}",
]
CTA = [
    "write a call to action for {k}",
    "call to action for {p}",
    "what should the button say for {k}?",
    "a button text for {p}",
]
KIND = [
    "what kind of ad is it for {t}?",
    "topic of {t}",
    "which trade is {t}?",
    "{t}: what is it about?",
    "sort this: {t}",
]
TEXTS = ["copy for: {t}", "write the texts: {t}", "only the words, no design: {t}", "ad copy. {t}"]
THREE = [
    "give me three headlines for {k}",
    "three headlines about {p}",
    "write 3 headlines for {k}",
    "some ideas for {k}",
    "ideas for headlines about {p}",
]
BOTH = [
    "write an ad for {k}",
    "write an ad about {p}",
    "short ad text for {k}",
    "ad copy for {p} by {b}",
    "write ad copy for {k} called {b}",
]
AGAIN = [
    "another one",
    "one more",
    "something else",
    "again, but different",
    "try again",
    "shorter",
    "not bad, another?",
]


def draw_chat(r: Random) -> Turns:
    """One chat of one to three exchanges."""
    roll = r.random()
    if roll < 0.2:
        return _texts(r)
    if roll < 0.26:
        asked, answers = r.choice(SMALL_TALK)
        return _turns((_cased(r, r.choice(asked)), r.choice(answers)))
    topic = r.choice(load_topics())
    ask, answer = r.choice([_headline, _headline, _line, _cta, _three, _both, _kind, _kind, _kind])(r, topic)
    turns = _turns((_cased(r, ask), answer))
    if r.random() < 0.3:
        turns += _turns((_cased(r, r.choice(AGAIN)), r.choice(topic.headlines)))
    return turns


def _headline(r: Random, topic: Topic) -> tuple[str, str]:
    return _asked(r, topic, HEADLINE), r.choice(topic.headlines)


def _texts(r: Random) -> Turns:
    """A whole brief, and only the texts of its design: between a headline for a trade and a headline in a design."""
    story = draw_story(r)
    brief = write_brief(r, story)
    return _turns((r.choice(TEXTS).format(t=brief), "\n".join(write_copy(r, story, brief).values())))


def _kind(r: Random, topic: Topic) -> tuple[str, str]:
    """What belongs to what: the shortest way to say which words go together."""
    thing = r.choice([*topic.products, *topic.businesses])
    return r.choice(KIND).format(t=thing), topic.topic


def _line(r: Random, topic: Topic) -> tuple[str, str]:
    return _asked(r, topic, LINE), r.choice(topic.lines)


def _cta(r: Random, topic: Topic) -> tuple[str, str]:
    return _asked(r, topic, CTA), r.choice(topic.ctas)


def _three(r: Random, topic: Topic) -> tuple[str, str]:
    return _asked(r, topic, THREE), "\n".join(f"{n}. {text}" for n, text in enumerate(r.sample(topic.headlines, 3), 1))


def _both(r: Random, topic: Topic) -> tuple[str, str]:
    name = draw_name(r)
    said = r.choice(BOTH)
    head = f"{r.choice(topic.headlines)}\n{r.choice(topic.lines)}\n{r.choice(topic.ctas)}"
    text = f"{name}\n{head}" if "{b}" in said else head
    return said.format(k=_with_article(r.choice(topic.businesses)), p=r.choice(topic.products), b=name), text


def draw_copying(r: Random) -> Turns:
    """Copying, on names, prices and colours that nobody has seen: what a design needs for its brand.

    The colours of the palettes are one token each; without these rows the tokens of all others would never be an
    answer, stay alike, and no adapter could tell a house's own colours apart.
    """
    kinds = [draw_name, draw_name, draw_name, draw_place, price, date, _color, _color, _color]
    text = ", ".join(r.choice(kinds)(r) for _ in range(r.randint(1, 14)))
    return _turns(
        (r.choice(["repeat: {t}", "say {t}", "copy: {t}", "spell it the same way: {t}"]).format(t=text), text)
    )


def _color(r: Random) -> str:
    return f"#{r.getrandbits(24):06x}"


def draw_reading(r: Random) -> Turns:
    """A brief, and what it says: topic, name, facts and mood, found where they stand."""
    story = draw_story(r)
    brief = write_brief(r, story)
    found = {
        "topic": story.topic.topic if story.topic else story.product,
        "about": story.product if story.product in brief else story.business,
        "name": story.brand,
        "facts": ", ".join(d.brief for d in (*story.offers, story.when, story.where, story.count) if d),
        "mood": story.mood or "",
    }
    said = [f"{key}: {value}" for key, value in found.items() if value]
    notes = "\n".join(r.sample(said, len(said)))
    return _turns((f"read: {brief}", notes))


def _asked(r: Random, topic: Topic, forms: list[str]) -> str:
    return r.choice(forms).format(
        k=_with_article(r.choice(topic.businesses)), p=r.choice(topic.products), b=draw_name(r)
    )


def _with_article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _cased(r: Random, text: str) -> str:
    return text[0].upper() + text[1:] if r.random() < 0.5 else text


def _turns(*exchanges: tuple[str, str]) -> Turns:
    return [
        turn
        for ask, answer in exchanges
        for turn in ({"role": "user", "content": ask}, {"role": "assistant", "content": answer})
    ]
