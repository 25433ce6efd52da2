"""The search index of a site, page by page.

Sphinx reads the words of pages that it does not write from the last index, which lacks some of what
pages feed to it and keeps words that are gone.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple


class Words(NamedTuple):
    """What one page feeds to the index."""

    file: str
    title: str
    titles: list[list[Any]]  # of its sections, each with its anchor
    entries: list[list[Any]]  # of the general index
    terms: list[str]
    title_terms: list[str]


def words(indexer: Any, pages: Iterable[str]) -> dict[str, Words]:
    """Return what those of these pages fed that have a title; others feed nothing."""
    terms, title_terms = _by_page(indexer._mapping), _by_page(indexer._title_mapping)
    return {
        page: Words(
            indexer._filenames[page],
            indexer._titles[page],
            [list(one) for one in indexer._all_titles[page]],
            [list(one) for one in indexer._index_entries.get(page, ())],
            terms.get(page, []),
            title_terms.get(page, []),
        )
        for page in pages
        if page in indexer._titles
    }


def _by_page(mapping: Mapping[str, set[str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for term in sorted(mapping):
        for page in mapping[term]:
            found.setdefault(page, []).append(term)
    return found


def fill(indexer: Any, pages: Mapping[str, Words]) -> None:
    """Make the index one of these pages, in which nothing is left of another build."""
    ordered = dict(sorted(pages.items()))
    indexer._filenames = {page: one.file for page, one in ordered.items()}
    indexer._titles = {page: one.title for page, one in ordered.items()}
    indexer._all_titles = {page: one.titles for page, one in ordered.items()}
    indexer._index_entries = {page: one.entries for page, one in ordered.items()}
    indexer._mapping = _by_term({page: one.terms for page, one in ordered.items()})
    indexer._title_mapping = _by_term({page: one.title_terms for page, one in ordered.items()})
    indexer._objtypes.clear()
    indexer._objnames.clear()


def _by_term(pages: Mapping[str, list[str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for page, terms in pages.items():
        for term in terms:
            found.setdefault(term, set()).add(page)
    return found
