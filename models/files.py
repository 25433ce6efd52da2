"""Files that appear whole or not at all, and JSON that is strict."""

from __future__ import annotations

import hashlib
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
        OSError: The folder cannot be made or written; it names the file, on a full disk too.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_beside(path, content)
    except OSError as error:  # of a full disk, Python does not say which file
        error.filename, error.filename2 = str(path), None
        raise


def _write_beside(path: Path, content: bytes) -> None:
    """Write a temporary file and give it its name; nothing is left of one that failed."""
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
    """Return what a file of strict JSON holds (see `parse_json`).

    Raises:
        ValueError: It is no text, no JSON, or not strict.
        FileNotFoundError: There is none.
    """
    return parse_json(path.read_bytes())


def parse_json(text: str | bytes) -> Any:
    """Return what strict JSON says: no NaN, no Infinity, nothing nested beyond all use.

    Raises:
        ValueError: It is no text, no JSON, or not strict.
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("no strict JSON (nested too deeply)") from None
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise ValueError(f"no strict JSON ({error})") from None


def json_digest(value: Any) -> str:
    """Return the sha256 (hexadecimal) of what JSON says, however it is laid out.

    Raises:
        ValueError: Strict JSON cannot say it.

    >>> json_digest({"b": [1.0], "a": 2}) == json_digest({"a": 2, "b": [1.0]})
    True
    """
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except RecursionError:
        raise ValueError("no strict JSON (nested too deeply)") from None
    return hashlib.sha256(text.encode()).hexdigest()


def read_model(path: Path, model: type[Model], corrupt: type[Exception]) -> Model:
    """Return what a file of strict JSON holds, as a model with checked fields.

    Raises:
        Exception: One of the type `corrupt`, for a torn file, no strict JSON or wrong fields.
        FileNotFoundError: There is none.
    """
    try:
        return validated(read_json(path), model)
    except ValueError as error:
        raise corrupt(f"{path}: {error}") from None


def validated(content: Any, model: type[Model]) -> Model:
    """Return what JSON said, as a model with checked fields.

    Raises:
        ValueError: A field is wrong; the message names the first one.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or model.__name__.lower()
        raise ValueError(f"{place}: {first['msg']}") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not strict JSON")


def set_aside(path: Path) -> Path:
    """Rename a file that cannot be believed to `*.corrupt`, so that it is never used again."""
    aside = path.with_name(path.name + ".corrupt")
    os.replace(path, aside)
    return aside
