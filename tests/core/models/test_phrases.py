import pytest

from core.errors import RefusedInput
from core.models.phrases import check_phrases, phrases


def test_phrases() -> None:
    assert phrases("Red  ball. person, RED ball;  face.") == ["red ball", "person", "face"]


@pytest.mark.parametrize("end", list("。，、；｜|;,.\n．､"))
def test_phrases_end_as_they_do_in_other_scripts(end: str) -> None:
    assert phrases(f"red ball{end}blue cup") == ["red ball", "blue cup"]


def test_a_text_that_names_nothing_is_refused() -> None:
    check_phrases("person")
    with pytest.raises(RefusedInput, match="name what to find"):
        check_phrases(" . ,")
