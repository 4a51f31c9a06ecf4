"""Sentences to read out: made by a small grammar of everyday English, or taken from text files that are given."""

import re
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from random import Random

from ml_audio.corpus import words
from ml_audio.spoken import spoken

Sentence = Callable[[Random], str]
PREPOSITIONS = "in on under over near behind beside above below between against around through across along toward without with".split()
TIMES = [
    "in the morning", "at night", "after dinner", "before the storm", "every week", "last year", "next month", "at noon",
    "in the evening", "during the summer", "all day", "a long time ago", "an hour later", "by the end of the week",
    "on the weekend", "since last winter", "for three days", "until midnight", "in a few minutes", "from time to time",
]  # fmt: skip
OPENERS = [
    "I think", "I hope", "We know that", "They say", "It seems that", "Everybody knows that", "Nobody believed that", "She told me",
    "Of course", "As you can see,", "In my opinion,", "Unfortunately,", "Luckily,", "By the way,", "To be honest,", "After all,",
    "At first", "In the end", "He said that", "I am sure", "Yesterday", "Tomorrow", "However,", "Maybe", "Suddenly", "Once upon a time",
]  # fmt: skip
LINKS = [
    "because",
    "but",
    "and",
    "while",
    "when",
    "so",
    "although",
    "before",
    "after",
    "until",
    "if",
    "unless",
    "as soon as",
    "or",
]
PRONOUNS = ["I", "you", "we", "they"]
SHORT = [
    "Yes, of course.", "No, thank you.", "Good morning!", "How are you today?", "What time is it?", "Where do you live?", "See you later!",
    "I do not know.", "That is right.", "Thank you very much.", "Excuse me, please.", "Could you repeat that?", "Nice to meet you.",
    "What is your name?", "Please wait a moment.", "Never mind.", "It does not matter.", "Have a nice day!", "I am sorry.",
    "Welcome back!", "Are you ready?", "Let us go.", "That sounds great.", "Who is there?", "Why not?", "Who said that?", "Hurry up!",
    "Be careful!", "Take your time.", "You are welcome.", "What do you think about it?", "I will be right back.", "Can you hear me?",
]  # fmt: skip
MOODS = [
    "can",
    "could",
    "will",
    "would",
    "should",
    "must",
    "may",
    "might",
    "cannot",
    "will not",
    "did not",
    "does not",
    "wants to",
    "has to",
]


def noun(r: Random) -> str:
    kind = r.choices([words.THINGS, words.PEOPLE, words.ANIMALS, words.FOOD, words.BODY], [9, 4, 2, 3, 1])[0]
    return r.choice(kind)


def thing(r: Random) -> str:
    """A noun with what belongs before it."""
    name, adjective = noun(r), r.choice(words.ADJECTIVES) + " " if r.random() < 0.45 else ""
    if name in words.MASS:
        return f"{r.choice(['the', 'some', 'my', 'our', 'this', 'that', 'no', 'their'])} {adjective}{name}"
    if r.random() < 0.3:
        many = r.choice(
            [
                "the",
                "some",
                "many",
                "few",
                "all the",
                "these",
                "those",
                "two",
                "three",
                "five",
                "ten",
                "several",
                "most",
                "her",
            ]
        )
        return f"{many} {adjective}{words.plural(name)}"
    first = r.choice(
        [
            "the",
            "the",
            "the",
            "a",
            "my",
            "your",
            "his",
            "her",
            "our",
            "their",
            "this",
            "that",
            "every",
            "another",
            "one",
        ]
    )
    return f"{words.article(adjective or name) if first == 'a' else first} {adjective}{name}"


def subject(r: Random) -> str:
    kind = r.random()
    if kind < 0.25:
        return r.choice(["I", "you", "he", "she", "we", "they", "it", "somebody", "everyone", "nobody"])
    return r.choice(words.NAMES) if kind < 0.4 else thing(r)


def place(r: Random) -> str:
    if r.random() < 0.3:
        return f"{r.choice(['in', 'from', 'near', 'to'])} {r.choice(words.PLACES)}"
    return f"{r.choice(PREPOSITIONS)} {thing(r)}"


