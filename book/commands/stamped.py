"""What a chapter's last good execution depended on, as its stamp tells."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from book.builder.chapters import Chapter


@dataclass(frozen=True)
class Facts:
    """Modules and files of the book by path, variables, run keys, libraries, and seconds."""

    modules: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    runs: Mapping[str, Any] = field(default_factory=dict)
    libraries: Mapping[str, str] = field(default_factory=dict)
    written: tuple[str, ...] = ()
    seconds: float | None = None


def facts(chapter: Chapter) -> Facts:
    """Return what a chapter's stamp tells; nothing without one."""
    stamp: Any = chapter.stamp()
    if stamp is None:
        return Facts()
    told = asdict(stamp) if is_dataclass(stamp) and not isinstance(stamp, type) else dict(stamp)
    return Facts(**{one.name: told[one.name] for one in fields(Facts) if one.name in told})


def drift(libraries: Mapping[str, str]) -> list[str]:
    """Return the libraries that have another version today, in words."""
    now = {name: installed(name) for name in libraries}
    return [
        f"{name} {then} then, {now[name]} now"
        for name, then in libraries.items()
        if then != now[name]
    ]


def installed(library: str) -> str:
    """Return the version of a library that is installed today, or `none`."""
    try:
        return version(library)
    except PackageNotFoundError:
        return "none"
