"""Where this book looks for runs."""

from book import PUBLISHED
from models.runs.store import Store
from models.settings import Settings


def store() -> Store:
    """Return the store of this book's runs: the user's own, and those that it has published.

    `CONVBOOK_RUNS` names other published ones.
    """
    settings = Settings.from_environment()
    return Store(settings.cache, settings.published or PUBLISHED)
