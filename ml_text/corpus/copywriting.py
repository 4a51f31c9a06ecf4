"""How an ad speaks: the texts of one design, by role."""

from random import Random

from ml_text.corpus.story import Story

ANY_HEADLINES = ["Meet your new {p}", "{P}, done properly", "A better kind of {p}", "The {p} you wanted", "All about {p}", "{P} with a story", "Made for {p} people",
    "Good {p}. Nothing else.", "Looking for {p}?", "{P}, at last", "Say hello to {p}", "Simply good {p}", "The joy of {p}", "{P} worth keeping"]  # fmt: skip
ANY_LINES = ["Made with care, made to last.", "Small makers, honest work.", "You will notice the difference.", "Chosen by hand, one by one.", "Simple things, done very well.",
    "Come by and see for yourself.", "Nothing you do not need.", "Built for every day of the year.", "Ask the people who made it.", "Good work takes a little longer.",
    "Once you try it, you stay.", "Quality that speaks softly.", "Less noise, more of what counts.", "We love what we do, and it shows."]  # fmt: skip
ANY_CTAS = [
    "Take a look",
    "Find yours",
    "Order today",
    "See it now",
    "Come and see",
    "Get yours now",
    "Learn more",
    "Start here",
]
ANY_ADJECTIVES = ["good", "simple", "honest", "clever", "fine", "lovely", "solid", "bright", "sturdy", "handy"]
ANY_VERBS = ["Discover", "Try", "Enjoy", "Find", "Choose", "Love"]
BRAND_HEADLINES = ["Meet {b}", "This is {b}", "Hello from {b}", "{b} is here", "Come to {b}", "Only at {b}"]
PRODUCT_HEADLINES = [
    "{V} {a} {p}",
    "{V} {a} {p}.",
    "{A} {p}, every day",
    "{A}, {a2} {p}",
    "{V} the {a} {p}",
    "New {p}, {a} as ever",
]
PRODUCT_LINES = ["{P} the way it should be.", "For everyone who loves {p}.", "Come for {p}, stay for the rest.", "Life is better with {p}.",
    "All you want from {p}.", "We know all about {p}.", "It starts with {p}.", "Big on {p}, short on fuss.", "{P} and a smile.", "{A} {p}, and then some.",
    "Here for {p} and for you.", "There is always room for {p}.", "{A} {p}, made with care.", "Nobody regrets {a} {p}.", "Ask us anything about {p}.",
    "You had us at {p}.", "More time for {a} {p}.", "{P} for the rest of us."]  # fmt: skip
PRODUCT_CTAS = [
    "Discover {p}",
    "See our {p}",
    "Find your {p}",
    "Get your {p}",
    "Try our {p}",
    "Ask for {p}",
    "Choose your {p}",
    "Go for {p}",
]
PLACE_HEADLINES = ["Your new favourite {k}", "The {k} next door", "Not your usual {k}", "More than {n} {k}", "The {k} people talk about", "{N} {k} worth the walk",
    "Every town needs {n} {k}", "Meet the new {k}", "A {a} kind of {k}"]  # fmt: skip
PLACE_LINES = ["{N} {k} with time for you.", "Some say the best {k} around.", "The {k} that keeps its word.", "{N} {k} like no other.", "Just what a {k} should be.",
    "Come and see what {n} {k} can do."]  # fmt: skip
SUBJECT = 0.88
"""Share of designs whose copy names its subject in the brief's own words. Those words are the one thing that is right
for a trade that no lexicon knows, so the habit of taking them over matters more than any phrase learnt by heart."""
BRAND_LINES = ["{b} makes it easy.", "{b}, for people who care.", "That is how {b} does it."]


def write_copy(r: Random, story: Story, brief: str) -> dict[str, str]:
    """role -> text. Roles: brand, headline, line, line2, offer, offer2, when, cta; only headline and cta are always there.

    `brief` is the wording of the story: copy takes over a product or a kind of business only if it stands there.
    """
    topic = story.topic
    copy = {"headline": _headline(r, story)}
    lines = list(topic.lines) if topic else ANY_LINES
    first, second = r.sample(lines, 2)
    if r.random() < 0.85:
        copy["line"] = first
    if r.random() < 0.3 and len(story.offers) < 2:
        copy["line2"] = second if r.random() < 0.8 else r.choice(BRAND_LINES).format(b=story.brand)
    copy["cta"] = r.choice(topic.ctas if topic else ANY_CTAS)
    if r.random() < SUBJECT or topic is None:
        copy.update(_about(r, story, brief, copy))
    if story.brand not in copy["headline"] or r.random() < 0.3:
        copy["brand"] = story.brand
    for role, offer in zip(("offer", "offer2"), story.offers, strict=False):
        copy[role] = offer.copy
    if story.count:
        copy["count"] = story.count.copy
    copy.update(_when_and_where(r, story))
    if story.mood == "loud" and r.random() < 0.5 and story.brand not in copy["headline"]:
        copy["headline"] = copy["headline"].upper()
    return copy


def _headline(r: Random, story: Story) -> str:
    topic = story.topic
    if topic is None or r.random() > 0.1:
        return r.choice(topic.headlines) if topic else r.choice(ANY_CTAS)
    return r.choice(BRAND_HEADLINES).format(b=story.brand)


def _about(r: Random, story: Story, brief: str, copy: dict[str, str]) -> dict[str, str]:
    """One of the texts again, with the subject in the words of the brief; nothing when the brief names none."""
    said = brief.lower()
    topic, p = story.topic, story.product
    if p.lower() not in said and topic and topic.topic in said:
        p = topic.topic
    adjectives = topic.adjectives if topic else ANY_ADJECTIVES
    a, a2 = r.sample(adjectives, 2)
    n = "an" if story.business[0] in "aeiou" else "a"
    words = {"V": r.choice(topic.verbs if topic else ANY_VERBS), "a": a, "a2": a2, "A": _capital(a), "p": p}
    words |= {"P": _capital(p), "k": story.business, "n": n, "N": n.capitalize()}
    if p.lower() in said:
        kinds = {"headline": PRODUCT_HEADLINES + ANY_HEADLINES, "line": PRODUCT_LINES, "cta": PRODUCT_CTAS}
    elif story.business.lower() in said:
        kinds = {"headline": PLACE_HEADLINES, "line": PLACE_LINES}
    else:
        return {}
    role = "headline" if topic is None else r.choice([role for role in kinds if role in copy])
    return {role: r.choice(kinds[role]).format(**words)}


def _when_and_where(r: Random, story: Story) -> dict[str, str]:
    when, where = story.when, story.where
    if when and where and r.random() < 0.5 and len(when.copy + where.copy) < 34:
        return {"when": f"{when.copy}\n{where.copy}" if r.random() < 0.3 else f"{when.copy}. {where.copy}"}
    return {**({"when": when.copy} if when else {}), **({"where": where.copy} if where else {})}


def _capital(word: str) -> str:
    return word[0].upper() + word[1:]
