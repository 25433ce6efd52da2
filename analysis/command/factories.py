"""Functions that make a torch module: torchvision's by name, or one in a file, which is run."""

import importlib.util
import sys
from collections.abc import Callable
from difflib import get_close_matches
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any

from analysis.errors import AnalysisError

Factory = Callable[[], Any]

WITHOUT_WARNING = ("googlenet", "inception_v3")
"""torchvision's models whose constructors warn unless they are told how to initialize weights."""


def torchvision_model(name: str, sizes: tuple[int, ...] | None) -> tuple[Factory, tuple[int, ...]]:
    """Return what makes one of torchvision's models, and the shape of its input: (C, H, W).

    Without sizes (height, width, channels) it is the one that its weights were trained at. A vision
    transformer is made for the size. Of a video, (C, T, H, W), the sizes must be given.

    Raises:
        AnalysisError: For a name that torchvision does not know, and sizes that it cannot read.
    """
    from torchvision import models

    if name not in models.list_models():
        near = get_close_matches(name, models.list_models(), n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "see torchvision.models"
        raise AnalysisError(f"torchvision has no model {name!r}; {hint}")
    video = models.get_model_builder(name).__module__.startswith("torchvision.models.video")
    _check_axes(name, sizes, video)
    shape = _native(name) if sizes is None else channels_first(sizes)
    options: dict[str, Any] = {"init_weights": False} if name in WITHOUT_WARNING else {}
    if "weights_backbone" in signature(models.get_model_builder(name)).parameters:
        options["weights_backbone"] = None  # nothing is downloaded
    if name.startswith("vit") and shape[1] == shape[2]:
        options["image_size"] = shape[1]
    return lambda: models.get_model(name, weights=None, **options), shape


def _check_axes(name: str, sizes: tuple[int, ...] | None, video: bool) -> None:
    if not video:
        if sizes is not None and len(sizes) != 3:
            raise AnalysisError(
                f"{name} reads images: --input must be HEIGHTxWIDTHxCHANNELS, not "
                f"{'x'.join(map(str, sizes))}"
            )
    elif sizes is None or len(sizes) != 4:
        _, height, width = _native(name)
        raise AnalysisError(
            f"{name} reads video: give --input FRAMESxHEIGHTxWIDTHxCHANNELS, such as "
            f"16x{height}x{width}x3"
        )


def _native(name: str) -> tuple[int, ...]:
    from torchvision import models

    transforms = models.get_model_weights(name).DEFAULT.transforms()
    side = getattr(transforms, "crop_size", None) or getattr(transforms, "resize_size", [224])
    return (3, side[0], side[-1])


def channels_first(sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Turn (height, width, channels) into torch's order.

    >>> channels_first((224, 320, 3)), channels_first((784,))
    ((3, 224, 320), (784,))
    """
    return (sizes[-1], *sizes[:-1])


def from_file(path: Path, name: str) -> Factory | Any:
    """Run a Python file and return its function, class or module of that name.

    Raises:
        AnalysisError: If there is no such file or name, or if running the file fails.
    """
    if not path.is_file():
        raise AnalysisError(f"there is no file {path}; write path/to/file.py:FACTORY")
    found = getattr(_run(path), name, None)
    if found is None:
        raise AnalysisError(f"{path} has no {name!r} after it ran; name a function that it defines")
    if not callable(found):
        raise AnalysisError(f"{name} in {path} is no function that makes a module, but {found!r}")
    return found


def _run(path: Path) -> ModuleType:
    """Run a file as a module of its own; what lies beside it can be imported."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise AnalysisError(f"running {path} failed: {type(error).__name__}: {error}") from error
    finally:
        sys.path.pop(0)
    return module
