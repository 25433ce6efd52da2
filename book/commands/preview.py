"""`python -m book preview`: the site in a browser, built and loaded again whenever you save.

sphinx-autobuild watches, serves and reloads; each build is a process of its own
(`book.commands.preview_build`), so that nothing that goes wrong in one ends the preview.
"""

import argparse
import contextlib
import importlib.util
import os
import re
import socket
import sys
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from book.builder.chapters import find_book, named
from book.builder.errors import BookError
from book.commands import building
from book.commands.preview_build import site_of
from models.cli import INTERRUPTED

HOST = "127.0.0.1"
IN_A_TERMINAL = ("elinks", "links", "lynx", "w3m", "www-browser")
#: What no build reads in a book: hidden things, what was built, and what editors leave.
IGNORED = r"(.*/)?(\.[^/]*|_build|__pycache__|node_modules|4913|[^/]*(~|\.py[co]|\.swp|\.tmp))(/|$)"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare what to show, and where."""
    only = "show this one; others are not executed, but shown as they were"
    command.add_argument("chapter", nargs="?", metavar="CHAPTER", help=only)
    where = "serve at this port (default: 8000)"
    command.add_argument("--port", type=port, default=8000, metavar="N", help=where)
    quiet = "open no browser"
    command.add_argument("--no-browser", action="store_true", help=quiet)


def port(text: str) -> int:
    """Return the number of a port.

    Raises:
        argparse.ArgumentTypeError: The text is none.
    """
    if not text.isdecimal() or not 0 < int(text) < 2**16:
        raise argparse.ArgumentTypeError(f"expected a port from 1 to 65535, got {text!r}")
    return int(text)


@dataclass(frozen=True)
class Builder:
    """Builds the preview, in a process of its own; sphinx-autobuild calls it in another."""

    root: Path
    docname: str

    def __call__(self, *, changed_paths: Sequence[Path]) -> None:
        """Build again, and go on whatever comes of it."""
        print(f"building again: {self.changed(changed_paths)} changed", flush=True)
        with contextlib.suppress(KeyboardInterrupt, SystemExit):  # the server ends by itself
            self.build()

    def changed(self, paths: Sequence[Path]) -> str:
        """Return the names of some of these files; of those that are still there, if any is."""
        there = [path for path in paths if path.exists()] or paths
        names = [os.path.relpath(path, self.root) for path in dict.fromkeys(there)]
        return ", ".join(names[:3])

    def build(self) -> None:
        """Build, in a process of its own, whose messages are the user's.

        Raises:
            SystemExit: The user interrupted it, as it has said.
        """
        command = [sys.executable, "-m", "book.commands.preview_build", self.docname]
        if building.call(command, self.root, {}) == INTERRUPTED:
            raise SystemExit(INTERRUPTED)


def main(options: argparse.Namespace) -> int:
    """Build and serve until the user interrupts.

    Raises:
        KeyboardInterrupt: The user did.
        BookError: The chapter is none, the port is taken, or sphinx-autobuild is not there.
    """
    if importlib.util.find_spec("sphinx_autobuild") is None:
        raise BookError("preview needs sphinx-autobuild: pip install sphinx-autobuild")
    book = find_book(Path.cwd())
    chapters = book.chapters()  # refuses what is no book
    docname = named(chapters, [options.chapter])[0].docname if options.chapter else ""
    builder, site = Builder(book.root, docname), site_of(book)
    with listening(options.port) as server:
        site.mkdir(parents=True, exist_ok=True)
        builder.build()
        address = f"http://{HOST}:{options.port}/{docname or first_page(book.root)}.html"
        print(f"serving {address}; Ctrl-C ends it", flush=True)
        if not options.no_browser:
            open_browser(address)
        serve(builder, site, server)
    raise KeyboardInterrupt  # nothing else ends the server


def listening(number: int) -> socket.socket:
    """Return a socket that listens at a port: a browser that comes early waits.

    Raises:
        BookError: It is taken or forbidden.
    """
    try:
        return socket.create_server((HOST, number))
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise BookError(
            f"cannot serve at port {number} ({reason}): give another with --port"
        ) from None


def open_browser(address: str) -> None:
    """Open a page in a browser that has a window of its own, where there is one."""
    with contextlib.suppress(webbrowser.Error):
        browser = webbrowser.get()
        if getattr(browser, "basename", "") not in IN_A_TERMINAL:
            browser.open(address)


def first_page(root: Path) -> str:
    """Return the name of the book's first page."""
    from sphinx_external_toc.parsing import parse_toc_yaml

    return str(parse_toc_yaml(root / "_toc.yml").root.docname)


def serve(builder: Builder, site: Path, server: socket.socket) -> None:
    """Serve the site, and build it again whenever a file of the book changes."""
    import uvicorn

    application = _application(builder, site, f"{HOST}:{server.getsockname()[1]}")
    uvicorn.Server(uvicorn.Config(application, log_level="error")).run([server])


def _application(builder: Builder, site: Path, host: str) -> Any:
    """Return what `sphinx-autobuild` itself serves, which has no way to name another builder."""
    from sphinx_autobuild.filter import IgnoreFilter
    from sphinx_autobuild.middleware import JavascriptInjectorMiddleware
    from sphinx_autobuild.server import RebuildServer
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.routing import Mount, WebSocketRoute
    from starlette.staticfiles import StaticFiles

    ignored = IgnoreFilter([], [f"^{re.escape(builder.root.as_posix())}/{IGNORED}"])
    watcher = RebuildServer([builder.root], ignored, change_callback=builder)
    return Starlette(
        routes=[
            WebSocketRoute("/websocket-reload", watcher),
            Mount("/", app=StaticFiles(directory=site, html=True)),
        ],
        middleware=[Middleware(JavascriptInjectorMiddleware, ws_url=host)],
        lifespan=watcher.lifespan,
    )
