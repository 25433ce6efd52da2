"""Where this book keeps its runs: `PUBLISHED` is also what it declares to `models.settings`."""

from pathlib import Path

from models.runs.store import Store
from models.settings import Settings

PUBLISHED = Path(__file__).parent / "runs"


def store() -> Store:
    """Return the store of this book's runs: the user's own, and those that it has published.

    `CONVBOOK_RUNS` names other published ones.
    """
    settings = Settings.from_environment()
    return Store(settings.cache, settings.published or PUBLISHED)
