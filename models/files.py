"""Files that appear whole or not at all, and JSON that is strict."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)


def write_atomically(path: Path, content: bytes) -> None:
    """Put the content under `path` in one step.

    Readers see the old file or the new one, after a crash too.

    Raises:
        OSError: The folder cannot be made or written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_json(path: Path) -> Any:
    """Return what a file of strict JSON (no NaN, no Infinity) holds.

    Raises:
        ValueError: It is no text, no JSON, or not strict.
        FileNotFoundError: There is none.
    """
    return json.loads(path.read_bytes(), parse_constant=_refuse)


def read_model(path: Path, model: type[Model], corrupt: type[Exception]) -> Model:
    """Return what a file of strict JSON holds, as a model with checked fields.

    Raises:
        Exception: One of the type `corrupt`, for a torn file, no strict JSON or wrong fields.
        FileNotFoundError: There is none.
    """
    try:
        return model.model_validate(read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or model.__name__.lower()
        raise corrupt(f"{path}: {place}: {first['msg']}") from None
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise corrupt(f"{path}: no strict JSON ({error})") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not strict JSON")


def set_aside(path: Path) -> Path:
    """Rename a file that cannot be believed to `*.corrupt`, so that it is kept and never used."""
    aside = path.with_name(path.name + ".corrupt")
    os.replace(path, aside)
    return aside
