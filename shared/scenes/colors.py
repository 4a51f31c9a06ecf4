"""Colors that have a name, and mixing them."""

Color = tuple[int, int, int]
COLORS: dict[str, Color] = {
    "red": (208, 44, 46),
    "blue": (46, 94, 206),
    "green": (52, 152, 74),
    "yellow": (242, 202, 54),
    "orange": (238, 134, 42),
    "purple": (130, 66, 178),
    "pink": (240, 142, 178),
    "white": (241, 241, 238),
    "black": (36, 36, 42),
    "teal": (30, 150, 150),
}


def mix(first: Color, second: Color, share: float) -> Color:
    """`first` where `share` is 0, `second` where it is 1."""
    red, green, blue = (int(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def article(word: str) -> str:
    """The word with a or an before it."""
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"
