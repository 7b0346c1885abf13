"""The words that the built-in detector knows, and what it really looks for where it does not know them all."""

from core.errors import RefusedInput
from core.models.phrases import phrases

PERSON, FACE, MOTION = "person", "face", "moving object"
# Ranges of OpenCV's hue (0..180); red goes round the end.
HUES = {
    "red": ((0, 8), (171, 180)),
    "orange": ((9, 20),),
    "yellow": ((21, 34),),
    "green": ((35, 82),),
    "cyan": ((83, 97),),
    "blue": ((98, 128),),
    "purple": ((129, 150),),
    "pink": ((151, 170),),
}
ACCEPTED = (
    f"{PERSON}, {FACE}, {MOTION}, or a colour ({', '.join(HUES)}); several separated by '.'. "
    "Other words need a neural detector: `maskflow weights get grounding-dino-tiny`"
)
_PEOPLE = {"person", "persons", "people", "pedestrian", "pedestrians", "human", "humans"}
_SORTS_OF_PEOPLE = {"man", "men", "woman", "women"}  # it cannot tell them from other people
_FACES = {"face", "faces"}
_MOVING = {"moving", "motion"}
_ANYTHING = {"a", "an", "the", "all", "any", "every", "object", "objects", "thing", "things", "region", "regions"}


def targets(prompt: str) -> dict[str, str]:
    """What is looked for, with its label: `the person. red elephant` gives person as `the person`, red as `red`.

    A label holds no word that was not looked for.

    Raises:
        RefusedInput: a phrase in which nothing is known, or two colours.
    """
    found: dict[str, str] = {}
    for phrase in phrases(prompt):
        target = _target(phrase)
        found.setdefault(target, phrase if _knows(target, phrase) else target)
    if not found:
        raise RefusedInput.of("text_prompt", prompt, f"the built-in detector finds {ACCEPTED}")
    return found


def not_understood(prompt: str) -> list[str]:
    """For each phrase that is looked for only in part, which part."""
    labels = targets(prompt)
    return [
        f"The built-in detector does not know all of {phrase!r}: it looks for {_target(phrase)!r}, and labels it "
        f"{labels[_target(phrase)]!r}"
        for phrase in phrases(prompt)
        if not _knows(_target(phrase), phrase)
    ]


def _target(phrase: str) -> str:
    words = set(phrase.split())
    if words & (_PEOPLE | _SORTS_OF_PEOPLE):
        return PERSON
    if words & _FACES:
        return FACE
    if words & _MOVING:
        return MOTION
    colours = [name for name in HUES if name in words]
    if len(colours) == 1:
        return colours[0]
    raise RefusedInput.of("text_prompt", phrase, f"the built-in detector finds {ACCEPTED}")


def _knows(target: str, phrase: str) -> bool:
    own = {PERSON: _PEOPLE, FACE: _FACES, MOTION: _MOVING}.get(target, {target})
    return set(phrase.split()) <= own | _ANYTHING
