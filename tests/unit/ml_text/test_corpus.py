"""The starter's corpus and the house style: what they make passes the very checks that answers have to pass."""

import json
import re
from collections import Counter
from random import Random

import jsonschema
import pytest

from ml_text.corpus.__main__ import draw_design, draw_rows
from ml_text.corpus.briefs import MOOD_WORDS
from ml_text.corpus.house import adherence, draw_record
from ml_text.corpus.names import draw_name
from ml_text.corpus.palettes import mood_palettes, pool, topic_palettes
from ml_text.corpus.topics import load_topics
from shared import design
from shared.design import Brief, find_facts, score
from shared.design.prompt import copy_pattern

ROWS = 160


def brief_of(row: dict) -> Brief:
    return Brief(prompt=row["prompt"], platform=row["platform"], format=row["format"])


@pytest.fixture(scope="module")
def designs() -> list[dict]:
    return [row for row in draw_rows(ROWS, seed=3) if "prompt" in row]


def test_the_same_seed_draws_the_same_rows():
    assert list(draw_rows(5, seed=1)) == list(draw_rows(5, seed=1)) != list(draw_rows(5, seed=2))


def test_every_design_is_one_that_the_gateway_would_accept(designs: list[dict]):
    for row in designs:
        brief = brief_of(row)
        assert design.check(design.dumps(row["response"]), brief) == row["response"]
        assert design.missing(row["response"], brief) == []
        jsonschema.validate(row["response"], design.response_format(brief)["json_schema"]["schema"])


def test_every_copy_could_be_decoded_under_its_briefs_grammar(designs: list[dict]):
    for row in designs:
        pattern = re.compile(copy_pattern(find_facts(row["prompt"]).spans))
        for element in row["response"]["elements"]:
            assert pattern.fullmatch(element["text"]), (element["text"], row["prompt"])


def test_designs_can_be_read(designs: list[dict]):
    assert min(score.body_contrast(row["response"]) for row in designs) >= score.BODY_CONTRAST


def test_copy_is_more_than_the_brief(designs: list[dict]):
    counts = [score.copied(row["response"], row["prompt"]) for row in designs]
    assert sum(a for a, _ in counts) / sum(b for _, b in counts) < 0.4


def test_designs_differ(designs: list[dict]):
    classes = {score.layout_class(row["response"], brief_of(row).width, brief_of(row).height) for row in designs}
    assert len({score.headline(row["response"])["text"] for row in designs}) > 0.9 * len(designs)
    assert len(classes) > 15
    assert len({score.palette(row["response"]) for row in designs}) > 40


def test_an_asked_mood_has_its_palette():
    r = Random(5)
    seen: Counter[str] = Counter()
    while min(seen[mood] for mood in ("loud", "quiet", "pastel", "dark")) < 3:
        row = draw_design(r)
        background = row["response"]["background_color"]
        moods = {palette[0]: mood for mood in ("loud", "quiet", "pastel", "dark") for palette in mood_palettes(mood)}
        words = {mood: "|".join(map(re.escape, phrases)) for mood, phrases in MOOD_WORDS.items()}
        asked = {mood for mood, said in words.items() if re.search(rf"\b(?:{said})\b", row["prompt"], re.IGNORECASE)}
        if background in moods and len(asked) == 1:  # a product may be "gentle" too
            assert asked == {moods[background]}, row["prompt"]
            seen[moods[background]] += 1


def test_palettes_keep_their_contrast():
    every = {*pool(), *(p for mood in ("loud", "quiet", "pastel", "dark") for p in mood_palettes(mood))}
    for background, text, accent in every:
        assert score.contrast(background, text) >= 4.5
        assert score.contrast(background, accent) >= 4.5
    assert all(palette in every for topic in load_topics() for palette in topic_palettes(topic.topic))


def test_names_hardly_ever_come_twice():
    r = Random(0)
    assert len({draw_name(r) for _ in range(1000)}) > 900


def test_topics_are_complete_and_share_no_headline():
    topics = load_topics()
    assert len(topics) > 100
    for topic in topics:
        assert len(topic.headlines) == len(topic.lines) == 16, topic.topic
        assert len(topic.products) >= 8 and len(topic.palettes) == 4, topic.topic
    headlines = [headline for topic in topics for headline in topic.headlines]
    assert len(set(headlines)) == len(headlines)


def test_chats_are_short_turns():
    chats = [row["messages"] for row in draw_rows(ROWS, seed=4) if "messages" in row]
    for turns in chats:
        assert [turn["role"] for turn in turns] == ["user", "assistant"] * (len(turns) // 2)
        assert all(0 < len(turn["content"]) < 300 for turn in turns)


def test_house_records_keep_the_houses_rules_and_the_corpus_does_not(designs: list[dict]):
    r = Random(1)
    records = [draw_record(r) for _ in range(20)]
    assert all(adherence(record["response"], brief_of(record))["all"] for record in records)
    assert sum(adherence(row["response"], brief_of(row))["all"] for row in designs) == 0


def test_each_house_rule_is_seen_when_it_is_broken():
    record = draw_record(Random(2))
    brief, spec = brief_of(record), record["response"]
    main = spec["elements"].index(score.headline(spec))

    def broken(**changes: object) -> dict[str, bool]:
        elements = [e | changes if n == main else e for n, e in enumerate(spec["elements"])]
        return adherence({**spec, "elements": elements}, brief)

    assert not broken(color="#123456")["palette"]
    assert not broken(fontFamily="Inter")["fonts"]
    assert not broken(text="buy now")["headline"]
    assert not broken(x=spec["elements"][main]["x"] + 140)["layout"]
    assert not any(broken(color="#123456", fontFamily="Inter")[rule] for rule in ("palette", "fonts", "all"))


def test_the_examples_are_records_of_the_house():
    for name in ("house_style", "house_style_heldout"):
        with open(f"examples/{name}.jsonl") as file:
            for line in file:
                brief, spec = design.read_record(json.loads(line))
                assert adherence(spec, brief)["all"]
