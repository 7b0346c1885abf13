import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import RefusedInput, Unavailable
from core.models.backend import Backend
from core.models.options import GeneratorOptions, GeneratorSettings, ModelOptions
from core.models.registry import DETECTORS, GENERATORS, POINT_TRACKERS, RECONSTRUCTORS, SEGMENTERS
from core.models.role import Role
from core.models.spec import ModelSpec

PLAIN = ModelOptions()


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder without weights."""
    monkeypatch.chdir(tmp_path)


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def test_auto_takes_what_can_run_here() -> None:
    assert DETECTORS.choose("auto", PLAIN).name == "classical"
    assert SEGMENTERS.choose("auto", PLAIN).name == "classical"


def test_auto_takes_a_neural_backend_where_its_weights_are() -> None:
    large = Path("models/sam2/checkpoints/sam2.1_hiera_large.pt")
    large.parent.mkdir(parents=True)
    large.touch()
    for name in ("grounding-dino-tiny", "mine"):
        folder = Path("models") / name if name != "mine" else Path(name)
        folder.mkdir()
        (folder / "model.safetensors").touch()
    assert SEGMENTERS.choose("auto", PLAIN).name == "sam2"
    assert SEGMENTERS.choose("auto", ModelOptions(model_path=large)).name == "sam2"
    assert SEGMENTERS.choose("auto", ModelOptions(sam_type="sam2_hiera_tiny")).name == "classical"
    assert DETECTORS.choose("auto", PLAIN).name == "grounding-dino"
    for path, found in ((None, "grounding-dino-tiny"), (Path("mine"), "mine")):
        spec = DETECTORS.backends[0].spec(ModelOptions(detector_path=path), lambda path: f"digest of {path.name}")
        assert spec.sha256 == f"digest of {found}"


@pytest.mark.parametrize(
    ("role", "name", "get"),
    [
        ("detector", "grounding-dino", "grounding-dino-tiny"),
        ("detector", "sam3", "sam3"),
        ("segmenter", "sam3", "sam3"),
        ("segmenter", "sam2", "sam2.1_hiera_large"),
        ("segmenter", "edgetam", "edgetam"),
        ("detector", "owlv2", "owlv2"),
    ],
)
def test_a_backend_without_weights_is_refused_with_the_command_to_get_them(role: str, name: str, get: str) -> None:
    roles: dict[str, Role[Any]] = {"detector": DETECTORS, "segmenter": SEGMENTERS}
    with pytest.raises(RefusedInput, match=rf"{role} = '{name}' cannot be used: .*`maskflow weights get {get}`"):
        roles[role].choose(name, PLAIN)


@pytest.mark.parametrize("name", ["mm-grounding-dino", "sam3-lite-text", "d-fine"])
def test_weights_that_are_not_fetched_are_refused_with_where_they_are(name: str) -> None:
    with pytest.raises(RefusedInput, match=rf"put the folder of https://\S+ at models/{name}/"):
        DETECTORS.choose(name, PLAIN)


def test_auto_leaves_out_what_serves_few_requests() -> None:
    for name in ("d-fine", "owlv2"):
        (Path("models") / name).mkdir(parents=True)
        (Path("models") / name / "model.safetensors").touch()
        chosen = {"d-fine": "classical", "owlv2": "owlv2"}[name]
        assert DETECTORS.choose("auto", PLAIN).name == chosen
        assert DETECTORS.choose(name, PLAIN).name == name


def test_thresholds_are_part_of_what_a_detector_is() -> None:
    options = ModelOptions(box_threshold=0.2, text_threshold=0.1)
    variants = {backend.name: backend.variant(options) for backend in DETECTORS.backends}
    both = ("box_threshold=0.2", "text_threshold=0.1")
    assert variants["grounding-dino"] == variants["mm-grounding-dino"] == both
    assert {variants[name] for name in ("sam3", "sam3-lite-text", "owlv2", "d-fine", "classical")} == {both[:1]}


def test_a_path_of_ones_own_is_never_passed_over() -> None:
    with pytest.raises(RefusedInput, match=r"sam2' cannot be used: there are no weights at /.*/mine\.pt"):
        SEGMENTERS.choose("auto", ModelOptions(model_path=Path("mine.pt")))
    documented = Path("models/sam2/checkpoints/sam2.1_hiera_large.pt")  # given or not, it is where weights belong
    assert SEGMENTERS.choose("auto", ModelOptions(model_path=documented)).name == "classical"


def test_another_sam2_on_disk_is_pointed_at() -> None:
    small = Path("models/sam2/checkpoints/sam2_hiera_small.pt")
    small.parent.mkdir(parents=True)
    small.touch()
    with pytest.raises(RefusedInput, match="or choose sam2_hiera_small, which is on disk"):
        SEGMENTERS.choose("sam2", PLAIN)


def test_weights_that_changed_since_the_run_began_are_not_used(tmp_path: Path) -> None:
    weights = tmp_path / "toy.pt"
    weights.write_text("as decided upon")
    spec = ModelSpec(backend="toy", path=weights, sha256=_digest(weights))
    backends = [Backend("toy", "1", lambda spec: spec)]
    assert Role("segmenter", backends).load(spec) == spec
    weights.write_text("another")
    with pytest.raises(Unavailable, match=r"toy\.pt has changed since the run began"):
        Role("segmenter", backends).load(spec)


@pytest.mark.parametrize("role", [DETECTORS, SEGMENTERS, GENERATORS, RECONSTRUCTORS, POINT_TRACKERS])
def test_a_name_that_no_backend_has_loads_nothing_else(role: Role[Any]) -> None:
    for name in ("cotracker3_ofline", "auto", ""):
        with pytest.raises(Unavailable, match=f"no {role.name} is called '{name}'"):
            role.load(ModelSpec(backend=name))


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(RefusedInput, match=r"segmenter = 'sam9'.*auto, sam2, sam3, edgetam, classical"):
        SEGMENTERS.choose("sam9", PLAIN)


def test_files_that_are_no_weights_are_refused_before_work_begins() -> None:
    Path("page.pt").write_text("<html>")
    Path("folder").mkdir()
    Path("folder/config.json").write_text(json.dumps({"model_type": "bert"}))
    Path("folder/model.safetensors").touch()
    with pytest.raises(RefusedInput, match=r"sam2 cannot be used: .*page\.pt"):
        SEGMENTERS.backends[0].check(ModelOptions(model_path=Path("page.pt")))
    for backend in DETECTORS.backends[:2]:
        with pytest.raises(RefusedInput, match=f"{backend.name} cannot be used: .*says 'bert'"):
            backend.check(ModelOptions(detector_path=Path("folder")))
    SEGMENTERS.backends[-1].check(PLAIN)


def test_results_depend_on_weights_and_settings_but_not_on_where_the_weights_are() -> None:
    for name in ("a.pt", "b.pt"):
        Path(name).write_text("the same")
    Path("c.pt").write_text("others")

    def spec(path: str, size: int = 1024) -> ModelSpec:
        return SEGMENTERS.backends[0].spec(ModelOptions(sam_image_size=size, model_path=Path(path)), _digest)

    assert spec("a.pt").key == spec("b.pt").key
    assert spec("a.pt").path != spec("b.pt").path
    assert len({json.dumps(one.key) for one in (spec("a.pt"), spec("c.pt"), spec("a.pt", 512))}) == 3
    assert spec("a.pt").name != spec("a.pt", 512).name


def test_models_are_loaded_once() -> None:
    classical = ModelSpec(backend="classical")
    assert DETECTORS.load(classical) is DETECTORS.load(ModelSpec(backend="classical"))
    assert SEGMENTERS.load(classical) is SEGMENTERS.load(ModelSpec(backend="classical"))


def test_an_interrupted_download_changes_nothing() -> None:
    for name in ("sam3", "grounding-dino-tiny", "grounding-dino-base"):
        (Path("models") / name).mkdir(parents=True)
        (Path("models") / name / "config.json").touch()
        (Path("models") / name / ".model.safetensors.part").touch()
    assert DETECTORS.choose("auto", PLAIN).name == "classical"
    assert SEGMENTERS.choose("auto", PLAIN).name == "classical"
    (Path("models") / "grounding-dino-tiny" / "model.safetensors").touch()
    spec = DETECTORS.choose("auto", PLAIN).spec(PLAIN, str)
    assert spec.path == Path("models/grounding-dino-tiny").absolute()


def test_the_mask_generator_s_settings_are_part_of_what_it_is() -> None:
    assert GENERATORS.choose("auto", PLAIN).name == "classical"
    assert GENERATORS.load(ModelSpec(backend="classical")).generate(np.zeros((30, 30, 3), np.uint8))
    settings = GeneratorSettings(points_per_side=8, pred_iou_thresh=0.85)
    specs = [
        GENERATORS.backends[0].spec(GeneratorOptions(generator=one), str) for one in (settings, GeneratorSettings())
    ]
    assert specs[0].key != specs[1].key
    assert GeneratorSettings.of_variant(specs[0].variant[2:]) == settings
