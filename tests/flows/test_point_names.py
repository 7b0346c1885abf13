from hypothesis import given
from hypothesis import strategies as st

from flows.track_mask_points.names import MAX_NAME, labels, of_batch


def test_instances_are_called_what_they_are() -> None:
    assert labels(["mug", "hand left", "猫"]) == ["mug", "hand-left", "猫"]


@given(
    st.lists(
        st.sampled_from(["cup", "cup_batch_0", "cup_batch_1", "combined", "a/b", "a b", "../x", "x", ""]) | st.text(),
        max_size=8,
    )
)
def test_no_two_files_of_a_run_share_a_name(names: list[str]) -> None:
    called = labels(names)
    files = ["combined"]
    for number, label in enumerate(called):
        files += [label] if number % 2 else [label, *(of_batch(label, batch, 3) for batch in range(3))]
        assert len(label.encode()) <= MAX_NAME + 14
        assert "/" not in label
        assert not label.startswith(".")
    assert len({name.casefold() for name in files}) == len(files)
