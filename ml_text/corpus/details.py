"""Offers, dates, places and counts: how a brief says them, and how an ad does. Figures are the same in both."""

from dataclasses import dataclass
from random import Random

from ml_text.corpus.names import draw_initials, draw_name, draw_place

MONTHS = "January February March April May June July August September October November December".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()


@dataclass(frozen=True)
class Detail:
    """One fact of a story: `brief` as a client writes it, `copy` as an ad says it."""

    brief: str
    copy: str


def price(r: Random) -> str:
    """A price in one of the usual spellings."""
    n = r.choice(
        [r.randint(2, 30), r.randint(10, 99), r.choice([100, 120, 149, 199, 220, 250, 289, 300, 450, 499, 890])]
    )
    cents = r.choice(["50", "90", "99", "95", "49", "20"])
    return r.choice(
        [
            f"${n}",
            f"${n}",
            f"${n}.{cents}",
            f"€{n}",
            f"£{n}",
            f"£{n}.{cents}",
            f"{n}€",
            f"{n} €",
            f"{n},{cents} €",
            f"{n} dollars",
            f"{n} euros",
            f"{n} pounds",
            f"{n} EUR",
            f"{n} USD",
            f"{n}$",
            f"${n},000",
            f"£{n},500",
            f"{n}",
            f"{n},{cents}",
        ]
    )


def percent(r: Random) -> str:
    n = r.choice([5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 60, 70, r.randint(3, 80)])
    return r.choice([f"{n}%"] * 7 + [f"{n} percent"])


def draw_discount(r: Random) -> Detail:
    f, what = (
        percent(r),
        r.choice(["your first order", "your first visit", "everything", "all week", "this week", "today"]),
    )
    brief = r.choice(
        [
            f"{f} off",
            f"{f} off",
            f"{f} off",
            f"save {f}",
            f"{f} less",
            f"up to {f} off",
            f"{f} discount",
            f"{f} off {what}",
            f"cuts your bill by {f}",
            f"{f} less in {r.choice(MONTHS)}" if r.random() < 0.5 else f"{f} cheaper",
        ]
    )
    if "bill" in brief:
        return Detail(brief, r.choice([f"{f} off your bill", f"Bills go down by {f}", f"Pay {f} less"]))
    if " less in " in brief:
        month = brief.split()[-1]
        return Detail(brief, r.choice([f"{f} off in {month}", f"{f} less, only in {month}", f"In {month}, {f} off"]))
    lead = "Up to " if "up to" in brief else ""
    copy = r.choice(
        [
            f"{lead}{f} off",
            f"{lead}{f} off {what}",
            f"Save {lead.lower()}{f}",
            f"Now {lead.lower()}{f} off",
            f"Enjoy {lead.lower()}{f} off",
            f"Take {lead.lower()}{f} off {what}",
        ]
    )
    return Detail(brief, copy)


def draw_price(r: Random) -> Detail:
    f = price(r)
    kind = r.choice(["from", "from", "flat", "flat", "flat", "month", "off", "saved", "ticket", "bonus"])
    brief, copy = {
        "from": (
            ["from {f}", "starting at {f}", "prices from {f}", "from {f} a week"],
            ["From {f}", "Yours from {f}", "Starting at {f}", "Now from {f}"],
        ),
        "flat": (
            ["for {f}", "only {f}", "just {f}", "{f}", "at {f}", "now {f}", "price {f}"],
            ["Only {f}", "Just {f}", "Yours for {f}", "All for {f}", "Now {f}", "For only {f}"],
        ),
        "month": (
            ["{f} a month", "only {f} a month", "pay {f} per month"],
            ["Only {f} a month", "{f} a month, nothing more", "Just {f} a month"],
        ),
        "off": (
            ["{f} off your first order", "{f} off", "get {f} off"],
            ["{f} off your first order", "Take {f} off today", "{f} off, just for you"],
        ),
        "saved": (
            ["save up to {f} a year", "save {f}", "saves you {f}"],
            ["Save up to {f}", "Keep {f} for yourself", "Save {f}"],
        ),
        "ticket": (
            ["tickets {f}", "entry {f}", "entrance {f}", "{f} per person"],
            ["Entry {f}", "Tickets {f}", "{f} at the door"],
        ),
        "bonus": (
            ["bonus of {f}", "{f} bonus", "welcome bonus of {f}"],
            ["{f} bonus", "A bonus of {f}", "{f} to welcome you"],
        ),
    }[kind]
    return Detail(r.choice(brief).format(f=f), r.choice(copy).format(f=f))


