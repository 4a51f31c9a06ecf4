"""How large a text's box is: an open font per family class, brought by a dependency, stands for every family.

Without an agreed font, "inside the canvas" and "no overlap" would mean something else on every machine.
"""

from functools import cache
from importlib import resources

from PIL import ImageFont

CLASSES: dict[str, tuple[str, str]] = {
    "sans": ("font_manrope", "Manrope-SemiBold.ttf"),
    "serif": ("font_source_serif_pro", "SourceSerifPro-Semibold.ttf"),
    "round": ("font_fredoka_one", "FredokaOne-Regular.ttf"),
    "hand": ("font_amatic_sc", "AmaticSC-Bold.ttf"),
}
"""family class -> (package, file)"""

FAMILIES: dict[str, str] = {
    "Montserrat": "sans",
    "Inter": "sans",
    "Poppins": "sans",
    "Roboto": "sans",
    "Playfair Display": "serif",
    "Lora": "serif",
    "Merriweather": "serif",
    "Fredoka": "round",
    "Nunito": "round",
    "Amatic SC": "hand",
}
"""fontFamily -> family class"""

LINE_HEIGHT = 1.2
"""Line pitch in units of fontSize; a box of n lines is n * LINE_HEIGHT * fontSize high."""


@cache
def load(family: str, size: int) -> ImageFont.FreeTypeFont:
    """The font that stands for `family` at `size` px; an unknown family is measured as sans."""
    package, name = CLASSES[FAMILIES.get(family, "sans")]
    with resources.as_file(resources.files(package) / "files" / name) as path:
        return ImageFont.truetype(str(path), size)


def measure(text: str, family: str, size: int) -> tuple[int, int]:
    """(width, height) in px of the box of `text`, whose lines are split by a newline."""
    # Measured once at 100 px and scaled, so that a box grows exactly in proportion to its size.
    lines = text.split("\n")
    width = max(_line_width(line, family) for line in lines)
    return round(width * size / 100), round(len(lines) * LINE_HEIGHT * size)


def _line_width(line: str, family: str) -> float:
    return load(family, 100).getlength(line)
