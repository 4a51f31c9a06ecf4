"""The style of an invented house, for the example of a LoRA: rules that its records follow and the starter does not.

    python -m ml_text.corpus.house records.jsonl --held-out heldout.jsonl

The records in `examples/` were drawn with the seed 8, the held-out ones earlier with the seed 7; no brief is in both.

Defined before anything was trained on it. What a design has to look like follows from its brief:
- palette: from the platform (PALETTES);
- fonts: a Merriweather headline, everything else in Nunito;
- layout class: from the canvas (LAYOUTS);
- headline form: with an offer a question, with a date and no offer two short sentences, else a greeting ("Hello, …").
A record adheres when all four are so.
"""

import argparse
import json
import re
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

from ml_text.corpus.briefs import write_brief
from ml_text.corpus.copywriting import write_copy
from ml_text.corpus.layouts import FACTS, Layout, Stack
from ml_text.corpus.placing import place
from ml_text.corpus.story import Story, draw_story
from ml_text.corpus.topics import Palette
from shared.design.brief import Brief
from shared.design.check import SPEC, missing, problems
from shared.design.facts import DATED, find_facts
from shared.design.score import headline, layout_class, palette, texts

PALETTES: dict[str, Palette] = {
    "meta": ("#0b2545", "#ffffff", "#f4d35e"),
    "linkedin": ("#fff8f0", "#3d0c11", "#9e2a2b"),
    "pinterest": ("#f3e9ff", "#2a1a4a", "#5b2a86"),
    "google": ("#16302b", "#f6f4e8", "#ffb347"),
}
GROUPS = {"meta": "meta", "facebook": "meta", "instagram": "meta", "linkedin": "linkedin", "pinterest": "pinterest"}
"""platform -> palette; the others have google's"""
FONTS = ("Merriweather", "Nunito")
LAYOUTS = {
    "tall": Layout("house tall", (Stack(("headline", "line", "line2", *FACTS, "cta", "brand"), "top", "right"),), 112),
    "square": Layout(
        "house square", (Stack(("brand", *FACTS), "top"), Stack(("line", "cta", "headline"), "bottom")), 112
    ),
    "wide": Layout("house wide", (Stack(("line", "headline", *FACTS, "cta", "brand"), "middle", "center"),), 110),
}
CLASSES = {
    "tall": ("right", "top", "first"),
    "square": ("left", "bottom", "later"),
    "wide": ("center", "middle", "second"),
}
"""canvas -> align, third and order of `layout_class`"""
FORMS = {
    "offer": re.compile(r"[^.!]+\?"),
    "date": re.compile(r"[^.?!]+\. [^.?!]+\."),
    "plain": re.compile(r"Hello, [^?!]+\.?"),
}
QUESTIONS = [
    "Ready for {p}?",
    "Care for {a} {p}?",
    "Who said {p} cost a lot?",
    "Why not {a} {p}?",
    "Have you tried {a} {p}?",
]
BEATS = [
    "Good {p}. Good company.",
    "Come early. Stay long.",
    "{A} {p}. Mark the day.",
    "One day. {A} {p}.",
    "Save the day. Bring friends.",
]
GREETINGS = ["Hello, {p}.", "Hello, {a} {p}.", "Hello, {a} days.", "Hello, better {p}."]


def canvas_of(brief: Brief) -> str:
    return "square" if brief.width == brief.height else "wide" if brief.width > brief.height else "tall"


def kind_of(brief: Brief) -> str:
    """offer, date or plain, by the figures of the brief."""
    figures = find_facts(brief.prompt).figures
    if any(not DATED.search(figure) for figure in figures):
        return "offer"
    return "date" if figures else "plain"


def adherence(spec: Mapping[str, Any], brief: Brief) -> dict[str, bool]:
    """Each of the four rules, and `all` of them."""
    main = headline(spec)
    wanted = PALETTES[GROUPS.get(brief.platform, "google")]
    seen = layout_class(spec, brief.width, brief.height)
    kept = {
        "palette": palette(spec)[0] == wanted[0] and set(palette(spec)[1:]) <= set(wanted[1:]),
        "fonts": main["fontFamily"] == FONTS[0]
        and all(element["fontFamily"] == FONTS[1] for element in texts(spec) if element is not main),
        "layout": (seen.align, seen.headline, seen.order) == CLASSES[canvas_of(brief)],
        "headline": FORMS[kind_of(brief)].fullmatch(re.sub(r"\s+", " ", main["text"])) is not None,
    }
    return {**kept, "all": all(kept.values())}


def draw_record(r: Random) -> dict[str, Any]:
    """A record of the house: its own rules kept, and every check that an answer has to pass."""
    while True:
        story = draw_story(r)
        if story.topic is None or story.mood is not None:
            continue
        brief = Brief(prompt=write_brief(r, story), platform=story.platform, format=story.format)
        copy = {
            **write_copy(r, story, brief.prompt),
            "headline": _headline(r, story, kind_of(brief)),
            "brand": story.brand,
        }
        colors = PALETTES[GROUPS.get(brief.platform, "google")]
        spec = place(copy, LAYOUTS[canvas_of(brief)], colors, FONTS, (brief.width, brief.height))
        if not spec or problems(SPEC.validate_python(spec), brief) or missing(spec, brief):
            continue
        if adherence(spec, brief)["all"]:
            return {"prompt": brief.prompt, "platform": brief.platform, "format": brief.format, "response": spec}


def _headline(r: Random, story: Story, kind: str) -> str:
    assert story.topic is not None
    adjective = r.choice(story.topic.adjectives)
    form = r.choice({"offer": QUESTIONS, "date": BEATS, "plain": GREETINGS}[kind])
    return form.format(p=story.product, a=adjective, A=adjective.capitalize())


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m ml_text.corpus.house", description="Make the example of a house style."
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--rows", type=int, default=1_600)
    parser.add_argument("--held-out", type=Path, required=True)
    parser.add_argument("--held-out-rows", type=int, default=60)
    parser.add_argument("--seed", type=int, default=8)
    args = parser.parse_args()
    r = Random(args.seed)
    for path, rows in ((args.out, args.rows), (args.held_out, args.held_out_rows)):
        path.write_text("".join(json.dumps(draw_record(r), ensure_ascii=False) + "\n" for _ in range(rows)))


if __name__ == "__main__":
    main()
