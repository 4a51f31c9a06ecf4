"""python -m ml_text.corpus OUT.jsonl --rows 100000 --seed 1"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from ml_text.corpus.briefs import write_brief
from ml_text.corpus.chat import draw_chat, draw_copying, draw_reading
from ml_text.corpus.copywriting import write_copy
from ml_text.corpus.layouts import ACCENTED, DEFAULT_ACCENTED, FONTS, layouts_for
from ml_text.corpus.palettes import draw_palette
from ml_text.corpus.placing import place
from ml_text.corpus.story import draw_story
from shared.design.brief import Brief
from shared.design.check import SPEC, missing, problems
from shared.design.prompt import MAX_ELEMENTS

MIXES = {
    "words": {"design": 0.05, "reading": 0.10, "copying": 0.05, "chat": 0.80},
    "designs": {"design": 0.55, "reading": 0.10, "copying": 0.08, "chat": 0.27},
}
"""Shares of the rows. First words, a fifth of the training: which thing belongs to which trade and what is said of it, in
rows of a dozen tokens. Some 1,600 things and 4,400 phrases each have to be met dozens of times; in designs alone, at 180
tokens a piece, a small model learns how they look and never what they are about (LOG.md). Then designs, with a fifth of the
tokens short rows beside them."""


def draw_design(r: Random) -> dict[str, Any]:
    """A design record. Drawn again until the design passes the very checks that an answer has to pass."""
    while True:
        story = draw_story(r)
        brief = Brief(prompt=write_brief(r, story), platform=story.platform, format=story.format)
        layout = r.choice(layouts_for(brief.width, brief.height, story.mood))
        palette = draw_palette(r, story.topic.topic if story.topic else None, story.mood)
        fonts, accented = r.choice(FONTS[story.mood]), ACCENTED.get(story.mood, DEFAULT_ACCENTED)
        spec = place(write_copy(r, story, brief.prompt), layout, palette, fonts, (brief.width, brief.height), accented)
        if not spec or len(spec["elements"]) > MAX_ELEMENTS:
            continue
        if not problems(SPEC.validate_python(spec), brief) and not missing(spec, brief):
            return {"prompt": brief.prompt, "platform": brief.platform, "format": brief.format, "response": spec}


def draw_rows(rows: int, seed: int, mix: str = "designs") -> Iterator[dict[str, Any]]:
    r = Random(seed)
    draws = {"reading": draw_reading, "copying": draw_copying, "chat": draw_chat}
    for kind in r.choices(list(MIXES[mix]), list(MIXES[mix].values()), k=rows):
        yield draw_design(r) if kind == "design" else {"messages": draws[kind](r)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m ml_text.corpus", description="Make the starter's training corpus.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mix", choices=list(MIXES), default="designs", help="what the rows are made of")
    args = parser.parse_args()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    draft = args.out.with_name(args.out.name + ".part")
    with draft.open("w") as file:
        for row in draw_rows(args.rows, args.seed, args.mix):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    draft.replace(args.out)
    print(f"{args.rows} rows -> {args.out}")


if __name__ == "__main__":
    main()
