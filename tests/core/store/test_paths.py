from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import RefusedInput
from core.store.paths import distinct, inside, slugify


@given(st.text(max_size=300))
def test_a_slug_is_one_safe_file_name(text: str) -> None:
    slug = slugify(text)
    assert slug not in ("", ".", "..")
    assert "/" not in slug
    assert "\0" not in slug
    assert not slug.startswith((".", "-"))
    assert len(slug.encode()) <= 100
    assert slugify(slug) == slug


def test_letters_of_every_script_stay() -> None:
    assert slugify("猫 и café/../x") == "猫-и-café-..-x"


@given(st.lists(st.sampled_from(["a", "A", "a_2", "b", "a_3", "b_2"])))
def test_distinct_names_are_distinct_and_keep_what_they_can(names: list[str]) -> None:
    result = distinct(names)
    assert len({name.casefold() for name in result}) == len(names)
    assert all(new.startswith(old) for new, old in zip(result, names, strict=True))
    assert result == distinct(names)


@pytest.mark.parametrize("parts", [("..", "x"), ("/etc/passwd",), ("a", "..", "..", "b")])
def test_paths_that_leave_the_folder_are_refused(tmp_path: Path, parts: tuple[str, ...]) -> None:
    with pytest.raises(RefusedInput, match="stay inside"):
        inside(tmp_path / "root", *parts)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "out").symlink_to(tmp_path)
    with pytest.raises(RefusedInput):
        inside(root, "out", "x")
    assert inside(root, "in", "x") == root / "in" / "x"
