"""What pages show of each other: titles, numbers, labels, citations, glued values."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.environment import BuildEnvironment

from book.builder import figure_of

#: What Sphinx knows of a whole book that a page shows of others, or is numbered by.
EVERYWHERE = (
    "titles",
    "longtitles",
    "tocs",
    "toc_num_entries",
    "toc_secnumbers",
    "toc_fignumbers",
    "toctree_includes",
)
#: Domains of which `get_objects` tells all that another page can show.
TOLD_BY_OBJECTS = {"c", "changeset", "cpp", "index", "js", "py", "rst", "std"}
ADDRESS = re.compile(r" at 0x[0-9a-f]+")  # of an object, in its text
PLACES = {"line", "lineno"}  # fields that move with a page's prose and that no page shows


def digest(env: BuildEnvironment, glue: Path) -> str:
    """Return a digest of all that a page may show of another one."""
    found = hashlib.sha256()
    for name in EVERYWHERE:
        found.update(plain(getattr(env, name)).encode())
    for name, domain in sorted(env.domains.items()):
        data = {} if name in TOLD_BY_OBJECTS else domain.data
        found.update(plain([name, sorted(map(plain, domain.get_objects())), data]).encode())
    renamed = {file: name for file, (_, name) in env.images.items() if Path(file).name != name}
    found.update(plain(renamed).encode())
    found.update(plain(figure_of.pictures(env)).encode())
    for path in sorted(glue.rglob("*.glue.json")):
        found.update(path.read_bytes())
    return found.hexdigest()[:32]


def plain(value: Any) -> str:
    """Return a text that is the same for equal values, whatever their order and address."""
    if isinstance(value, Mapping):
        return "\n".join(sorted(f"{plain(key)}: {plain(one)}" for key, one in value.items()))
    if isinstance(value, set | frozenset):
        return "\n".join(sorted(map(plain, value)))
    if isinstance(value, nodes.Node):
        return value.pformat()
    if hasattr(value, "_asdict"):  # a named tuple
        return plain({name: one for name, one in value._asdict().items() if name not in PLACES})
    if isinstance(value, list | tuple):
        return repr([plain(one) for one in value])
    return ADDRESS.sub("", repr(value))


def put_in_order(env: BuildEnvironment) -> None:
    """Put what Sphinx keeps by page in the order in which a cold build reads the pages.

    Numbers and names are given in that order.
    """
    cited = env.domaindata.get("cite", {})
    cited.get("citation_refs", []).sort(key=lambda reference: reference.docname)
    for kept in [*_by_page(env), cited.get("bibliographies", {})]:
        ordered = sorted(kept.items())
        kept.clear()
        kept.update(ordered)
    rename(env.images)


def _by_page(env: BuildEnvironment) -> Iterator[dict[Any, Any]]:
    for value in vars(env).values():
        if type(value) is dict and value.keys() <= env.all_docs.keys():
            yield value


def rename(images: Any) -> None:
    """Name images anew of which two have one name: by their order, not by when they were read."""
    pages = {file: docnames for file, (docnames, _) in sorted(images.items())}
    images.clear()
    images._existing.clear()
    for file, docnames in pages.items():
        for docname in docnames:
            images.add_file(docname, file)
