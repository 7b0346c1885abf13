"""Which of the things that a model was trained to find a text names."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.errors import RefusedInput, UnsafeFile
from core.models.phrases import phrases
from core.store.safe_load import load_json

_ARTICLES = {"a", "an", "the", "all", "any", "every"}
_SYNONYMS = {
    "people": "person", "human": "person", "bike": "bicycle", "motorbike": "motorcycle", "plane": "airplane",
    "mobile phone": "cell phone", "mobile": "cell phone", "television": "tv", "sofa": "couch", "mice": "mouse",
    "knives": "knife",
}  # fmt: skip


def labels_of(folder: Path) -> list[str]:
    """The things a model finds, in its order, from its config.json. Raises `UnsafeFile` where it does not say."""
    config = load_json(folder / "config.json")
    named: Any = config.get("id2label") if isinstance(config, dict) else None
    try:
        return [str(named[str(index)]) for index in range(len(named))]
    except (TypeError, KeyError):
        raise UnsafeFile(f"{folder / 'config.json'}: id2label does not name what the model finds") from None


def labels_sought(text: str, known: Sequence[str]) -> dict[str, str]:
    """For each label that is looked for the phrase that named it: `the people. cars` gives person and car.

    Raises:
        RefusedInput: a phrase that is none of them.
    """
    sought: dict[str, str] = {}
    for phrase in phrases(text):
        label = _label(phrase, known)
        if label is None:
            others = "grounding-dino, mm-grounding-dino, owlv2 or sam3 find other words"
            raise RefusedInput.of("text_prompt", phrase, f"d-fine finds {', '.join(known)}; {others}")
        sought.setdefault(label, phrase)
    return sought


def _label(phrase: str, known: Sequence[str]) -> str | None:
    words = " ".join(word for word in phrase.split() if word not in _ARTICLES)
    for one in (words, words.removesuffix("s"), words.removesuffix("es")):
        if (label := _SYNONYMS.get(one, one)) in known:
            return label
    return None
