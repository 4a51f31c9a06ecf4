"""A story: what an ad is about, before anybody words it."""

from dataclasses import dataclass
from random import Random

from ml_text.corpus.details import Detail, draw_count, draw_deal, draw_discount, draw_price, draw_when, draw_where
from ml_text.corpus.names import draw_name, name_after
from ml_text.corpus.topics import Topic, load_topics
from shared.design.brief import PLATFORMS

MOODS = ("loud", "quiet", "pastel", "dark")
OTHER_PRODUCTS = """umbrellas socks guitars drones pillows lamps rugs scarves gloves hats belts wallets notebooks pens
calendars stickers posters kites skateboards scooters helmets tents lanterns knives pans kettles blenders toasters
ovens fridges heaters fans curtains blinds tiles bricks paints brushes ladders drills saws hammers gloves boots
aprons towels soaps brushes combs mirrors clocks radios speakers cameras lenses tripods telescopes microscopes
magnets puzzles kayaks canoes rafts sails ropes anchors pumps filters batteries chargers cables printers scanners
keyboards monitors desks chairs stools benches shelves cabinets safes locks keys doors windows fences gates
saddles harnesses leashes cages aquariums terrariums hammocks swings slides trampolines pianos violins drums flutes
maps globes compasses flags banners tickets coupons vouchers hampers baskets boxes crates barrels bottles jars
spices sauces pickles noodles rices beans lentils nuts seeds oils vinegars syrups cereals crackers popcorn
""".split()
ORIGINS = """Italian French Greek Danish Dutch Irish Welsh Polish Turkish Korean Japanese Persian Nordic Cuban Swiss Indian
German English Thai Moroccan Brazilian Russian Arabic Portuguese""".split()
MAKERS = ["shop", "maker", "store", "brand", "workshop", "company", "studio", "market stall", "online shop", "start-up"]


@dataclass(frozen=True)
class Story:
    platform: str
    format: str
    topic: Topic | None
    """None: a product that the lexicon does not know, so that the copy has to take it from the brief."""
    business: str
    product: str
    brand: str
    mood: str | None
    offers: tuple[Detail, ...]
    when: Detail | None
    where: Detail | None
    count: Detail | None


def draw_story(r: Random) -> Story:
    platform = r.choice(list(PLATFORMS))
    topic = r.choice(load_topics()) if r.random() < 0.88 else None
    product = r.choice(topic.products) if topic else r.choice(OTHER_PRODUCTS)
    kinds = r.choices([draw_discount, draw_price, draw_deal], [4, 5, 3], k=2)
    if r.random() < 0.05:
        product = f"{r.choice(ORIGINS)} {product}"
    brand = name_after(r, product) if r.random() < 0.15 else draw_name(r)
    return Story(
        platform=platform,
        format=r.choice(list(PLATFORMS[platform])),
        topic=topic,
        business=r.choice(topic.businesses) if topic else f"{product.rstrip('s')} {r.choice(MAKERS)}",
        product=product,
        brand=brand.lower() if r.random() < 0.05 else brand,
        mood=r.choice(MOODS) if r.random() < 0.4 else None,
        offers=tuple(draw(r) for draw in kinds[: r.choices([0, 1, 2], [30, 60, 10])[0]]),
        when=draw_when(r) if r.random() < 0.45 else None,
        where=draw_where(r) if r.random() < 0.3 else None,
        count=draw_count(r) if r.random() < 0.25 else None,
    )
