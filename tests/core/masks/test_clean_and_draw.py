import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.masks import Box
from core.masks.clean import _clean, clean
from core.masks.draw import Drawn, Style, colour, draw_objects, free_place


def test_specks_go_and_objects_stay() -> None:
    mask = np.zeros((60, 80), np.bool_)
    mask[10:40, 10:40] = True
    mask[50, 70] = True
    mask[20, 20] = False
    cleaned = clean(mask)
    assert not cleaned[45:, 60:].any()
    assert cleaned[20, 20]
    assert cleaned[10:40, 10:40].all()
    assert not clean(np.zeros((5, 5), np.bool_)).any()


def test_colours_are_stable_and_differ() -> None:
    assert len({colour(obj_id) for obj_id in range(1, 40)}) == 39


def test_drawing_changes_the_copy_only_where_the_object_is() -> None:
    image = np.full((120, 200, 3), 128, np.uint8)
    mask = np.zeros((120, 200), np.bool_)
    mask[60:100, 50:90] = True
    drawn = draw_objects(image, [Drawn(3, mask, "3 猫"), Drawn(4, np.zeros_like(mask), "4")])
    assert (image == 128).all()
    assert not (drawn[70:90, 60:80] == 128).all(axis=-1).any()
    assert (drawn[105:, 120:] == 128).all()


@given(st.integers(1, 24), st.integers(1, 24), st.integers(0, 2**32), st.sampled_from([0.02, 0.2, 0.6]))
def test_cleaning_where_the_mask_is_cleans_the_whole_picture(height: int, width: int, seed: int, share: float) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < share
    assert np.array_equal(clean(mask), _clean(mask))


def test_masks_only_have_no_boxes_and_no_labels() -> None:
    image = np.full((120, 200, 3), 128, np.uint8)
    mask = np.zeros((120, 200), np.bool_)
    mask[60:100, 50:90] = True
    drawn = draw_objects(image, [Drawn(3, mask, "3 dog")], Style(labels=False, boxes=False, line_px=1))
    changed = (drawn != image).any(axis=-1)
    assert not (changed & ~mask).any()
    assert changed[mask].all()


@given(st.lists(st.tuples(st.integers(0, 150), st.integers(0, 80)), min_size=2, max_size=5))
def test_labels_stay_in_the_picture_and_prefer_free_places(corners: list[tuple[int, int]]) -> None:
    taken: list[Box] = []
    for x, y in corners:
        place = free_place((x, y, x + 40, y + 30), (30, 10), taken, (200, 120))
        assert 0 <= place[0] <= place[2] <= 200
        assert 0 <= place[1] <= place[3] <= 120
        taken.append(place)
    assert free_place((50, 50, 90, 80), (30, 10), [], (200, 120)) == (50, 40, 80, 50)
    assert free_place((50, 50, 90, 80), (30, 10), [(50, 40, 80, 50)], (200, 120)) != (50, 40, 80, 50)
