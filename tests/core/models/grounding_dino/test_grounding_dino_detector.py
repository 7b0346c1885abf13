"""The adapter of both Grounding DINOs on the real transformers classes, built small with random weights."""

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from small_transformers import save_small_grounding_dino

from core.errors import RefusedInput, Unavailable, UnsafeFile
from core.models.detecting import in_texts
from core.models.family import Family
from core.models.grounding_dino.backend import FAMILY, check_text
from core.models.grounding_dino.detector import GroundingDino, best_phrases, load_grounding_dino, model_text
from core.models.mm_grounding_dino.backend import FAMILY as MM_FAMILY
from core.models.pretrained import from_transformers
from core.models.spec import ModelSpec
from core.prompts import Detection
from core.video.frames import RGB

KINDS = {"GroundingDino": FAMILY, "MMGroundingDino": MM_FAMILY}


def load(folder: Path, family: Family, *settings: str) -> GroundingDino:
    return load_grounding_dino(family, ModelSpec(backend=family.name, variant=settings, path=folder))


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_grounding_dino(tmp_path_factory.mktemp(kind), kind)


@pytest.fixture(scope="module")
def family(kind: str) -> Family:
    return KINDS[kind]


@pytest.fixture(scope="module")
def detector(folder: Path, family: Family) -> GroundingDino:
    return load(folder, family)


def _image(seed: int, height: int = 90, width: int = 160) -> RGB:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def scores_of(found: list[Detection]) -> list[float]:
    return [one.score for one in found if one.score is not None]


def test_words_to_boxes_in_the_picture(detector: GroundingDino, family: Family) -> None:
    found = detector.start("Red ball, PERSON").detect(_image(0))
    assert found, "random weights find something, or nothing is tested"
    assert {one.label for one in found} == {"red ball", "person"}
    for one in found:
        x0, y0, x1, y1 = one.box
        assert 0 <= x0 < x1 <= 160
        assert 0 <= y0 < y1 <= 90
    scores = scores_of(found)
    assert all(family.box_threshold < score <= 1 for score in scores)
    assert scores == sorted(scores, reverse=True)


