"""Where this book keeps its published records: an entry point declares it to `models.settings`."""

from pathlib import Path

PUBLISHED = Path(__file__).parent / "runs"