def clause(r: Random) -> str:
    verb, kind = r.choice(words.VERBS), r.random()
    if kind < 0.5:
        action = words.past(verb)
    elif kind < 0.75:
        action = f"{r.choice(MOODS)} {verb}"
    else:
        action = f"{r.choice(['was', 'is', 'had been', 'has been', 'will be'])} {words.gerund(verb)}"
    said = f"{subject(r)} {action}"
    if r.random() < 0.8:
        said += f" {thing(r)}"
    if r.random() < 0.4:
        said += f" {place(r)}"
    if r.random() < 0.3:
        said += f" {r.choice([r.choice(TIMES), r.choice(words.ADVERBS), 'on ' + r.choice(words.DAYS)])}"
    return said


def statement(r: Random) -> str:
    kind = r.random()
    if kind < 0.6:
        said = clause(r)
    elif kind < 0.75:
        said = f"{r.choice(OPENERS)} {clause(r)}"
    else:
        said = f"{clause(r)}{r.choice([',', ''])} {r.choice(LINKS)} {clause(r)}"
    return said[0].upper() + said[1:] + r.choices([".", "!"], [9, 1])[0]


def state(r: Random) -> str:
    be = r.choice(["is", "was", "looks", "seems", "became", "feels", "sounds"])
    link = r.choice(["and", "but", "or", "yet"])
    name, first, second = noun(r), r.choice(words.ADJECTIVES), r.choice(words.ADJECTIVES)
    end = r.choice(["", f" {r.choice(TIMES)}", f" {link} {second}", f", {link} not {second}"])
    return f"The {name} {be} {r.choice(['', 'very ', 'too ', 'rather ', 'not ', 'quite '])}{first}{end}."


def question(r: Random) -> str:
    verb, pronoun = r.choice(words.VERBS), r.choice(PRONOUNS)
    return r.choice([
        f"Did {subject(r)} {verb} {thing(r)}?",
        f"Why {r.choice(['did', 'do', 'should', 'would'])} {pronoun} {verb} {thing(r)}?",
        f"Where is {thing(r)}?",
        f"When {r.choice(['will', 'can', 'did'])} {subject(r)} {verb} {place(r)}?",
        f"Who {words.past(verb)} {thing(r)} {r.choice(TIMES)}?",
        f"How {r.choice(words.ADJECTIVES)} is {thing(r)}?",
        f"Can {pronoun} {verb} {thing(r)}, please?",
        f"What {r.choice(['did', 'will'])} {subject(r)} {verb} {r.choice(TIMES)}?",
        f"Is {thing(r)} {r.choice(words.ADJECTIVES)} or {r.choice(words.ADJECTIVES)}?",
    ])  # fmt: skip


def command(r: Random) -> str:
    verb = r.choice(words.VERBS)
    return r.choice([
        f"Please {verb} {thing(r)} {place(r)}.",
        f"Do not {verb} {thing(r)}!",
        f"{verb.capitalize()} {thing(r)} and {r.choice(words.VERBS)} {thing(r)}.",
        f"Let us {verb} {r.choice(['', thing(r) + ' '])}{r.choice(TIMES)}.",
        f"{r.choice(words.NAMES)}, {verb} {thing(r)}.",
        f"Remember to {verb} {thing(r)} {r.choice(TIMES)}.",
    ])  # fmt: skip


def listing(r: Random) -> str:
    return (
        f"{r.choice(['We need', 'There is', 'She bought', 'I saw', 'He likes'])} {thing(r)}, {thing(r)} and {thing(r)}."
    )


