"""Everyday words by what they can stand for in a sentence; the forms of verbs and the plurals follow by rule."""

PEOPLE = """man woman child boy girl baby brother sister mother father aunt uncle cousin neighbor friend teacher student doctor
nurse farmer driver captain king queen artist painter singer writer baker butcher waiter lawyer judge soldier sailor pilot
guest stranger boss worker manager customer clerk mechanic plumber scientist engineer dancer actor player coach referee
police officer fireman mayor president minister priest thief hunter fisherman gardener tailor barber cook chef builder
grandmother grandfather daughter son wife husband partner team crowd family class company crew committee""".split()
ANIMALS = """cat dog horse cow pig sheep goat chicken duck goose rabbit mouse rat fox wolf bear deer lion tiger elephant monkey
giraffe zebra camel whale dolphin shark fish frog snake turtle lizard spider ant bee fly butterfly mosquito worm owl eagle
crow pigeon parrot sparrow penguin kitten puppy pony donkey squirrel hedgehog beaver otter seal crab octopus""".split()
THINGS = """door window wall floor roof table chair bed lamp mirror clock picture carpet curtain shelf drawer key lock box bag basket
bottle cup glass plate bowl knife fork spoon pan pot oven fridge sink towel soap brush comb razor shirt dress skirt coat jacket
hat scarf glove sock shoe boot belt button pocket zipper ring necklace watch wallet purse umbrella suitcase letter envelope
stamp paper pencil pen book notebook newspaper magazine map ticket card coin phone computer keyboard screen printer camera
radio television battery cable engine wheel tire bicycle car truck bus train ship boat plane rocket bridge road street path
tunnel ladder hammer nail screw saw drill rope chain hook wire pipe brick stone board plank sheet blanket pillow mattress ball
doll puzzle kite drum guitar piano violin flute trumpet song story poem joke question answer problem idea plan dream memory
promise secret mistake lesson test game match race prize gift party wedding birthday holiday journey trip visit meeting
speech report contract bill receipt price budget salary bank shop market store office factory school hospital library museum
theater church station airport harbor hotel restaurant kitchen bathroom bedroom garden yard garage basement attic balcony
stairs elevator fence gate field forest tree leaf branch root flower grass seed bush hill mountain valley river lake sea ocean
beach island desert cave rock sand mud dust smoke fire flame ice snow rain storm wind cloud fog thunder lightning sun moon star
sky earth planet world country city town village corner square circle line point edge center side top bottom front back
machine tool device sensor robot signal message sound noise voice word sentence page chapter title number letter color shape
size weight height length distance speed temperature pressure energy power light shadow heat cold""".split()
FOOD = """bread butter cheese milk cream egg meat beef pork ham bacon sausage fish salmon shrimp rice pasta noodle soup salad sandwich
pizza burger potato tomato onion garlic carrot pepper cucumber lettuce spinach cabbage bean pea corn mushroom pumpkin apple
pear peach plum cherry grape lemon orange banana mango melon strawberry raspberry blueberry coconut nut almond walnut honey
jam sugar salt vinegar oil sauce mustard ketchup cake pie cookie chocolate candy pudding yogurt tea coffee juice water wine
beer soda lemonade breakfast lunch dinner supper dessert snack""".split()
BODY = """head face eye ear nose mouth lip tooth tongue chin cheek neck shoulder arm elbow wrist hand finger thumb chest back stomach
hip leg knee ankle foot toe heart lung bone blood skin hair muscle brain""".split()
MASS = set(
    """bread butter cheese milk cream meat beef pork ham bacon fish rice pasta soup garlic lettuce spinach cabbage corn honey
jam sugar salt vinegar oil mustard ketchup chocolate tea coffee juice water wine beer soda lemonade grass sand mud dust smoke ice
snow rain wind fog thunder lightning heat cold blood skin hair stairs money music news weather furniture police
salmon shrimp energy power pressure back front""".split()
)
ADJECTIVES = """big small large little tall short long wide narrow thick thin deep shallow high low heavy light fast slow quick early late
young old new fresh ancient modern hot cold warm cool wet dry clean dirty bright dark loud quiet soft hard smooth rough sharp
dull round flat straight curved empty full open closed rich poor cheap expensive free busy lazy strong weak healthy sick tired
hungry thirsty happy sad angry afraid calm nervous proud ashamed jealous lonely friendly rude polite kind cruel brave shy
clever stupid wise foolish honest funny serious strange normal common rare simple difficult easy important useful useless
famous popular beautiful ugly pretty handsome lovely terrible wonderful awful perfect broken whole safe dangerous sweet sour
bitter salty spicy delicious rotten raw frozen wooden golden silver metal plastic red orange yellow green blue purple pink
brown black white gray local foreign public private national royal medical political natural artificial digital electric
local thoughtful careful careless cheerful curious delicate enormous tiny gentle generous grateful humble innocent invisible
mysterious ordinary pale patient pleasant precious recent regular responsible sensible shiny silent similar slippery steady
stubborn sudden suspicious temporary tough typical unusual valuable violent visible wild""".split()
ADVERBS = """slowly quickly quietly loudly carefully suddenly easily hardly nearly almost always never often sometimes usually rarely
again already still soon later yesterday today tomorrow tonight now then here there everywhere nowhere somewhere outside inside
upstairs downstairs together alone perhaps maybe probably certainly really very quite rather too also even only just finally
eventually immediately recently lately twice once forever anyway instead therefore however moreover otherwise""".split()
VERBS = """ask answer open close push pull carry lift drop throw catch kick hit touch hold shake turn move stop start finish begin wait
walk run jump climb fall fly swim drive ride travel arrive leave enter return follow lead visit meet join call invite greet help
save protect attack fight win lose hide find search look watch see notice stare listen hear smell taste feel think know learn
teach study read write draw paint sing dance play work build make fix break repair cut cook bake boil fry eat drink wash clean
dry fold iron sew buy sell pay cost spend borrow lend give take bring send receive keep share need want like love hate prefer
choose decide plan hope wish dream remember forget believe doubt understand explain describe show tell say speak talk whisper
shout laugh smile cry complain agree argue promise refuse accept allow forbid force try fail succeed manage improve change grow
increase reduce measure weigh count add divide compare check test prove wear dress sleep wake rest relax sit stand lie bend
stretch breathe cough sneeze burn melt freeze pour fill empty mix press squeeze tie lock unlock wrap pack load deliver plant
water pick harvest feed train guide guard control operate publish print copy record connect download update delete install
design create produce order cancel reserve rent hire apply attend gather celebrate thank praise blame forgive apologize warn
threaten punish reward admire respect ignore annoy surprise frighten worry bother suffer recover survive suggest recommend
consider discover explore invent develop examine observe predict prepare present pretend prevent provide raise reach realize
recognize refer release remain remove replace request require rescue resist solve supply support surround suspect trust""".split()
IRREGULAR = {
    "hit": "hit", "hold": "held", "shake": "shook", "begin": "began", "run": "ran", "fall": "fell", "fly": "flew", "swim": "swam",
    "drive": "drove", "ride": "rode", "leave": "left", "lead": "led", "meet": "met", "fight": "fought", "win": "won",
    "lose": "lost", "hide": "hid", "find": "found", "see": "saw", "hear": "heard", "feel": "felt", "think": "thought",
    "know": "knew", "teach": "taught", "read": "read", "write": "wrote", "draw": "drew", "sing": "sang", "build": "built",
    "make": "made", "break": "broke", "cut": "cut", "eat": "ate", "drink": "drank", "buy": "bought", "sell": "sold", "pay": "paid",
    "cost": "cost", "spend": "spent", "lend": "lent", "give": "gave", "take": "took", "bring": "brought", "send": "sent",
    "keep": "kept", "choose": "chose", "forget": "forgot", "understand": "understood", "show": "showed", "tell": "told",
    "say": "said", "speak": "spoke", "grow": "grew", "wear": "wore", "sleep": "slept", "wake": "woke", "sit": "sat",
    "stand": "stood", "lie": "lay", "bend": "bent", "freeze": "froze", "feed": "fed", "forgive": "forgave", "throw": "threw",
    "catch": "caught", "sew": "sewed", "forbid": "forbade",
}  # fmt: skip
DOUBLED = set(
    "stop drop hug plan fit chat rob grab skip step trip wrap beg refer begin forget cut hit sit run swim win".split()
)
PLURALS = {
    "man": "men", "woman": "women", "child": "children", "fireman": "firemen", "fisherman": "fishermen", "mouse": "mice",
    "sheep": "sheep", "goose": "geese", "fish": "fish", "deer": "deer", "tooth": "teeth", "foot": "feet", "knife": "knives",
    "leaf": "leaves", "shelf": "shelves", "wife": "wives", "wolf": "wolves", "thief": "thieves", "scarf": "scarves",
    "potato": "potatoes", "tomato": "tomatoes", "police": "police", "salmon": "salmon", "shrimp": "shrimp", "roof": "roofs",
}  # fmt: skip
NAMES = """Anna Marta Elena Sofia Nora Clara Greta Maya Zoe Ruth Vera Iris Olga Hannah Lucy Emily Grace Alice Julia Laura Rachel Sarah
Jessica Karen Linda Susan Nancy Betty Helen Diana Emma Olivia Mia Charlotte Amelia Ella Victoria Rebecca Michelle Nicole
Oscar Hugo Felix Leo Theo Max Otto Karl Eric Jonas Matthew Paul Diego Marco Luke Peter Henry Omar Kareem Joseph Kenji Ravi Sam Joe
Ben Tom Jack Harry George James Robert John Michael David William Richard Charles Thomas Daniel Anthony Mark Steven Andrew
Kevin Brian Edward Ronald Timothy Jason Jeffrey Ryan Jacob Gary Nicholas Jonathan Frank Scott Gregory Benjamin Samuel Patrick
Alexander Walter Arthur Albert Philip Martin Simon Oliver Adam Nathan Victor""".split()
PLACES = """London Paris Berlin Madrid Rome Vienna Prague Warsaw Dublin Oslo Stockholm Helsinki Copenhagen Lisbon Athens Moscow Istanbul
Cairo Nairobi Lagos Delhi Mumbai Bangkok Singapore Tokyo Kyoto Seoul Beijing Shanghai Sydney Melbourne Auckland Toronto Vancouver
Montreal Boston Chicago Denver Seattle Portland Houston Dallas Austin Miami Atlanta Phoenix Detroit Philadelphia Washington
California Texas Florida Alaska Mexico Brazil Argentina Chile Peru Canada America Europe Africa Asia Australia England Scotland
Ireland Wales France Germany Spain Italy Greece Turkey Egypt Kenya India China Japan Korea Russia Poland Sweden Norway Finland
Denmark Holland Belgium Switzerland Austria Hungary Portugal""".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()