def draw_deal(r: Random) -> Detail:
    a, b = r.randint(2, 5), r.randint(1, 2)
    f = price(r)
    return r.choice(
        [
            Detail(f"buy {a} get {b} free", r.choice([f"Buy {a}, get {b} free", f"{b} free when you buy {a}"])),
            Detail(f"{a} for {f}", r.choice([f"{a} for {f}", f"Take {a} for {f}"])),
            Detail("two for one", r.choice(["Two for one", "Bring a friend, pay for one"])),
            Detail(r.choice(["half price", "first box half price"]), r.choice(["Half the price", "Pay only half"])),
            Detail(
                r.choice(["first one is free", "first visit free", "first class is free"]),
                r.choice(["The first one is free", "Start for free"]),
            ),
            Detail(
                r.choice(["free trial", "try it for free", "try free"]),
                r.choice(["Try it free", "Try before you pay", "Free to try"]),
            ),
            Detail("free shipping", r.choice(["Free shipping, always", "Shipping is on us"])),
            Detail(f"free shipping over {f}", r.choice([f"Free shipping over {f}", f"Shipped free over {f}"])),
            Detail(f"free for {10 * a} days", r.choice([f"Free for {10 * a} days", f"Try it for {10 * a} days"])),
            Detail(f"no fees for {a} months", r.choice([f"No fees for {a} months", f"{a} months without fees"])),
        ]
    )


NUMBERED = """scoops wines cheeses rooms colours flavours stalls bands dishes models designs lessons recipes teachers
speakers songs films artists breweries stops beds bikes boats sizes scents languages levels chapters""".split()


def draw_count(r: Random) -> Detail:
    return _named(r) if r.random() < 0.5 else _counted(r)


def _named(r: Random) -> Detail:
    """A second name beside the brand's: a model, a show, a guest, a word in capitals."""
    name = draw_name(r) + r.choice(["", "", "", " II", " III", " Pro", " One", " X", " Night"])
    short = draw_initials(r)
    return r.choice(
        [
            Detail(f"the {name}", r.choice([f"Meet the {name}", f"This is the {name}"])),
            Detail(f"with {name}", r.choice([f"With {name}", f"Together with {name}", name])),
            Detail(f"new: {name}", r.choice([f"New: {name}", f"Now: {name}", name])),
            Detail(f"guest {name}", r.choice([f"Our guest: {name}", f"With {name}"])),
            Detail(f"ask for {name}", f"Ask for {name}"),
            Detail(f"by {name}", r.choice([f"By {name}", f"A work of {name}", name])),
            Detail(f"on {short}", r.choice([f"On {short}", f"Now on {short}", f"Made for {short}"])),
            Detail(f"with {short}", r.choice([f"With {short}", f"Now with {short}"])),
        ]
    )


def _counted(r: Random) -> Detail:
    n, low = r.choice([10, 12, 20, 24, 25, 30, 40, 50, 60, 100, 200, 500]), r.randint(2, 12)
    high = low + r.randint(2, 8)
    things, others = r.sample(NUMBERED, 2)
    return r.choice(
        [
            Detail(f"{n} {things}", r.choice([f"{n} {things}", f"With {n} {things}", f"{n} {things} to choose from"])),
            Detail(
                f"{high} {things}, {low} {others}",
                r.choice([f"{high} {things}, {low} {others}", f"{high} {things} and {low} {others}"]),
            ),
            Detail(f"{n} km", r.choice([f"{n} km of it", f"{n} km", f"All {n} km"])),
            Detail(f"{high} km and {low} km", r.choice([f"{high} km and {low} km", f"{high} km or {low} km"])),
            Detail(f"limited to {n} pieces", r.choice([f"Only {n} pieces", f"Limited to {n} pieces"])),
            Detail(f"{low} nights only", r.choice([f"{low} nights only", f"Only {low} nights"])),
            Detail(f"ages {low} to {high}", r.choice([f"For ages {low} to {high}", f"Ages {low} to {high}"])),
            Detail(f"teams of {low}-{high}", f"For teams of {low}-{high}"),
            Detail(f"{low} weeks", r.choice([f"{low} weeks, start to finish", f"Done in {low} weeks"])),
            Detail(f"{n} year warranty", r.choice([f"{n} years of warranty", f"Sure for {n} years"])),
            Detail(f"in {n} seconds", r.choice([f"Done in {n} seconds", f"It takes {n} seconds"])),
            Detail(f"{n} places left", r.choice([f"Only {n} places left", f"{n} places left"])),
            Detail(f"{low}x faster", r.choice([f"{low}x faster", f"Now {low}x faster"])),
        ]
    )