def number(r: Random) -> str:
    """Something with digits, as people write it."""
    day = date(r.randint(1950, 2035), 1, 1) + timedelta(r.randint(0, 364))
    amount = r.choice(
        [
            str(r.randint(0, 20)),
            str(r.randint(20, 100)),
            f"{r.randint(100, 9999):,}",
            f"{r.randint(1, 99)}.{r.randint(1, 9)}",
        ]
    )
    price = f"{r.choice('$$$€£')}{r.randint(1, 999)}{r.choice(['', '', f'.{r.randint(1, 99):02}'])}"
    clock = f"{r.randint(1, 12)}:{r.randint(0, 59):02}{r.choice(['', ' am', ' pm'])}"
    return r.choice([
        f"{thing(r).capitalize()} costs {price}.",
        f"Only {price} for {thing(r)} {r.choice(TIMES)}!",
        f"The meeting is on {day:%B} {day.day}, {day.year}.",
        f"It was {day:%A} the {day.day}th of {day:%B}.".replace("1th", "1st").replace("2th", "2nd").replace("3th", "3rd"),
        f"{r.choice(words.NAMES)} was born in {day.year}.",
        f"The train leaves at {clock}.",
        f"We sold {amount} {words.plural(noun(r))}.",
        f"Save {r.randint(1, 99)}% {r.choice(TIMES)}.",
        f"Call {r.randint(200, 999)}-{r.randint(200, 999)}-{r.randint(1000, 9999)} now.",
        f"It is {amount} {r.choice(['km', 'kg', 'm', 'miles', 'minutes', 'hours', 'degrees', 'cm', 'GB'])} {place(r)}.",
        f"{' '.join(str(r.randint(0, 9)) for _ in range(r.randint(1, 7)))}",
        f"Chapter {r.randint(1, 30)}, page {r.randint(1, 500)}.",
    ])  # fmt: skip


def salad(r: Random) -> str:
    """Words in no order: what a recogniser hears has to come from the sound."""
    every = [*words.VERBS, *words.ADJECTIVES, *words.ADVERBS, *words.THINGS, *words.FOOD, *words.NAMES, *words.PLACES]
    return " ".join(r.choice(every) for _ in range(r.randint(1, 7)))


GRAMMAR: list[tuple[Sentence, float]] = [
    (statement, 8), (state, 2), (question, 3), (command, 2), (listing, 1), (number, 4), (salad, 2),
    (lambda r: r.choice(SHORT), 0.7),
]  # fmt: skip


def make(r: Random) -> str:
    """One sentence, as it is read out."""
    rules, weights = zip(*GRAMMAR, strict=True)
    return spoken(r.choices(rules, weights)[0](r))


def vocabulary() -> set[str]:
    """Every form of every word of the grammar, as it is read out."""
    nouns = [*words.PEOPLE, *words.ANIMALS, *words.THINGS, *words.FOOD, *words.BODY]
    found = {*nouns, *map(words.plural, nouns), *words.ADJECTIVES, *words.ADVERBS, *words.NAMES, *words.PLACES}
    for form in (str, words.past, words.gerund, words.third):
        found |= {form(verb) for verb in words.VERBS}
    found |= {f"{name}'s" for name in words.NAMES} | set(words.DAYS)
    return {part for word in found for part in spoken(word).split()}


def read(files: Sequence[Path], shortest: int = 2, longest: int = 22) -> list[str]:
    """The sentences of text files, of so many words, as they are read out; code and tables are left out."""
    found: dict[str, None] = {}
    for file in files:
        for part in re.split(r"\n\s*\n|(?<=[.!?])\s+(?=[A-Z])|\"\s*,?\s*\n", file.read_text(errors="replace")):
            plain = re.sub(r"\s+", " ", part).strip(' "*-#>')
            letters = sum(letter.isalpha() or letter in " ,.'?!" for letter in plain)
            if not plain or letters < 0.93 * len(plain) or not shortest <= len(plain.split()) <= longest:
                continue
            found[spoken(plain)] = None
    return list(found)


def rare(r: Random, vocabulary: Sequence[str]) -> str:
    """Words of the texts, each as likely as another, so that seldom ones are heard often enough."""
    return " ".join(r.choice(vocabulary) for _ in range(r.randint(1, 6)))


def docstrings() -> list[str]:
    """The sentences of the standard library's docstrings, which a Python brings along (PSF licence)."""
    import ast
    import sysconfig
    import tempfile
    import warnings

    found: list[str] = []
    for file in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py")):
        if {"site-packages", "test", "tests", "idlelib"} & set(file.parts):
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(file.read_text(errors="replace"))
        except SyntaxError:
            continue  # a few files there are wrong on purpose
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                found.append(ast.get_docstring(node) or "")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n\n".join(found))
        file.flush()
        return read([Path(file.name)])