def test_a_higher_threshold_keeps_the_best_only(detector: GroundingDino) -> None:
    everything = detector.start("dog").detect(_image(1))
    middle = sorted(scores_of(everything))[len(everything) // 2]
    strict = GroundingDino(detector._model, detector._processor, middle, 0.0)
    assert {(one.box, one.score) for one in strict.start("dog").detect(_image(1))} == {
        (one.box, score) for one, score in zip(everything, scores_of(everything), strict=True) if score > middle
    }
    assert GroundingDino(detector._model, detector._processor, 1.0, 0.0).start("dog").detect(_image(1)) == []


def test_a_batch_of_frames_gives_what_each_gives_alone(detector: GroundingDino) -> None:
    images = [_image(seed) for seed in range(3)]
    wanted = ["car", "dog"]
    together = detector.detect(images, [wanted])
    for image, batched in zip(images, together, strict=True):
        alone = detector.start("car. dog").detect(image)
        assert [one.label for one in batched] == [one.label for one in alone]
        np.testing.assert_allclose([one.box for one in batched], [one.box for one in alone], atol=0.05)
    assert len(detector.detect([_image(0), _image(1, 64, 64)], [wanted])) == 2


def test_the_older_spelling_of_the_threshold(detector: GroundingDino) -> None:
    class Older:
        """A processor as transformers had it before 4.51."""

        tokenizer = detector._processor.tokenizer

        def __call__(self, **given: Any) -> Any:
            return detector._processor(**given)

        def post_process_grounded_object_detection(
            self, outputs: Any, input_ids: Any, box_threshold: float, text_threshold: float, target_sizes: Any
        ) -> Any:
            return detector._processor.post_process_grounded_object_detection(
                outputs, input_ids, box_threshold, text_threshold, target_sizes
            )

    older = GroundingDino(detector._model, Older(), detector.threshold, detector._text_threshold)
    assert older.start("person").detect(_image(2)) == detector.start("person").detect(_image(2))


def test_labels_are_whole_phrases_whatever_tokens_pass_the_threshold(detector: GroundingDino) -> None:
    wanted = ["red ball", "a dog"]
    tokenizer = detector._processor.tokenizer
    input_ids = torch.tensor(tokenizer(model_text(wanted))["input_ids"])
    assert tokenizer.convert_ids_to_tokens(input_ids) == ["[CLS]", "red", "ball", ".", "a", "dog", ".", "[SEP]"]
    tokens = torch.zeros(4, 256)
    tokens[0, 1] = 0.9  # one word of two
    tokens[1, [2, 5]] = torch.tensor([0.4, 0.6])  # words of both phrases
    tokens[2, [0, 5]] = torch.tensor([0.9, 0.1])  # mostly no word at all
    tokens[3, [3, 6, 2]] = torch.tensor([0.9, 0.9, 0.2])  # full stops
    named = best_phrases(tokens, input_ids, wanted, tokenizer)
    assert [phrase for phrase, _ in named] == ["red ball", "a dog", "a dog", "red ball"]
    assert [score for _, score in named] == pytest.approx([0.9, 0.6, 0.1, 0.2])


def test_prompts_it_cannot_serve_are_refused(detector: GroundingDino) -> None:
    with pytest.raises(RefusedInput, match="name what to find"):
        detector.start(" . ")
    with pytest.raises(RefusedInput, match="the model sees nothing in"):
        detector.start("dog. \u200b. car")
    with pytest.raises(RefusedInput, match="at most 256 tokens a phrase; one has"):
        detector.start("dog. " + " ".join(["dog"] * 400))


def test_more_phrases_than_fit_into_one_text_are_looked_for_in_several(detector: GroundingDino) -> None:
    many = [f"{'a ' * index}dog" for index in range(1, 40)]
    found = detector.start(". ".join(many)).detect(_image(1))
    tokenizer, longest = detector._processor.tokenizer, detector._model.config.max_text_len
    assert len(tokenizer(model_text(many))["input_ids"]) > longest
    texts = list(in_texts(many, lambda group: len(tokenizer(model_text(group))["input_ids"]) <= longest))
    assert [phrase for text in texts for phrase in text] == many
    assert len(texts) < 6
    each = [one for text in texts for one in detector.start(". ".join(text)).detect(_image(1))]
    assert found == sorted(each, key=lambda one: -(one.score or 0.0))


def test_detections_that_fit_no_phrase_are_dropped(detector: GroundingDino) -> None:
    session = detector.start("dog. red ball")
    everything = GroundingDino(detector._model, detector._processor, detector.threshold, 0.0).start("dog. red ball")
    strict = GroundingDino(detector._model, detector._processor, detector.threshold, 1.0).start("dog. red ball")
    assert len(strict.detect(_image(1))) < len(everything.detect(_image(1)))
    assert len(session.detect(_image(1))) <= len(everything.detect(_image(1)))


def test_a_version_without_the_model_is_told_in_one_line() -> None:
    with pytest.raises(Unavailable, match=r"needs Sam9Model, which transformers \d.* does not have: pip install"):
        from_transformers("Sam9Model", "sam9")


def test_broken_folders_are_refused(folder: Path, family: Family, tmp_path: Path) -> None:
    def copy(name: str) -> Path:
        made = tmp_path / name
        made.mkdir()
        for path in folder.iterdir():
            (made / path.name).write_bytes(path.read_bytes())
        return made

    with pytest.raises(UnsafeFile, match="nothing"):
        load(tmp_path / "nothing", family)
    half = copy("half")
    (half / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:5000])
    with pytest.raises(UnsafeFile, match=f"half: no {family.name} model"):
        load(half, family)
    pickled = copy("pickled")
    (pickled / "model.safetensors").unlink()
    torch.save({}, pickled / "pytorch_model.bin")
    with pytest.raises(UnsafeFile, match=f"pickled: no {family.name} model"):
        load(pickled, family)
    other = copy("other")
    tensors = load_file(folder / "model.safetensors")
    save_file({name: t for name, t in tensors.items() if "encoder" not in name}, other / "model.safetensors")
    with pytest.raises(UnsafeFile, match=rf"other: not the weights of {family.name}: \d+ tensors missing or misshapen"):
        load(other, family)
    remote = copy("remote")
    remote_config = json.loads((remote / "tokenizer_config.json").read_text())
    remote_config |= {"auto_map": {"AutoTokenizer": ["evil.Evil", None]}, "tokenizer_class": "Evil"}
    (remote / "tokenizer_config.json").write_text(json.dumps(remote_config))
    (remote / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with contextlib.suppress(UnsafeFile):
        load(remote, family)
    assert not (tmp_path / "ran").exists()
    misshapen = copy("misshapen")
    config = (folder / "config.json").read_text().replace('"d_model": 32', '"d_model": 64')
    (misshapen / "config.json").write_text(config)
    with pytest.raises(UnsafeFile, match="misshapen: no"):
        load(misshapen, family)


def test_where_memory_runs_out_it_is_freed_and_tried_again(
    detector: GroundingDino, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = detector.start("dog").detect(_image(1))
    real, calls = detector._model.forward, []

    def full(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory (a test)")
        return real(*args, **kwargs)

    monkeypatch.setattr(detector._model, "forward", full)
    assert detector.start("dog").detect(_image(1)) == expected
    assert len(calls) == 2


def test_a_text_that_is_too_long_is_refused_before_work(folder: Path, family: Family) -> None:
    check_text(family, folder, "red ball. person")
    check_text(family, folder, ". ".join(f"{'a ' * index}dog" for index in range(1, 40)))
    with pytest.raises(RefusedInput, match="tokens"):
        check_text(family, folder, "person. " * 3 + " ".join(["dog"] * 400))


def test_thresholds_come_from_the_options_or_the_authors(folder: Path, family: Family, detector: GroundingDino) -> None:
    assert (detector.threshold, detector._text_threshold) == (family.box_threshold, family.text_threshold)
    given = load(folder, family, "box_threshold=0.2", "text_threshold=0.1")
    assert (given.threshold, given._text_threshold) == (0.2, 0.1)


def test_the_threshold_is_also_how_sure_a_detection_must_be_to_start_an_object(detector: GroundingDino) -> None:
    unsure = GroundingDino(detector._model, detector._processor, 0.2, 0.0)
    assert unsure.start("dog").trust_of("dog").min_score == 0.2
