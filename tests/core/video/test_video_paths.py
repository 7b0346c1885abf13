from hypothesis import given
from hypothesis import strategies as st

from core.video.video_paths import Parts, pair_up, path_parts, short_names


def test_as_many_folders_as_tell_paths_apart() -> None:
    paths = [path_parts(path) for path in ("/data/cam0/rgb.mp4", "/data/cam1/rgb.mp4", "/data/walk.mp4")]
    assert short_names(paths) == ["cam0_rgb", "cam1_rgb", "walk"]
    deep = [path_parts(path) for path in ("/a/x/1/v.mp4", "/b/x/1/v.mp4", "/b/x/2/v.mp4")]
    assert short_names(deep) == ["a_x_1_v", "b_x_1_v", "2_v"]
    assert short_names([("a", "v"), ("a", "v")]) == ["a_v", "a_v_2"]


def test_paths_of_other_systems() -> None:
    assert path_parts(r"C:\data\cam0\rgb.mp4") == ("data", "cam0", "rgb")
    assert path_parts("./a/../b.mp4") == ("a", "b")
    assert path_parts("") == ("",)


_parts = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(tuple)


@given(st.lists(_parts, max_size=6), st.randoms())
def test_names_are_distinct_and_their_order_changes_nothing(paths: list[Parts], random: object) -> None:
    names = short_names(paths)
    assert len(set(names)) == len(paths)
    if len(set(paths)) == len(paths):
        order = list(range(len(paths)))
        random.shuffle(order)  # type: ignore[attr-defined]
        again = short_names([paths[place] for place in order])
        assert {paths[place]: name for place, name in zip(order, again, strict=True)} == dict(
            zip(paths, names, strict=True)
        )


def test_paths_are_paired_by_what_they_end_in() -> None:
    truth = [("x", "cam0", "rgb"), ("x", "cam1", "rgb"), ("x", "cam2", "rgb")]
    assert pair_up(truth, [("y", "cam2", "rgb"), ("y", "cam0", "rgb")]) == [(0, 1), (2, 0)]
    assert pair_up(truth, [("y", "cam1", "rgb")]) == [(1, 0)], "a failed one does not shift the others"
    assert pair_up(truth, [("other", "rgb")]) == [], "it could be any of three"
    assert pair_up([("Walk",)], [("a", "walk"), ("a", "run")]) == [(0, 0)]