def plural(noun: str) -> str:
    if noun in PLURALS:
        return PLURALS[noun]
    if noun.endswith(("s", "x", "z", "ch", "sh")):
        return f"{noun}es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}s"


def third(verb: str) -> str:
    """he asks, she watches, it carries"""
    if verb.endswith(("s", "x", "z", "ch", "sh", "o")):
        return f"{verb}es"
    return plural(verb)


def past(verb: str) -> str:
    if verb in IRREGULAR:
        return IRREGULAR[verb]
    if verb.endswith("e"):
        return f"{verb}d"
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return f"{verb[:-1]}ied"
    return f"{verb}{verb[-1]}ed" if verb in DOUBLED else f"{verb}ed"


def gerund(verb: str) -> str:
    if verb == "lie" or verb == "tie":
        return f"{verb[0]}ying"
    if verb.endswith("e") and not verb.endswith(("ee", "oe")) and verb != "be":
        return f"{verb[:-1]}ing"
    return f"{verb}{verb[-1]}ing" if verb in DOUBLED else f"{verb}ing"


def article(word: str) -> str:
    """a horse, an hour, a useful idea"""
    vowel = word[0] in "aeiou" and not word.startswith(("use", "uni", "euro", "one"))
    return "an" if vowel or word.startswith(("hour", "honest")) else "a"
