"""A folder of a `transformers` model, looked at without loading it."""

from pathlib import Path

from core.errors import UnsafeFile
from core.store.safe_load import load_json

WEIGHTS_FILE = "model.safetensors"


def check_folder(folder: Path, what: str, model_type: str) -> None:
    """Refuse a folder that cannot be this model's.

    Args:
        folder: of config.json, model.safetensors and what else the library wants.
        what: the model, for messages.
        model_type: what its config.json says.

    Raises:
        UnsafeFile: a file is missing, or it is another model's folder.
    """
    if not folder.is_dir():
        raise UnsafeFile(f"{folder}: no {what} model: {'a file, not a folder' if folder.exists() else 'not there'}")
    for name in ("config.json", WEIGHTS_FILE):
        if not (folder / name).is_file():
            raise UnsafeFile(f"{folder}: no {what} model: {name} is missing")
    config = load_json(folder / "config.json")
    found = config.get("model_type") if isinstance(config, dict) else None
    if found != model_type:
        raise UnsafeFile(f"{folder}: no {what} model: its config.json says {found!r}, not {model_type!r}")
