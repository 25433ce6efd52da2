"""What the reader reads, and what makes it a site: chapters, figures, tables and the builder."""

from pathlib import Path

#: Folder of the published records; an entry point declares it to `models.settings`.
PUBLISHED = Path(__file__).parent / "runs"
