"""Names of businesses, people and places: some of real words, many of invented syllables.

The invented ones are the point: a model that has seen ten thousand different names learns to copy, not to remember.
"""

import re
from random import Random

FIRST = """blue red green golden silver black white quiet loud little big old new bright dark wild slow quick happy lucky
warm cold soft iron copper paper glass stone velvet amber coral ivory scarlet honest noble humble brave gentle
crooked hidden hollow open northern southern eastern western royal rusty salty sweet spicy sunny rainy snowy
frosty stormy misty clear deep high low long short round square second third double triple lost found
sleepy hungry thirsty dancing singing running flying jumping smiling laughing secret sacred simple fancy curious
urban rural coastal alpine lunar solar cosmic electric magnetic crystal marble cedar maple willow birch
""".split()
LAST = """door house yard leaf oven table garden kitchen room studio lane street corner market harbour bay river lake
hill mountain valley forest meadow field farm barn mill bridge gate tower castle lantern candle fox bear wolf
owl hawk crow raven robin swan goose whale otter badger hare rabbit deer horse bee moth lion tiger panda
anchor compass arrow feather button thread needle spoon fork kettle barrel bottle basket ladder wheel engine
spark ember flame ash smoke cloud rain snow storm wind wave tide shore sand pebble stone rock root branch
acorn berry cherry plum pear apple lemon olive pepper clove mint basil thyme sage fern moss ivy rose lily
poppy clover thistle moon star sun sky dawn dusk night day season summer winter autumn spring story page
chapter letter note song drum bell piano violin canvas brush pencil ink clay loom hammer nail saw
""".split()
PEOPLE = """anna marta elena sofia nora clara greta ingrid freya luna maya zoe ruth alma vera iris olga petra hanna lucia
emil oscar hugo felix leo theo max otto karl erik jonas mateo pablo diego marco luca paolo pierre henri jules
omar karim tariq yusuf amir kenji hiro akira ravi arjun priya asha mei lin wei sam joe ben tom jack harry george
""".split()
SURNAMES = """lindqvist okafor moreau bianchi novak hansen schmidt keller weber fischer jensen larsen costa silva rossi ricci
murphy walsh byrne campbell stewart bennett hughes parker carter mitchell foster reyes castillo vargas tanaka sato
mori ito kim park chen wong patel sharma khan hassan haddad osei mensah adeyemi whitmore ashford holloway barkley
""".split()
SYLLABLES = """lu mo ka ri ve no zen tor bel fa qui sol dra mi pex hal or ny ter vo cy ash el win gro tam bri lex ju do
ban cor dil fen gam hix jor kel lom mar nex ol pra rud sil tav ul vim wex yar zan cla flo stri bra cre glo pli
sha tho whi ber den fil gos hun jas kip lan mun nar pol rit sev tul vas wil yon zed
""".split()
TAILS = [
    "ly",
    "ify",
    "hub",
    "io",
    "wise",
    "kit",
    "lab",
    "nest",
    "works",
    "line",
    "craft",
    "well",
    "flow",
    "way",
    "mate",
]
HEADS = """true trail code volt safe rail sun smart fresh clean fast home care hand kind bright good pure clear swift
open prime next blue green snap sky cloud data work task team time book note bike boat pet kid tea""".split()
ARTICLES = [
    "La",
    "El",
    "Le",
    "Il",
    "Da",
    "Casa do",
    "Casa del",
    "Chez",
    "Villa",
    "Maison",
    "Bar",
    "Café",
    "Studio",
    "Club",
]
SUFFIXES = [" Co", " Lab", " House", " Studio", " Club", " Works", " Collective", " Sport", " Home", " Goods", " Group"]
CITIES = """Porto Berlin Leeds Lisbon Vienna Copenhagen Madrid Milan Dublin Oslo Prague Ghent Lyon Turin Malmo Bergen
Austin Denver Boston Seattle Chicago Portland Toronto Montreal Sydney Perth Kyoto Osaka Seoul Nairobi
Lagos Accra Cairo Athens Zagreb Riga Tallinn Helsinki Bristol Glasgow Cardiff Munich Hamburg Cologne Zurich Basel
Geneva Antwerp Utrecht Seville Valencia Naples Palermo Krakow Warsaw Budapest""".split()
VENUES = [
    "Hall",
    "Square",
    "Park",
    "Street",
    "Road",
    "Pier",
    "Market",
    "Museum",
    "Library",
    "Station",
    "Gardens",
    "Arena",
]


