from pathlib import Path

from core.refining.scenes import read_scene, scene_names


def _touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_scenes_are_folders_with_images_or_maps(tmp_path: Path) -> None:
    _touch(tmp_path, "s10/images/a.jpg", "s2/obj_ids/a.jpg.pth", "logs/run.txt", ".maskflow/images/a.jpg", "file")
    assert scene_names(tmp_path) == ["s2", "s10"]


def test_images_find_their_maps_whatever_their_form(tmp_path: Path) -> None:
    _touch(
        tmp_path,
        *(f"s/images/{name}" for name in ("f_10.jpg", "f_2.PNG", "f_3.jpeg", "f_4.jpg", "notes.txt", ".x.jpg")),
    )
    _touch(tmp_path, *(f"s/obj_ids/{name}" for name in ("f_10.jpg.pth", "f_10.png", "f_2.npz", "f_3.jpeg.png")))
    _touch(tmp_path, "truth/s/obj_ids/f_2.PNG.pth")
    scene = read_scene(tmp_path, "s", tmp_path / "truth")
    assert [(files.name, files.id_map.name) for files in scene.files] == [
        ("f_2.PNG", "f_2.npz"), ("f_3.jpeg", "f_3.jpeg.png"), ("f_10.jpg", "f_10.jpg.pth")
    ]  # fmt: skip
    assert [files.truth is not None for files in scene.files] == [True, False, False]
    assert scene.failures == [("f_4.jpg", "no id map obj_ids/f_4.jpg.pth (or .png, .npz)")]


def test_a_scene_that_is_not_whole_is_named(tmp_path: Path) -> None:
    _touch(tmp_path, "a/images/x.jpg", "b/obj_ids/x.pth", "c/images/x.txt", "c/obj_ids/x.pth")
    reasons = [read_scene(tmp_path, name).failures[0][1] for name in ("a", "b", "c")]
    assert ["no folder obj_ids/" in reasons[0], "no folder images/" in reasons[1], "no image in" in reasons[2]] == [
        True
    ] * 3
