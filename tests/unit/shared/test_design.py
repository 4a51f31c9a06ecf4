"""The design spec: facts, canvas, schema, checks, drawing, scores."""

import json
import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from shared import design
from shared.design import Brief, check, find_facts, score
from shared.design.check import check_edited
from shared.design.fonts import FAMILIES, measure
from shared.design.prompt import copy_pattern
from shared.errors import InvalidRequest, UpstreamInvalid

BRIEF = Brief(
    prompt="coffee place called Blue Door, 20% off on 4 May, instagram", platform="Instagram", format="SQUARE"
)


def text(words: str, x: int = 80, y: int = 80, size: int = 48, **changes: Any) -> dict[str, Any]:
    element = {
        "type": "text",
        "text": words,
        "x": x,
        "y": y,
        "fontSize": size,
        "color": "#ffffff",
        "fontFamily": "Inter",
    }
    return element | changes


def spec(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"background_color": "#1a1a2e", "elements": list(elements)}


GOOD = spec(text("Wake up to\nbetter beans", size=96), text("Blue Door", y=400), text("20% off, 4 May", y=500))


def test_case_of_platform_and_format_does_not_matter():
    assert (BRIEF.platform, BRIEF.format, BRIEF.width, BRIEF.height) == ("instagram", "square", 1080, 1080)


@pytest.mark.parametrize(
    ("change", "param", "says"),
    [
        ({"platform": "myspace"}, "platform", "instagram"),
        ({"format": "landscape", "platform": "pinterest"}, "format", "square, portrait"),
        ({"prompt": "  "}, "prompt", "empty"),
        ({"prompt": "x" * 2001}, "prompt", "2000"),
        ({"prompt": "a\x00b"}, "prompt", "no text"),
        ({"prompt": "a\ud800b"}, "prompt", "no text"),
    ],
)
def test_a_wrong_brief_names_its_field(change: dict[str, str], param: str, says: str):
    with pytest.raises(InvalidRequest, match=re.escape(says)) as caught:
        Brief(**({"prompt": "tea", "platform": "x", "format": "square"} | change))
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("prompt", "names", "figures"),
    [
        ("coffee place called Blue Door, 20% off, instagram", ["Blue Door"], ["20%"]),
        ("Sushi restaurant KUMO all you can eat 27,90 € on mondays", ["KUMO"], ["27,90 €"]),
        ("Name: Asana House. We open in Porto on 4 May.", ["Asana House", "Porto"], ["4 May"]),
        ("Book Mr Swirly, 60 scoops for £120", ["Mr Swirly"], ["£120"]),
        ("Brand: Lumen. Launch offer 25% off", ["Lumen"], ["25%"]),
        ("bar by the sea called la luna, entry 5 euros", ["la luna"], ["5 euros"]),
        ("after 3pm on Sunday April 10", ["Sunday"], ["3pm", "April 10"]),
        ("car wash on Route 9, $29", ["Route 9"], ["$29"]),
    ],
)
def test_facts_of_a_brief(prompt: str, names: list[str], figures: list[str]):
    assert set(find_facts(prompt).required) == {*names, *figures}


def test_ordinary_sentence_openings_are_no_names():
    assert find_facts("Hiring now. We want good people! Please apply").required == ()


def test_a_brief_full_of_facts_requires_none():
    facts = find_facts("in Porto, Berlin, Leeds, Lisbon, Vienna, Madrid, and Milan")
    assert facts.names and not facts.required


@pytest.mark.parametrize(
    ("copy", "allowed"),
    [
        ("Wake up to\nbetter beans.", True),
        ("Blue Door", True),
        ("Now at Blue\nDoor. Come in!", True),
        ("20% off, on 4 May", True),
        ("WAKE UP!", True),
        ("Now at Blue Moon", False),
        ("25% off", False),
        ("20 off", False),
        ("on 14 May", False),
        ("Come to Instagram", False),
        ("", False),
    ],
)
def test_names_and_figures_are_spans_of_the_brief(copy: str, allowed: bool):
    assert bool(re.fullmatch(copy_pattern(find_facts(BRIEF.prompt).spans), copy)) is allowed


@pytest.mark.parametrize(
    ("copy", "allowed"),
    [
        ("Riverside Run", True),
        ("Meet Riverside\nRun. Ready?", True),
        ("Run", True),
        ("Rise and run", True),
        ("RUN TODAY", True),
        ("Riverside", False),
        ("Riverside, done properly", False),
        ("Ready? Rivers run", False),
        ("La Rosa", True),
        ("Lace up", True),
        ("La", False),
        ("La run", False),
    ],
)
def test_a_line_that_opens_like_a_stressed_name_is_that_name_whole(copy: str, allowed: bool):
    names = ("Riverside Run", "La Rosa", "7am", "VoltRide")
    assert bool(re.fullmatch(copy_pattern(names, names), copy)) is allowed
    assert re.fullmatch(copy_pattern(names), copy)


