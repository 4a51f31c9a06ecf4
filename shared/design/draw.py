"""A spec as a picture: SVG by hand, PNG by Pillow, both with the boxes that `fonts.measure` says."""

import io
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from PIL import Image, ImageDraw

from shared.design.fonts import CLASSES, FAMILIES, LINE_HEIGHT, load, measure

GENERIC = {"sans": "sans-serif", "serif": "serif", "round": "sans-serif", "hand": "cursive"}
ASCENT = 0.95
"""Baseline below the line's top, in units of fontSize: centres the usual ascent and descent in 1.2 lines."""


def svg(spec: Mapping[str, Any], width: int, height: int) -> str:
    """An SVG document of `width` x `height` px; each line is stretched to its measured width: every browser agrees."""
    shapes = "".join(_SVG[element["type"]](element) for element in spec["elements"])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
        f'<rect width="{width}" height="{height}" fill={quoteattr(spec["background_color"])}/>{shapes}</svg>'
    )


def _svg_text(element: Mapping[str, Any]) -> str:
    size, family = element["fontSize"], element["fontFamily"]
    kind = FAMILIES.get(family, "sans")
    names = quoteattr(f"'{family}', '{CLASSES[kind][1].split('-')[0]}', {GENERIC[kind]}")
    lines = ""
    for number, line in enumerate(element["text"].split("\n")):
        y = element["y"] + (number * LINE_HEIGHT + ASCENT) * size
        length = measure(line, family, size)[0]
        lines += (
            f'<tspan x="{element["x"]}" y="{y:.0f}" textLength="{length}" lengthAdjust="spacingAndGlyphs">'
            f"{escape(line)}</tspan>"
        )
    weight = 'font-weight="600" ' if kind in ("sans", "serif") else ""
    return f'<text font-family={names} font-size="{size}" {weight}fill={quoteattr(element["color"])}>{lines}</text>'


def _svg_box(element: Mapping[str, Any]) -> str:
    area = f'x="{element["x"]}" y="{element["y"]}" width="{element["width"]}" height="{element["height"]}"'
    if element["type"] == "rect":
        return f"<rect {area} fill={quoteattr(element['color'])}/>"
    return f'<rect {area} fill="#cccccc"><title>{escape(element["prompt"])}</title></rect>'


_SVG = {"text": _svg_text, "rect": _svg_box, "image": _svg_box}


def png(spec: Mapping[str, Any], width: int, height: int) -> bytes:
    """A PNG of `width` x `height` px, drawn with the open fonts that stand for the families."""
    picture = Image.new("RGB", (width, height), spec["background_color"])
    pen = ImageDraw.Draw(picture)
    for element in spec["elements"]:
        if element["type"] == "text":
            _draw_text(pen, element)
        else:
            x, y = element["x"], element["y"]
            fill = element["color"] if element["type"] == "rect" else "#cccccc"
            pen.rectangle((x, y, x + element["width"] - 1, y + element["height"] - 1), fill=fill)
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def _draw_text(pen: ImageDraw.ImageDraw, element: Mapping[str, Any]) -> None:
    size = element["fontSize"]
    font = load(element["fontFamily"], size)
    for number, line in enumerate(element["text"].split("\n")):
        y = element["y"] + (number * LINE_HEIGHT + ASCENT) * size
        pen.text((element["x"], y), line, font=font, fill=element["color"], anchor="ls")
