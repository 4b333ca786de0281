"""The words by which the library's own parser tells the parts of a caption: small classes in full, large ones by habit.

Captions are simple English in the present tense. A word that is on no list is a noun, which most words of captions are.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


DETERMINERS = _words(
    "a all an another any each every her his its my no other our some that the their these this those what your"
)
QUANTITIES = _words(
    "both double eight eleven few five four many more most much multiple nine numerous one seven several single"
    " six ten three twelve two various"
)
PRONOUNS = _words(
    "anything each-other everyone everything he herself him himself i it itself me nothing one's others she"
    " somebody someone something them themselves they us we who you"
)
AUXILIARIES = _words(
    "'s am are be been being can could did do does had has have is may might must should was were will would"
)
CONJUNCTIONS = _words("and or & plus nor")
CLAUSES = _words("while as but when because since whilst where if so than though although")
RELATIVES = _words("that which who whom whose")
ADVERBS = _words(
    "about again ahead all almost alone also apart aside asleep away back backward down downstairs downtown even"
    " ever forward here home indoors just nearby not now off only out outdoors outside overhead quite really side-"
    " by-side so still there together too up upside upstairs very"
)
PREPOSITIONS = _words(
    "aboard about above across after against along alongside amid among amongst around at atop before behind below"
    " beneath beside between beyond by down during for from in inside into like near next of off on onto opposite"
    " out outside over past through throughout to toward towards under underneath up upon via with within without"
)
"""Some of these are adverbs where no noun phrase follows."""
LONG_PREPOSITIONS = (
    ("in", "front", "of"),
    ("on", "top", "of"),
    ("in", "back", "of"),
    ("next", "to"),
    ("close", "to"),
    ("out", "of"),
    ("along", "with"),
    ("together", "with"),
    ("as", "well", "as"),
    ("on", "board"),
    ("away", "from"),
    ("up", "to"),
    ("because", "of"),
    ("inside", "of"),
    ("outside", "of"),
    ("off", "of"),
    ("such", "as"),
)
SIDES = _words(
    "back background base bottom center centre corner edge end foreground front inside left middle midst outside"
    " rear right side sides top"
)
"""With "of" behind them they say where something is: "on the side of a road" is one preposition."""
UNSEEN = _words(
    "action addition afternoon back background bottom center centre day daytime direction distance evening"
    " foreground front general kind left lot midday middle morning motion night noon order preparation rest right"
    " side sort style time top town type use way"
    " view shot close closeup close-up"
)
"""Nouns that name no thing one could draw a box around."""
PARTITIVES = _words(
    "array assortment bag band basket body bottle bouquet bowl box bucket bunch bunches can cluster collection"
    " couple crate crowd cup dozen dozens family fleet flock gang gathering glass group handful herd jar kind kinds"
    " line lines load loaf lot lots mug number pack pair part piece pieces pile pitcher plate pot range row rows"
    " school series set sheet slice slices stack stick swarm team tray trio type types variety"
)
"""With "of" and a noun phrase behind them they belong to it: "a group of people" is one phrase."""
COLOURS = _words(
    "beige black blond blonde blue brown cream gold golden gray green grey khaki maroon navy orange pink purple"
    " red silver tan teal turquoise violet white yellow"
)
ADJECTIVES = COLOURS | _words(
    "abandoned able adult aerial african airborne american ancient antique asian baby back bad baked bald bare"
    " barefoot bearded beautiful big blurry bottom brick bright british broken bushy busy calm checkered chinese"
    " chopped choppy chubby clean clear closed cloudy cluttered cold colored colorful colourful commercial concrete"
    " cooked cool crowded curly cute dark dead decorative deep different dirty distant domestic dry dusty elderly"
    " electric electronic elegant empty enormous famous fancy fat female flat floral fluffy foggy french fresh"
    " fried front frozen full funny furry giant good grassy great grilled hairy half handsome happy hard hazy heavy"
    " high hilly hot huge icy indian indoor inner italian japanese large leafy leather left light little lone long"
    " lovely low lower lush main male massive medium medium-sized messy metal middle-aged military modern"
    " mountainous muddy multi-colored multicolored naked narrow nearby neat new nice old older open ornate outdoor"
    " outer pale patterned paved plaid plain plastic pretty private professional public quiet rainy raw ready rear"
    " residential right ripe rocky rough round royal rural rusty sad same sandy shaggy shallow sharp shiny"
    " shirtless short similar simple skinny sliced slim small smooth snowy soft spotted square stainless steep"
    " stone striped strong stuffed sunny tall thick thin tidy tiled tiny top transparent unlit upper urban various"
    " vintage visible warm wet whole wide wild wintry wooden wool woolen young younger"
)
NOUNS_TOO = _words(
    "adult baby back bottom brick concrete cream female front gold leather left light male metal orange plastic"
    " right silver square stone tan top wool"
)
"""Adjectives that are nouns where no noun follows them: "traffic light"."""
COMPOUNDING = _words(
    "baking bathing bowling changing cleaning cooking cutting drinking fishing frying hiking landing mixing racing"
    " rolling serving sewing shopping skating skiing sleeping steering training traveling vending waiting washing"
)
"""Forms in -ing that make a compound with the noun behind them where a preposition or "and" stands before: "cutting
board"."""
ALWAYS_COMPOUNDING = _words("dining living parking swimming wedding training")
"""Those that do so anywhere."""
NOUNS_IN_ING = _words(
    "anything awning bedding building carving ceiling clothing covering crossing drawing dressing duckling earring"
    " evening everything filling flooring frosting gathering icing king landing lettering lighting lightning"
    " morning nothing painting plumbing pudding railing ring seating setting sibling siding something spring string"
    " stuffing swing thing topping wedding wing writing"
)
PEOPLE_AND_ANIMALS = _words(
    "adult adults animal animals athlete athletes audience babies baby band batter bear bears bicyclist bicyclists"
    " bird birds boy boys bride brother brothers bull calf cat catcher cats cattle chef child children class clown"
    " cook couple cow cows crowd customer customers cyclist dad dancer dancers daughter doctor dog dogs driver duck"
    " ducks elephant elephants family fan fans farmer father female females fisherman flock friend friends geese"
    " gentleman gentlemen giraffe giraffes girl girls goat goats goose groom group guy guys herd hiker hikers horse"
    " horses individual individuals kid kids kitten ladies lady lamb male males man men mom monkey mother"
    " motorcyclist musician musicians nurse officer officers passenger passengers pedestrian pedestrians people"
    " performer performers person persons pigeon pigeons pitcher player players policeman pony puppy rider riders"
    " runner runners seagull sheep singer sister sisters skateboarder skateboarders skater skaters skier skiers"
    " snowboarder snowboarders soldier soldiers someone son spectators student students surfer surfers swimmer team"
    " teen teenager teenagers teens toddler toddlers tourist tourists umpire waiter waitress woman women worker"
    " workers youth youths zebra zebras"
)
GARMENTS = _words("shirt dress suit jacket coat uniform sweater t-shirt hoodie vest outfit clothes jeans")
"""What a person is dressed in, as against what is worn besides, such as a hat."""
PLURALS = _words("people men women children sheep cattle kids geese police mice feet couple group family crowd both")
"""Plurals without an s, and groups that take plural verbs."""