def test_a_span_with_signs_of_regular_expressions_is_taken_literally():
    pattern = copy_pattern(("A+B (Co)",))
    assert re.fullmatch(pattern, "Meet A+B (Co)") and not re.fullmatch(pattern, "Meet AAB Co")


def test_the_schema_takes_a_good_design_and_no_other():
    schema = design.response_format(BRIEF)["json_schema"]["schema"]
    jsonschema.validate(GOOD, schema)
    for change in ({"x": 81}, {"y": 1080}, {"fontSize": 50}, {"color": "white"}, {"extra": 1}, {"text": "30% off"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(spec(text("Blue Door") | change), schema)


def test_more_element_types_on_request_only():
    rect = {"type": "rect", "x": 0, "y": 0, "width": 200, "height": 40, "color": "#ff0000"}
    jsonschema.validate(spec(rect), design.response_format(BRIEF, ["text", "rect"])["json_schema"]["schema"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(spec(rect), design.response_format(BRIEF)["json_schema"]["schema"])
    with pytest.raises(InvalidRequest) as caught:
        design.response_format(BRIEF, ["circle"])
    assert caught.value.param == "elements"


def test_check_answers_the_spec_unchanged():
    assert check(json.dumps(GOOD), BRIEF) == GOOD


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("no json", "not a design spec"),
        ("{}", "background_color"),
        (json.dumps(spec(text("Blue Door 20% 4 May", x=1000))), "leaves the canvas"),
        (json.dumps(spec(*GOOD["elements"], text("over it", y=420))), "overlap"),
        (json.dumps(spec(*GOOD["elements"], text("30% off", y=800))), "'30' is not in the brief"),
        (json.dumps(GOOD).replace('"x": 80', '"x": "80"'), "x"),
        (json.dumps(GOOD).replace('"x": 80', '"x": NaN'), "not a design spec"),
        (json.dumps(spec({"type": "rect", "x": 0, "y": 0, "width": 9, "height": 9, "color": "#ffffff"})), "is a rect"),
    ],
)
def test_check_says_what_is_wrong(wrong: str, says: str):
    with pytest.raises(UpstreamInvalid, match=re.escape(says)):
        check(wrong, BRIEF)


def test_missing_facts_are_named_and_a_name_over_two_lines_or_shouted_is_there():
    assert design.missing(spec(text("Blue Door, 4 May")), BRIEF) == ["20%"]
    assert design.missing(spec(text("Blue\nDoor, 20%"), text("4 MAY", y=400)), BRIEF) == []


LESS, LEAST = spec(text("Blue Door, 4 May")), spec(text("Blue Door"))
TWICE = spec(text("Blue Door: 20% off"), text("4 May, coffee", y=400), text("4 May, coffee", y=600))
ON_TOPIC = spec(text("Blue Door: 20% off"), text("4 May, coffee", y=400))


@pytest.mark.parametrize(
    ("answers", "chosen"),
    [
        ([[GOOD]], GOOD),
        ([[LEAST, GOOD]], GOOD),
        ([[GOOD, ON_TOPIC]], ON_TOPIC),
        ([[TWICE, GOOD]], GOOD),
        ([[LEAST], [LEAST, GOOD]], GOOD),
        ([["no json"], ["no json"], [GOOD]], GOOD),
        ([[LESS], [LEAST, "no json"], [LEAST]], LESS),
        ([["no json"], ["no json", LEAST, LESS], []], LESS),
        ([[LEAST], ["no json"], ["no json"]], LEAST),
    ],
)
async def test_the_design_that_leaves_out_least_and_of_those_the_one_with_most_of_the_brief(
    answers: list, chosen: dict
):
    asked: list[dict] = []

    async def ask(fields: Mapping[str, Any]) -> tuple[list[str], int]:
        asked.append(dict(fields))
        drafts = answers[len(asked) - 1]
        return [draft if isinstance(draft, str) else json.dumps(draft) for draft in drafts], len(asked)

    made, beside = await design.ask_for_design(ask, BRIEF)
    assert made == chosen and chosen in answers[beside - 1]
    assert len(asked) == len(answers) and len({fields.get("seed") for fields in asked}) == len(asked)


async def test_a_later_ask_stresses_what_the_best_draft_leaves_out():
    asked: list[dict] = []

    async def ask(fields: Mapping[str, Any]) -> tuple[list[str], None]:
        asked.append(dict(fields))
        return [json.dumps(draft) for draft in ([LEAST, LESS], [LEAST], [GOOD])[len(asked) - 1]], None

    await design.ask_for_design(ask, BRIEF)
    assert "messages" not in asked[0]
    for fields in asked[1:]:
        assert fields["messages"] == design.messages(BRIEF, ["20%"]) != design.messages(BRIEF)
        assert fields["messages"][1]["content"].endswith("With 20%\nShow: Blue Door; 20%; 4 May; 20%")
        assert fields["response_format"] == design.response_format(BRIEF, stressed=["20%"])


async def test_unusable_answers_only_are_an_error():
    async def ask(fields: Mapping[str, Any]) -> tuple[list[str], None]:
        return ["{}"] * fields["n"], None

    with pytest.raises(UpstreamInvalid, match="background_color"):
        await design.ask_for_design(ask, BRIEF)


def test_an_edited_spec_is_checked_too():
    assert check_edited(GOOD, BRIEF) == GOOD
    with pytest.raises(InvalidRequest) as caught:
        check_edited(spec(text("x", size=9000)), BRIEF)
    assert caught.value.param == "edited_spec"


@pytest.mark.parametrize("family", [*FAMILIES, "Unheard Of"])
def test_a_box_grows_with_size_and_lines(family: str):
    width, height = measure("Good beans", family, 40)
    assert measure("Good beans", family, 80) == pytest.approx((2 * width, 2 * height), abs=1)
    assert measure("Good beans\nGood beans", family, 40) == (width, 2 * height)
    assert measure("Good beans, good day", family, 40)[0] > width > 40


def test_svg_is_xml_and_hostile_copy_stays_text():
    drawing = design.svg(spec(text("<script>&\n\"'", fontFamily="a'\"><b>")), 1080, 1080)
    root = ElementTree.fromstring(drawing)
    assert [node.text for node in root.iter("{http://www.w3.org/2000/svg}tspan")] == ["<script>&", "\"'"]


def test_png_has_the_canvas_and_the_colours():
    import io

    from PIL import Image

    picture = Image.open(io.BytesIO(design.png(GOOD, 1080, 1080)))
    assert picture.size == (1080, 1080)
    assert picture.getpixel((1, 1)) == (0x1A, 0x1A, 0x2E)
    assert (255, 255, 255) in {color for _, color in picture.getcolors(1 << 20)}


def test_records_are_read_and_written_in_one_spelling():
    row = {"prompt": BRIEF.prompt, "platform": "instagram", "format": "square", "response": GOOD}
    brief, read = design.read_record(row)
    assert brief == BRIEF and json.loads(design.dumps(read)) == GOOD
    assert design.dumps({"a": "é", "b": [1]}) == '{"a":"é","b":[1]}'
    assert design.read_record(row | {"response": json.dumps(GOOD)})[1] == GOOD
    with pytest.raises(ValueError, match=r"response\.elements\.0\.x"):
        design.read_record(row | {"response": spec(text("a", x="left"))})
    with pytest.raises(ValueError, match="`platform`"):
        design.read_record(row | {"platform": 3})


def test_explain_names_words_of_the_brief():
    brief = Brief(prompt="dark ad for a coffee bar, Blue Door, 20% off", platform="x", format="square")
    said = design.explain(spec(text("Blue Door"), text("20% off, coffee first", y=300)), brief)
    assert said["palette"] == ["dark"]
    assert said["copy"] == {"0": ["Blue Door"], "1": ["20%", "coffee"]}


def test_contrast_is_wcags():
    assert score.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert score.contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


def test_echo_and_copied_words():
    prompt = "we bake fresh bread every single day at Oma's Oven"
    made = spec(text("We bake fresh bread every single day"), text("Oma's Oven", y=300))
    assert score.echo(made, prompt) == 7
    assert score.copied(made, prompt) == (9, 9)


def test_layout_classes_tell_layouts_apart():
    left = score.layout_class(GOOD, 1080, 1080)
    assert (left.align, left.headline, left.order) == ("left", "top", "first")
    wide = measure("Blue Door", "Inter", 48)[0]
    right = spec(
        text("Blue Door", x=1000 - wide), text("Beans", x=1000 - measure("Beans", "Inter", 96)[0], y=800, size=96)
    )
    assert score.layout_class(right, 1080, 1080)[:3] == ("right", "bottom", "second")
