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
BRAND_HEADLINES = ["Meet {b}", "This is {b}", "Hello from {b}", "{b} is here", "Come to {b}", "Only at {b}"]
PRODUCT_HEADLINES = [
    "{V} {a} {p}",
    "{V} {a} {p}.",
    "{A} {p}, every day",
    "{A}, {a2} {p}",
    "{V} the {a} {p}",
    "So {a}. So {a2}.",
    "New {p}, {a} as ever",
    "{A} by nature",
]
BRAND_LINES = ["{b} makes it easy.", "{b}, for people who care.", "That is how {b} does it."]


def write_copy(r: Random, story: Story) -> dict[str, str]:
    """role -> text. Roles: brand, headline, line, line2, offer, offer2, when, cta; only headline and cta are always there."""
    topic = story.topic
    copy = {"headline": _headline(r, story)}
    if story.brand not in copy["headline"] or r.random() < 0.3:
        copy["brand"] = story.brand
    lines = list(topic.lines) if topic else ANY_LINES
    first, second = r.sample(lines, 2)
    if r.random() < 0.85:
        copy["line"] = first
    if r.random() < 0.3 and len(story.offers) < 2:
        copy["line2"] = second if r.random() < 0.8 else r.choice(BRAND_LINES).format(b=story.brand)
    for role, offer in zip(("offer", "offer2"), story.offers, strict=False):
        copy[role] = offer.copy
    if story.count:
        copy["count"] = story.count.copy
    copy.update(_when_and_where(r, story))
    copy["cta"] = r.choice(topic.ctas if topic else ANY_CTAS)
    if story.mood == "loud" and r.random() < 0.5 and story.brand not in copy["headline"]:
        copy["headline"] = copy["headline"].upper()
    return copy


def _headline(r: Random, story: Story) -> str:
    topic = story.topic
    roll = r.random()
    if topic is None:
        return r.choice(ANY_HEADLINES).format(p=story.product, P=_capital(story.product))
    if roll < 0.66:
        return r.choice(topic.headlines)
    if roll < 0.92:
        a, a2 = r.sample(topic.adjectives, 2)
        words = {"V": r.choice(topic.verbs), "a": a, "a2": a2, "A": _capital(a), "p": story.product}
        return r.choice(PRODUCT_HEADLINES).format(**words)
    return r.choice(BRAND_HEADLINES).format(b=story.brand)


def _when_and_where(r: Random, story: Story) -> dict[str, str]:
    when, where = story.when, story.where
    if when and where and r.random() < 0.5 and len(when.copy + where.copy) < 34:
        return {"when": f"{when.copy}\n{where.copy}" if r.random() < 0.3 else f"{when.copy}. {where.copy}"}
    return {**({"when": when.copy} if when else {}), **({"where": where.copy} if where else {})}


def _capital(word: str) -> str:
    return word[0].upper() + word[1:]
