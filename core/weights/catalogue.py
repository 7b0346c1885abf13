"""The weights Maskflow can use: names, sizes, licences, sources and digests. Light: loads no model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import RefusedInput
from core.weights.folder import WEIGHTS_FILE
from core.weights.sam2_names import SAM_TYPES, SamType

MODELS = Path("models")
"""Folder that weights are looked for in, unless a path is given."""
TINY_SAM2 = Path(__file__).with_name("tiny_sam2.safetensors")
"""A SAM 2 of two million parameters, trained on rendered clips alone: for the demo and the tests."""


@dataclass(frozen=True)
class WeightsFile:
    """One file: its place below the models folder, where it comes from, its bytes and their SHA-256.

    `size_bytes` is None of small files whose size was nowhere published: they are known by their digest.
    """

    path: str
    url: str
    size_bytes: int | None
    sha256: str


@dataclass(frozen=True)
class Weights:
    """One model's files.

    Attributes:
        name: what `maskflow weights get` calls them.
        licence: of the weights.
        files: all of them, the largest last.
        use: what the model does: `tracks` objects, finds `any words` or `COCO's words`.
        gated: the source wants its terms accepted, and a token in HF_TOKEN.
    """

    name: str
    licence: str
    files: Sequence[WeightsFile]
    use: str
    gated: bool = False

    @property
    def size_bytes(self) -> int:
        """Of all files together; also the least that the model takes of a GPU's memory."""
        return sum(file.size_bytes or 0 for file in self.files)

    def place(self, models: Path = MODELS) -> Path:
        """The path to hand to a flow: the file, or the folder where there are several."""
        first = models / self.files[0].path
        return first if len(self.files) == 1 else first.parent


@dataclass(frozen=True)
class UnfetchedWeights:
    """Weights that the user has to fetch: no digest of theirs is published in two places.

    Attributes:
        name: of the backend, and of their folder below the models folder.
        licence: of the weights.
        page: where they are.
        use: as in `Weights`.
    """

    name: str
    licence: str
    page: str
    use: str


def sam2_path(sam_type: SamType) -> str:
    """Where the checkpoint of this SAM 2 model belongs, below the models folder."""
    return f"sam2/checkpoints/{sam_type}.pt"


ANY_WORDS, COCO_WORDS, TRACKS = "any words", "COCO's words", "tracks"

_SAM2_FILES = {
    "sam2_hiera_tiny": (155906050, "65b50056e05bcb13694174f51bb6da89c894b57b75ccdf0ba6352c597c5d1125"),
    "sam2_hiera_small": (184309650, "95949964d4e548409021d47b22712d5f1abf2564cc0c3c765ba599a24ac7dce3"),
    "sam2_hiera_base_plus": (323493298, "d0bb7f236400a49669ffdd1be617959a8b1d1065081789d7bbff88eded3a8071"),
    "sam2_hiera_large": (897952466, "7442e4e9b732a508f80e141e7c2913437a3610ee0c77381a66658c3a445df87b"),
    "sam2.1_hiera_tiny": (156008466, "7402e0d864fa82708a20fbd15bc84245c2f26dff0eb43a4b5b93452deb34be69"),
    "sam2.1_hiera_small": (184416285, "6d1aa6f30de5c92224f8172114de081d104bbd23dd9dc5c58996f0cad5dc4d38"),
    "sam2.1_hiera_base_plus": (323606802, "a2345aede8715ab1d5d31b4a509fb160c5a4af1970f199d9054ccfb746c004c5"),
    "sam2.1_hiera_large": (898083611, "2647878d5dfa5098f2f8649825738a9345572bae2d4350a2468587ece47dd318"),
}


def _sam2(sam_type: SamType) -> Weights:
    release = "092824" if sam_type.startswith("sam2.1") else "072824"
    url = f"https://dl.fbaipublicfiles.com/segment_anything_2/{release}/{sam_type}.pt"
    file = WeightsFile(sam2_path(sam_type), url, *_SAM2_FILES[sam_type])
    return Weights(sam_type, "Apache-2.0", [file], TRACKS)


