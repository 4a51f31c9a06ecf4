"""Text as it is read out: numbers, dates, times, prices, units, abbreviations and addresses become words.

What comes out holds letters, apostrophes, spaces and the marks `,.?!` alone, so that a model never sees a digit.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Any

Match = re.Match[str]
LETTERS = {letter: letter for letter in "bcdefghijklmnopqrstuvwxyz"} | {"a": "ay"}
"""How a letter is written where it is read as one; `a` alone would be the article."""
ABBREVIATIONS = {
    "mr": "mister", "mrs": "missus", "ms": "miss", "dr": "doctor", "prof": "professor", "st": "saint", "jr": "junior",
    "sr": "senior", "vs": "versus", "etc": "et cetera", "approx": "approximately", "dept": "department",
    "inc": "incorporated", "ltd": "limited", "co": "company", "corp": "corporation", "no": "number", "vol": "volume",
    "fig": "figure", "est": "established", "min": "minutes", "max": "maximum", "tel": "telephone", "ave": "avenue",
    "blvd": "boulevard", "rd": "road", "apt": "apartment", "govt": "government", "capt": "captain",
    "sgt": "sergeant", "gen": "general",
    "e.g": "for example", "i.e": "that is", "a.m": "ay m", "p.m": "p m", "u.s": "u s", "u.k": "u k",
}  # fmt: skip
"""Written with a full stop; `no.` only before a number."""
CURRENCIES = {
    "$": ("dollar", "cent"),
    "€": ("euro", "cent"),
    "£": ("pound", "penny"),
    "¥": ("yen", ""),
    "₹": ("rupee", "paisa"),
}
UNITS = {
    "km": "kilometer", "m": "meter", "cm": "centimeter", "mm": "millimeter", "kg": "kilogram", "g": "gram",
    "mg": "milligram", "l": "liter", "ml": "milliliter", "mi": "mile", "ft": "foot", "in": "inch", "lb": "pound",
    "lbs": "pound", "oz": "ounce", "h": "hour", "hr": "hour", "hrs": "hour", "s": "second", "sec": "second",
    "ms": "millisecond", "min": "minute",
    "kb": "kilobyte", "mb": "megabyte", "gb": "gigabyte", "tb": "terabyte", "hz": "hertz", "khz": "kilohertz",
    "mhz": "megahertz", "ghz": "gigahertz", "kw": "kilowatt", "kwh": "kilowatt hour", "w": "watt", "v": "volt",
    "mph": "mile per hour", "kmh": "kilometer per hour", "px": "pixel",
}  # fmt: skip
MONTHS = "january february march april may june july august september october november december".split()
MONTH = "|".join([*MONTHS, *(f"{month[:3]}\\.?" for month in MONTHS), "sept\\.?"])
SYMBOLS = {
    "&": " and ", "@": " at ", "+": " plus ", "=": " equals ", "%": " percent ", "°": " degrees ", "#": " number ",
    "×": " times ", "÷": " divided by ", "©": " copyright ", "™": " ", "®": " ", "½": " one half ", "*": " ", "_": " ",
    "¼": " one quarter ", "¾": " three quarters ", "/": " slash ", "~": " about ", "<": " less than ",
    ">": " greater than ",
}  # fmt: skip
SCALES = {"k": "thousand", "m": "million", "bn": "billion", "b": "billion", "t": "trillion"}
NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
LONGEST = 15
"""Digits of the longest number that is read as one; longer ones are read digit by digit."""


def spoken(text: str) -> str:
    """`Meet Dr. Lee at 3:30 pm for $4.50` -> `meet doctor lee at three thirty p m for four dollars and fifty cents`."""
    text = unicodedata.normalize("NFKC", re.sub(r"[½¼¾]", lambda found: SYMBOLS[found[0]], text))
    text = re.sub(r"[‘’ʼ`]", "'", text).replace("…", ". ").replace("\u2044", "/")
    for pattern, say in _rules():
        text = pattern.sub(say, text)
    for symbol, word in SYMBOLS.items():
        text = text.replace(symbol, word)
    return _clean(text)


def words(text: str) -> list[str]:
    """What is heard of `text`: its words, without marks; what error rates are counted over."""
    heard = re.sub(r"[^a-z' ]", " ", spoken(text)).split()
    return ["a" if word == LETTERS["a"] else word for word in heard]


@cache
def _rules() -> list[tuple[re.Pattern[str], Callable[[Match], str]]]:
    """In this order: what a later rule would tear apart comes first."""
    table: list[tuple[str, Callable[[Match], str]]] = [
        (r"https?://([^\s,]+?)(?=[.,!?]*(?:\s|$))", lambda m: _address(m[1])),
        (r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+", lambda m: _address(m[0])),
        (r"\b(?:[\w-]+\.)+(?:com|org|net|io|ai|dev|app|shop|uk|de|eu)\b(?:/\S*)?", lambda m: _address(m[0])),
        (r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b", lambda m: _date(m[0], int(m[1]), int(m[2]), int(m[3]))),
        (r"\b(\d{1,2})/(\d{1,2})/(\d{4})\b", lambda m: _date(m[0], int(m[3]), int(m[1]), int(m[2]))),
        (
            rf"\b({MONTH})\s+(\d{{1,2}})(?:st|nd|rd|th)?(?:,?\s+(\d{{4}}))?\b(?!:)",
            lambda m: f"{_month(m[1])} {_ordinal(m[2])}" + (f", {_year(m[3])}" if m[3] else ""),
        ),
        (
            rf"\b(\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?({MONTH})(?:,?\s+(\d{{4}}))?\b",
            lambda m: f"{_ordinal(m[1])} of {_month(m[2])}" + (f", {_year(m[3])}" if m[3] else ""),
        ),
        (r"\b(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\s*([ap])\.?m\b\.?)?", lambda m: _time(m[1], m[2], m[3], m[4])),
        (r"\b(\d{1,2})\s*([ap])\.?m\b\.?", lambda m: f"{_number(m[1])} {LETTERS[m[2].lower()]} m"),
        (
            rf"([$€£¥₹])\s?({NUMBER})(?:\s?(k|m|bn|b|t|thousand|million|billion|trillion)\b)?",
            lambda m: _price(m[1], m[2], m[3]),
        ),
        (rf"\b({NUMBER})\s?([€£])", lambda m: _price(m[2], m[1], None)),
        (r"\b(\d+)/(\d+)\b", lambda m: f"{_number(m[1])} over {_number(m[2])}"),
        (
            rf"({NUMBER})\s?°\s?([CF])\b",
            lambda m: f"{_number(m[1])} degrees {'celsius' if m[2] in 'Cc' else 'fahrenheit'}",
        ),
        (r"\b((?:1[89]|20)\d0)s\b", lambda m: _decade(m[1])),
        (rf"\b({NUMBER})\s?km/h\b", lambda m: f"{_number(m[1])} kilometers per hour"),
        (
            rf"\b({NUMBER})\s?({'|'.join(sorted(UNITS, key=len, reverse=True))})\b\.?(?!\w)",
            lambda m: _measure(m[1], m[2]),
        ),
        (rf"\b({NUMBER})(k|bn)\b", lambda m: f"{_number(m[1])} {SCALES[m[2].lower()]}"),
        (r"\b(\d+)(?:st|nd|rd|th)\b", lambda m: _ordinal(m[1])),
        (r"\b(?:no|No)\.\s?(?=\d)", lambda m: "number "),
        (r"\+?\(?\d{2,4}\)?[-\s]\d{3,4}[-\s]\d{3,4}\b", lambda m: _digits(m[0])),
        (rf"(?<![\d.,])({NUMBER})\s?[–-]\s?(?={NUMBER})", lambda m: f"{_plain(m[1])} to "),
        (rf"(?<![\w.])[-−](?={NUMBER})", lambda m: "minus "),
        (rf"(?:\b|(?<=[a-zA-Z]))({NUMBER})(?=[a-zA-Z]?)", lambda m: f" {_plain(m[1])} "),
        (
            r"\b("
            + "|".join(re.escape(key) for key in sorted(ABBREVIATIONS, key=len, reverse=True) if key != "no")
            + r")\.(?!\w)",
            lambda m: ABBREVIATIONS[m[1].lower()],
        ),
        (r"(?-i:\b(?:[A-Z]\.){2,})", lambda m: _spell(m[0])),
        (r"(?-i:\b[A-Z]{2,5}s?\b)", lambda m: _acronym(m[0])),
    ]
    return [(re.compile(pattern, re.IGNORECASE), say) for pattern, say in table]


def _words(number: float | int, **kind: Any) -> str:
    from num2words import num2words

    return re.sub(r"\band\b ", "", num2words(number, **kind)).replace(",", "").replace("-", " ")


def _number(text: str) -> str:
    """`1,250` and `3.14`; a long row of digits, and one that begins with 0, digit by digit."""
    text = text.replace(",", "")
    whole, point, rest = text.partition(".")
    by_digit = len(whole) > LONGEST or (len(whole) > 1 and whole.startswith("0"))
    said = _digits(whole) if by_digit else _words(int(whole))
    return f"{said} point {_digits(rest)}" if point else said


def _plain(text: str) -> str:
    """A number on its own: four digits of this or the last centuries are a year."""
    if re.fullmatch(r"1[1-9]\d\d|20\d\d", text):
        return _year(text)
    return _number(text)


def _digits(text: str) -> str:
    return " ".join(_words(int(digit)) for digit in text if digit.isdigit())


def _ordinal(text: str) -> str:
    return _words(int(text), to="ordinal") if len(text) <= LONGEST else _digits(text)


def _year(text: str) -> str:
    year = int(text)
    high, low = divmod(year, 100)
    if not 1100 <= year < 2100 or 2000 <= year < 2010:
        return _words(year)
    if not low:
        return f"{_words(high)} hundred"
    return f"{_words(high)} {'oh ' if low < 10 else ''}{_words(low)}"


def _decade(text: str) -> str:
    said = _year(text)
    return f"{said[:-1]}ies" if said.endswith("y") else f"{said}s"


def _month(text: str) -> str:
    short = text.lower().rstrip(".")[:3]
    return next(month for month in MONTHS if month.startswith(short))


def _date(text: str, year: int, month: int, day: int) -> str:
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return " ".join(_number(part) for part in re.findall(r"\d+", text))
    return f"{MONTHS[month - 1]} {_ordinal(str(day))}, {_year(str(year))}"


def _time(hour: str, minute: str, second: str | None, half: str | None) -> str:
    if int(hour) > 24 or int(minute) > 59:
        return f"{_number(hour)} to {_number(minute)}"
    if int(minute):
        said = f"{_number(str(int(hour)))} {'oh ' if int(minute) < 10 else ''}{_number(str(int(minute)))}"
    else:
        said = _number(str(int(hour))) + ("" if half else " o'clock")
    said += f" and {_number(str(int(second)))} seconds" if second and int(second) else ""
    return f"{said} {LETTERS[half.lower()]} m" if half else said


def _price(sign: str, amount: str, scale: str | None) -> str:
    unit, part = CURRENCIES[sign]
    amount = amount.replace(",", "")
    if scale:
        return f"{_number(amount)} {SCALES.get(scale.lower(), scale.lower())} {_many(unit, 2)}"
    whole, _, rest = amount.partition(".")
    cents = int((rest + "00")[:2]) if rest and len(rest) <= 2 and part else 0
    if rest and not cents and rest.strip("0"):
        return f"{_number(amount)} {_many(unit, 2)}"
    said = f"{_number(whole)} {_many(unit, int(whole))}"
    if not cents:
        return said
    small = f"{_number(str(cents))} {_many(part, cents)}"
    return small if not int(whole) else f"{said} and {small}"


def _measure(amount: str, unit: str) -> str:
    name = UNITS[unit.lower()]
    first, space, rest = name.partition(" ")
    return f"{_number(amount)} {_many(first, 1 if amount == '1' else 2)}{space}{rest}"


def _many(unit: str, count: int) -> str:
    irregular = {"foot": "feet", "inch": "inches", "penny": "pence", "paisa": "paise"}
    if count == 1 or unit in ("yen", "hertz", "megahertz", "gigahertz", "kilohertz"):
        return unit
    return irregular.get(unit, f"{unit}s")


def _address(text: str) -> str:
    said = (
        re.sub(r"^www\b", "w w w", text.rstrip("/"))
        .replace("@", " at ")
        .replace(".", " dot ")
        .replace("/", " slash ")
        .replace("-", " dash ")
    )
    return re.sub(r"\d+", lambda found: f" {_digits(found[0])} ", said.replace("_", " underscore "))


def _spell(text: str) -> str:
    return " ".join(LETTERS[letter.lower()] for letter in text if letter.isalpha())


def _acronym(text: str) -> str:
    """NASA and SALE are words, URL and FAQs are letters: two vowels apart make a word, or a vowel in four letters."""
    letters = text[:-1] if text.endswith("s") else text
    vowels = sum(letter in "AEIOU" for letter in letters)
    if letters in SPELLED or not vowels or (len(letters) < 4 and letters not in SHOUTED):
        return _spell(letters) + ("s" if letters != text else "") if letters not in SHOUTED else text
    return text


SPELLED = set("AI UI IT API CEO CPU GPU FAQ USA UK US EU UN TV DVD CD PC HR PR VIP DIY ATM GPS USB SUV FBI CIA".split())
SHOUTED = set(
    """A I AM AN AS AT BE BY DO GO HE IF IN IS ME MY NO OF OH ON OR SO TO UP WE ALL AND ANY ARE BIG BUT BUY CAN DAY DID
    END FOR FUN GET GOT HAS HER HIM HIS HOT HOW ITS LET MAN MAY NEW NOT NOW OFF OLD ONE OUR OUT OWN PAY PUT RUN SAY SEE
    SHE THE TOO TOP TRY TWO USE WAS WAY WHO WHY WIN YES YET YOU""".split()
)


def _clean(text: str) -> str:
    """Accents off, marks that make a pause as one of `,.?!`, everything else out."""
    text = "".join(
        letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter)
    ).lower()
    text = re.sub(r"[;:()\[\]{}—–]|\s-+\s|\n+", ", ", text)
    text = re.sub(r"[^a-z',.?!]+", " ", text)
    text = re.sub(r"(?<![a-z])'|'(?![a-z])", " ", text)
    text = re.sub(r"\s*([,.?!])[\s,.?!]*", r"\1 ", text)
    return re.sub(r"\s+", " ", text).strip(" ,")