VERBS = _words(
    "adorn aim approach assemble attach attack attempt attend bake balance bark bat begin bend bite blow board bow"
    " bowl break bring browse brush build buy call carry cast catch celebrate chase chat check chew chop clean"
    " climb cling close come contain cook cover crash crawl cross crouch cry cuddle cut dance decorate dig dip"
    " display dive do doze drag draw dress dribble drink drive eat enjoy enter examine exercise face fall feature"
    " feed fight fill film fish fix float fly follow gallop gather gaze get give glance glow go grab grasp graze"
    " grip grow guard hang haul have help herd hide hit hold hop hover hug hunt inspect jog join jump keep kick"
    " kiss kneel land laugh lay lead lean leap leave lick lie lift like line listen load look lounge make"
    " march meet milk miss mix mount move nap need nurse observe offer open operate overlook own pack paddle paint"
    " park pass pedal peek peel peer perch perform pet photograph pick place plant play point pose pour practice"
    " prepare press pull push put race raise reach read receive relax rest return ride ring rise roam roll row run"
    " sail say see sell serve set shake share shine shoot shop shout show sing sip sit skate skateboard ski skip"
    " sleep slice slide smile sniff snowboard snuggle speak spend splash spread squat stack stand stare start stay"
    " steer stir stop stretch stroll suckle surf surround swim swing tackle take talk throw tie toast top toss"
    " touch tow travel trot try turn type use view wait walk wander want watch wave wear work wrap write yell"
)
"""Base forms."""
AMBIGUOUS = _words(
    "back bat bike board bow bowl box brush call cast catch clean close cook cover cross cut dance display dress"
    " drink exercise face fall feature fight film fish guard hang help herd hit hop hug jump kick kiss land lead"
    " leap like line look meet milk mount move need nurse open pack paint park pass pet photograph place"
    " plant point practice press race rest return ride ring roll row run sail say set shake share shoot shop"
    " show skate skateboard ski slice slide snowboard spread stack stand star start stop stretch surf swing toast"
    " top toss train try turn type use view walk watch wave work"
)
"""Verbs that are nouns as well: they count as verbs only where what follows asks for it."""
_IRREGULAR = {
    "sit": "sat", "stand": "stood", "hold": "held", "wear": "worn", "ride": "ridden", "run": "run", "lie": "lain",
    "lay": "laid", "eat": "eaten", "throw": "thrown", "catch": "caught", "fly": "flown", "drive": "driven",
    "take": "taken", "make": "made", "hang": "hung", "go": "gone", "come": "come", "get": "gotten", "put": "put",
    "cut": "cut", "have": "had", "hit": "hit", "show": "shown", "see": "seen", "give": "given", "bring": "brought",
    "keep": "kept", "sell": "sold", "leave": "left", "feed": "fed", "tow": "towed", "set": "set", "hide": "hidden",
    "build": "built", "write": "written", "draw": "drawn", "break": "broken", "bite": "bitten", "blow": "blown",
    "lead": "led", "shoot": "shot", "swing": "swung", "read": "read", "grow": "grown", "say": "said", "meet": "met",
    "spread": "spread", "fall": "fallen", "shake": "shaken", "do": "done", "bend": "bent", "buy": "bought",
    "drink": "drunk", "fight": "fought", "sing": "sung", "swim": "swum", "begin": "begun", "steal": "stolen",
    "dig": "dug", "spend": "spent", "tie": "tied", "kneel": "knelt", "slide": "slid", "cast": "cast", "light": "lit",
}  # fmt: skip
_VOWELS = "aeiou"
_LIKE_A_CONSONANT = (
    "euro",
    "one-",
    "one ",
    "ufo",
    "ukulele",
    "unic",
    "unif",
    "unis",
    "unit",
    "univ",
    "use",
    "usb",
    "uten",
)
"""Beginnings of words that sound like "you" or "won"."""
_SILENT = ("heir", "honest", "hour")


