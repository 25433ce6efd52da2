"""What Sphinx does again and again for one answer, done once: half of a cold build's time."""

import gc
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.domains.std import StandardDomain
from sphinx.environment import BuildEnvironment


class ReadPages:
    """Sphinx's environment, which keeps each page it has read: to be looked at, never changed."""

    def __init__(self, env: BuildEnvironment) -> None:
        self._env = env
        self._pages: dict[tuple[str, int], Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._env, name)

    def get_doctree(self, docname: str) -> Any:
        """Return a page as it was last read."""
        when = docname, self._env.all_docs[docname]
        if when not in self._pages:
            self._pages[when] = self._env.get_doctree(docname)
        return self._pages[when]


class Numbered(StandardDomain):
    """Sphinx's own domain, which loads a page once, however many of its figures are referred to."""

    def __init__(self, env: BuildEnvironment) -> None:
        super().__init__(env)
        self.read: Any = ReadPages(env)

    def _resolve_numref_xref(self, env: BuildEnvironment, *arguments: Any) -> Any:
        return super()._resolve_numref_xref(self.read, *arguments)


def collect_later(app: Sphinx, config: Config) -> None:
    """Look for cycles rarely: a book's syntax trees live until it is built, and are many."""
    gc.set_threshold(200_000, 50, 1000)


def load_backend(app: Sphinx, builder: Any) -> None:
    """Name to pybtex what sphinxcontrib-bibtex asks it for at each citation.

    Else all installed packages would be looked at, each time.
    """
    if "sphinxcontrib.bibtex" in app.extensions:
        from pybtex.backends import plaintext
        from pybtex.plugin import register_plugin

        register_plugin("pybtex.backends", "plaintext", plaintext.Backend, force=True)


def setup(app: Sphinx) -> None:
    """Register what is done once."""
    app.add_domain(Numbered, override=True)
    app.connect("config-inited", collect_later)
    app.connect("write-started", load_backend)