def _hugging_face(
    name: str, licence: str, use: str, source: str, files: dict[str, tuple[int | None, str]], gated: bool = False
) -> Weights:
    """Files of a Hugging Face repository at one commit; `source` is `owner/name/resolve/commit`.

    The weights come last: where they are, the rest is there too.
    """
    files = dict(sorted(files.items(), key=lambda item: item[0] == WEIGHTS_FILE))
    return Weights(
        name,
        licence,
        [
            WeightsFile(f"{name}/{file}", f"https://huggingface.co/{source}/{file}", *facts)
            for file, facts in files.items()
        ],
        use,
        gated,
    )


_GROUNDING_DINO_COMMON: dict[str, tuple[int | None, str]] = {
    "preprocessor_config.json": (457, "8454179ba95e2ad22947835aad7b45862a601fc0055ab88bf1ee70892d3aea60"),
    "tokenizer.json": (711396, "d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66"),
    "tokenizer_config.json": (1237, "d40ab645b68211910b9170d22433d43186a6ec8ee6fd10ba170524b25bf4fb56"),
    "vocab.txt": (231508, "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"),
    "special_tokens_map.json": (125, "b6d346be366a7d1d48332dbc9fdf3bf8960b5d879522b7799ddba59e76237ee3"),
}

WEIGHTS: Sequence[Weights] = (
    *(_sam2(sam_type) for sam_type in SAM_TYPES),
    _hugging_face(
        "grounding-dino-tiny",
        "Apache-2.0",
        ANY_WORDS,
        "IDEA-Research/grounding-dino-tiny/resolve/a2bb814dd30d776dcf7e30523b00659f4f141c71",
        {
            "model.safetensors": (689359096, "1a2412ef99bd74bcd3c2a246fa1e48581f8889a1300c9051974741314fc042f3"),
            "config.json": (1644, "eec82c5ab66e16df12a9a212e68ac011779927c2536cf9078658e35d85f0c67a"),
            **_GROUNDING_DINO_COMMON,
        },
    ),
    _hugging_face(
        "grounding-dino-base",
        "Apache-2.0",
        ANY_WORDS,
        "IDEA-Research/grounding-dino-base/resolve/12bdfa3120f3e7ec7b434d90674b3396eccf88eb",
        {
            "model.safetensors": (933400872, "5548f844c928c4b6f411fa8cbcc2bfa8dbbba437cb1d513975519f93c2a9ed21"),
            "config.json": (1737, "eda416dae6f49419ff831b1c190ec430a060b19aae688dbaf2425a075b650608"),
            **_GROUNDING_DINO_COMMON,
        },
    ),
    _hugging_face(
        "sam3",
        "SAM License",
        f"{TRACKS}, {ANY_WORDS}",
        "facebook/sam3/resolve/3c879f39826c281e95690f02c7821c4de09afae7",
        {
            "model.safetensors": (3439938512, "6d06f0a5f84e435071fe6603e61d0b4cc7b40e0d39d487cfd4d67d8cc11cc14a"),
            "config.json": (25843, "4616385e4b21f2e5e22c875b65679185cbccfa95de42542b9166f7dc3d57160f"),
            "processor_config.json": (1712, "6420cf2671fa9309ea95bc0144a8b9861666d1c5f43c8db09e410dacda974fce"),
            "tokenizer.json": (3642073, "6d9109cc838977f3ca94a379eec36aecc7c807e1785cd729660ca2fc0171fb35"),
            "tokenizer_config.json": (799, "39670ad98457fe8f14ca59f6bb74591e9fc850974380a63993e5b8ffc865baa2"),
            "special_tokens_map.json": (588, "2cdb3b8331a60c92fc1e55a13e9fd61fd2293c5a51275fdcccd62b780052530e"),
            "vocab.json": (862328, "5047b556ce86ccaf6aa22b3ffccfc52d391ea4accdab9c2f2407da5b742d4363"),
            "merges.txt": (524619, "9fd691f7c8039210e0fced15865466c65820d09b63988b0174bfe25de299051a"),
        },
        gated=True,
    ),
    _hugging_face(
        "owlv2",
        "Apache-2.0",
        ANY_WORDS,
        "google/owlv2-base-patch16-ensemble/resolve/cfd3195ba4ea9592eec887ded089f4c08eff231d",
        {
            "model.safetensors": (619918824, "e1e130b9e404cf91a75ad45644c1da9d7fa5284085eecc864266a6923efb99e7"),
            "config.json": (414, "ba9df8c25a4b8461887dd0a93d9252c9cd84697fe8d49a9d8794ce409af9acb2"),
            "preprocessor_config.json": (425, "cf3e396635b797ee1a464e1b2836e98748f8edac19e89aaa2c93b55ac15b0064"),
            "vocab.json": (1059962, "e089ad92ba36837a0d31433e555c8f45fe601ab5c221d4f607ded32d9f7a4349"),
            "merges.txt": (524619, "9fd691f7c8039210e0fced15865466c65820d09b63988b0174bfe25de299051a"),
            "tokenizer_config.json": (1100, "b55cda6198e152ded427c8a9b3faf1cccf27a7fa080697a62f6ff143f511f44f"),
            "special_tokens_map.json": (121, "d6e2b9cf664efbad2d22998b8d3da986abcbeed3e0825ad33605c9401f9cf73e"),
            "added_tokens.json": (67, "e5dc0da35d20111e8ff3fdfc03682beca23d5f94ed74331bce81786b2636a24f"),
        },
    ),
    _hugging_face(
        "edgetam",
        "Apache-2.0",
        TRACKS,
        "yonigozlan/EdgeTAM-hf/resolve/c266ce53b3fc00f0f495b583f6a116c4e57f53bb",
        {
            "model.safetensors": (55912824, "8858f8e4757b0b96dab8763f296ecffd845efbbbf698f64163cfa20a63d5fff4"),
            "config.json": (None, "0827d003132f67efc496928f4fe5dd4125fcac518950c4eabe1d1f85e245c82a"),
            "preprocessor_config.json": (None, "247f7be8f3979e98bc8e89b94c3e6542f6f1506070c97fbcc983f53a64a9bf86"),
            "processor_config.json": (None, "f8a68e865cfad115c1c2763f3d93eca7b1c622da06da2a9273eb437fb2389b6d"),
            "video_preprocessor_config.json": (
                None,
                "0b05a4bdcd7bb31e7bc12d5882e6a4f4ea7fcc8063d2240ab225e57561658233",
            ),
        },
    ),
)