@cache
def forms() -> Mapping[str, tuple[str, str]]:
    """Forms of the verbs: to base form and kind, which is base, s, ing or ed."""
    result: dict[str, tuple[str, str]] = {}
    for base in sorted(VERBS):
        past = _IRREGULAR.get(base, _stem(base) + "ed" if not base.endswith("e") else base + "d")
        for form, kind in ((_present(base), "s"), (participle(base), "ing"), (past, "ed"), (base, "base")):
            result.setdefault(form, (base, kind))
    return result


def lemma(word: str) -> str:
    """Base form of a verb: by the list, or by its ending."""
    known = forms().get(word)
    if known is not None:
        return known[0]
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            stem = word[: -len(ending)]
            if len(stem) > 2 and stem[-1] == stem[-2] and stem[-1] not in "lsz":
                return stem[:-1]
            return stem
    return word


def participle(base: str) -> str:
    """A verb's form in -ing: ride, riding; sit, sitting; lie, lying."""
    return _stem(base, "ing") + "ing"


def article(text: str) -> str:
    """The text with "a" or "an" before it, by how it begins to sound."""
    start = text.lower()
    vowel = start[:1] in tuple(_VOWELS) and not start.startswith(_LIKE_A_CONSONANT)
    return f"{'an' if vowel or start.startswith(_SILENT) else 'a'} {text}"


def _stem(base: str, ending: str = "ed") -> str:
    """What an ending is put behind: hop, hopp-ing; ride, rid-ing; carry, carri-ed."""
    if base.endswith("ie") and ending == "ing":
        return base[:-2] + "y"
    if base.endswith("e") and not base.endswith(("ee", "oe", "ye")):
        return base[:-1]
    if base.endswith("y") and base[-2] not in _VOWELS and ending != "ing":
        return base[:-1] + "i"
    # The last syllable is stressed if it is the only one.
    short = not set(base[:-2]) & set(_VOWELS) or base in ("begin", "control", "kidnap")
    if short and base[-1] not in _VOWELS + "wxyk" and base[-2] in _VOWELS and base[-3:-2] not in _VOWELS:
        return base + base[-1]
    return base


def _present(base: str) -> str:
    if base == "have":
        return "has"
    if base.endswith("y") and base[-2] not in _VOWELS:
        return base[:-1] + "ies"
    return base + ("es" if base.endswith(("s", "sh", "ch", "x", "z", "o")) else "s")