def date(r: Random) -> str:
    """A day or a span of days, with its month."""
    day, month = r.randint(1, 31), r.choice(MONTHS)
    short = r.choice([month, month, month, month[:3]])
    return r.choice(
        [
            f"{day} {month}",
            f"{day} {month}",
            f"{day} {month}",
            f"{short} {day}",
            f"{month} {day}{_ending(day)}",
            f"{day}{_ending(day)} {month}",
            f"{min(day, 28)}-{min(day, 28) + r.randint(1, 3)} {month}",
        ]
    )


def hour(r: Random) -> str:
    n = r.randint(1, 12)
    return r.choice([f"{n}{half}" for half in ("am", "pm", "pm")] + [f"{n} pm", f"{n}:30pm"])


def draw_when(r: Random) -> Detail:
    """A date, a weekday, an hour: or two of them."""
    d, h, day = date(r), hour(r), r.choice(DAYS)
    low = r.random() < 0.25
    said = day.lower() if low else day
    inner = "" if low else day
    month, zone = r.choice(MONTHS), r.choice(["CET", "GMT", "EST", "UTC", "PST"])
    choices = [
        Detail(f"on {d}", r.choice([f"On {d}", d, f"Save the date, {d}", f"See you on {d}"])),
        Detail(f"starts {d}", r.choice([f"Starts {d}", f"From {d}"])),
        Detail(r.choice([f"from {d}", f"out {d}", f"opens {d}"]), r.choice([f"From {d}", f"Out {d}", f"Opens {d}"])),
        Detail(
            r.choice([f"until {d}", f"ends {d}", f"till {d}"]), r.choice([f"Until {d}", f"Ends {d}", f"Only until {d}"])
        ),
        Detail(
            r.choice([f"by {d}", f"apply by {d}", f"book by {d}", f"order before {d}"]),
            r.choice([f"By {d}", f"Before {d}", f"Be there before {d}"]),
        ),
        Detail(f"{said} {d}", f"{day}, {d}" if low else r.choice([f"{day} {d}", f"{day}, {d}", f"On {day}, {d}"])),
        Detail(f"{said} {h}", f"{day}, {h}" if low else r.choice([f"{day}, {h}", f"{day} at {h}", f"This {day}, {h}"])),
        Detail(f"this {said} {h}", f"{day}, {h}" if low else f"This {day} at {h}"),
        Detail(f"every {said}", f"{day}, every week" if low else r.choice([f"Every {inner}", f"Always on {inner}"])),
        Detail(f"by {said}", f"{day} is the last day" if low else r.choice([f"Only until {inner}", f"By {inner}"])),
        Detail(f"{d}, {h}", r.choice([f"{d}, {h}", f"On {d} at {h}"])),
        Detail(f"after {h} on {day} {d}", r.choice([f"{day} {d}, after {h}", f"After {h}, {day} {d}"])),
        Detail(f"{h} every day", r.choice([f"Every day at {h}", f"{h}, every day"])),
        Detail(
            r.choice([f"daily at {h}", f"at {h}", f"hot at {h}"]), r.choice([f"At {h}", f"Daily at {h}", f"{h} sharp"])
        ),
        Detail(f"open from {h}", r.choice([f"Open from {h}", f"From {h}, every day"])),
        Detail(f"in {month}", r.choice([f"Only in {month}", f"All {month} long", f"In {month}"])),
        Detail(f"on {day.lower()}s", r.choice([f"{day}s only", f"{day}s at our place"])),
        Detail(f"{d}, {h} {zone}", r.choice([f"{d}, {h} {zone}", f"On {d} at {h} {zone}"])),
        Detail("till end of month", r.choice(["Only this month", "This month only"])),
        Detail("this weekend", r.choice(["This weekend only", "Only this weekend"])),
    ]
    return r.choice(choices)


def draw_where(r: Random) -> Detail:
    place = draw_place(r)
    last = place.split()[-1]
    link = "at" if " " in place and not last.isdigit() else "in"
    link = "on" if place.startswith("Route") else link
    return Detail(
        r.choice([f"{link} {place}", f"{link} {place}", place]),
        r.choice([f"{link.title()} {place}", place, f"Find us {link} {place}"]),
    )


def _ending(day: int) -> str:
    return "th" if 10 <= day % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