_HUB = "https://huggingface.co"
UNFETCHED_WEIGHTS: Sequence[UnfetchedWeights] = (
    UnfetchedWeights(
        "mm-grounding-dino",
        "Apache-2.0",
        f"{_HUB}/openmmlab-community/mm_grounding_dino_tiny_o365v1_goldg_v3det",
        ANY_WORDS,
    ),
    UnfetchedWeights("sam3-lite-text", "see page", f"{_HUB}/yonigozlan/sam3-litetext-s0", ANY_WORDS),
    UnfetchedWeights("d-fine", "Apache-2.0", f"{_HUB}/ustc-community/dfine-nano-coco", COCO_WORDS),
)


def find_weights(name: str) -> Weights:
    """The catalogue's entry of this name. Raises `RefusedInput` with the names there are."""
    for weights in WEIGHTS:
        if weights.name == name:
            return weights
    own = next((one for one in UNFETCHED_WEIGHTS if one.name == name), None)
    if own is not None:
        raise RefusedInput.of("name", name, how_to_fetch(own))
    raise RefusedInput.of("name", name, "one of " + ", ".join(weights.name for weights in WEIGHTS))


def how_to_fetch(own: UnfetchedWeights, models: Path = MODELS) -> str:
    """What to do to have weights that are not fetched."""
    place = models / own.name
    return f"put the folder of {own.page} at {place}/ (no digest of it is published twice, so it is not fetched)"