def draw_name(r: Random) -> str:
    """The name of a business, in one of a dozen shapes."""
    return r.choices([shape for shape, _ in SHAPES], [weight for _, weight in SHAPES])[0](r)


def name_after(r: Random, things: str) -> str:
    """A business that is called after what it sells: "Noodle Lantern", "Otter Yoga", "Ledgerly"."""
    plain = [word for word in re.findall(r"[a-z]{3,}", things) if word not in ("and", "for", "the", "with")] or ["good"]
    word = r.choice(plain).rstrip("s").title()
    other = r.choice([r.choice(LAST).title(), r.choice(FIRST).title(), r.choice(PEOPLE).title(), _made(r)])
    return r.choice([f"{word} {other}", f"{word} {other}", f"{other} {word}", word + r.choice(TAILS)])


def draw_initials(r: Random) -> str:
    """One to four capitals, as in "vitamin C", "on PC", "the BBQ"."""
    return "".join(r.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=r.choice([1, 2, 2, 3, 3, 4])))


def draw_place(r: Random) -> str:
    """A city or a venue."""
    if r.random() < 0.5:
        return r.choice(CITIES)
    venue = r.choice(VENUES)
    if r.random() < 0.12:
        return f"{r.choice(['Route', 'Pier', 'Gate', 'Hall', 'Room'])} {r.randint(2, 60)}"
    front = r.choice([_two(r).split()[0], _made(r), r.choice(SURNAMES).title(), "City", "Old Town", "Central"])
    return f"{front} {venue}"


def _made(r: Random) -> str:
    return "".join(r.choices(SYLLABLES, k=r.choice([1, 2, 2, 2, 3]))).capitalize()


def _two(r: Random) -> str:
    return f"{r.choice(FIRST).title()} {r.choice(LAST).title()}"


def _pair(r: Random) -> str:
    a, b = r.sample([r.choice(LAST).title(), r.choice(PEOPLE).title(), r.choice(SURNAMES).title(), _made(r)], 2)
    return f"{a} {r.choice(['&', '&', '&', 'and'])} {r.choice([b, b, b, 'Co', 'Sons', 'Daughters', 'Friends', 'Kin'])}"


def _owned(r: Random) -> str:
    owner = r.choice([*PEOPLE, *SURNAMES, "oma", "nonna"]).title()
    return f"{owner}'s" + r.choice(["", f" {r.choice(LAST).title()}", f" {r.choice(LAST).title()}"])


def _joined(r: Random) -> str:
    head = r.choice(HEADS).title()
    return head + r.choice([r.choice(TAILS), r.choice(TAILS), r.choice(HEADS).title(), r.choice(LAST).title()])


def _long(r: Random) -> str:
    noun = r.choice(LAST).title()
    return r.choice(
        [
            f"The {_two(r)}",
            f"The {noun}",
            f"{noun}s for {r.choice(['Tomorrow', 'All', 'Good', 'Life', 'Everyone'])}",
            f"{r.choice(ARTICLES)} {r.choice([_made(r), noun, r.choice(SURNAMES).title()])}",
            f"{noun} of {_made(r)}",
        ]
    )


def _capitals(r: Random) -> str:
    return r.choice([_made(r), _two(r), r.choice(LAST)]).upper()


def _person(r: Random) -> str:
    return f"{r.choice(PEOPLE).title()} {r.choice(SURNAMES).title()}"


def _suffixed(r: Random) -> str:
    return r.choice([_made(r), r.choice(LAST).title(), r.choice(SURNAMES).title()]) + r.choice(SUFFIXES)


SHAPES = [
    (_two, 20),
    (_made, 26),
    (_pair, 12),
    (_owned, 9),
    (_joined, 10),
    (_long, 10),
    (_capitals, 5),
    (_person, 5),
    (_suffixed, 10),
]
