"""A page is written anew when what it shows of others has changed, and only then."""

import ast
from types import SimpleNamespace
from typing import NamedTuple

from docutils import nodes
from sphinx.util import FilenameUniqDict

from book.builder.shared import plain, put_in_order


class Place(NamedTuple):
    page: str
    line: int


def images(*added):
    found = FilenameUniqDict()
    for page, file in added:
        found.add_file(page, file)
    return found


def environment(citations, pictures, **kept):
    cite = {"citation_refs": [SimpleNamespace(docname=name) for name in citations]}
    return SimpleNamespace(
        all_docs={"a": 1, "b": 2}, domaindata={"cite": cite}, images=pictures, **kept
    )


def test_equal_things_have_one_text():
    assert plain({"a": 1, "b": {2, 3}}) == plain({"b": {3, 2}, "a": 1})
    assert plain([nodes.title(text="One")]) == plain([nodes.title(text="One")])
    assert plain(ast.parse("x")) == plain(ast.parse("x"))


def test_other_things_have_another_text():
    assert plain({"a": "1"}) != plain({"a": 1})
    assert plain([1, 2]) != plain([2, 1])
    assert plain(nodes.title(text="One")) != plain(nodes.title(text="Two"))


def test_a_line_that_moves_changes_nothing():
    assert plain(Place("a", 1)) == plain(Place("a", 2))
    assert plain(Place("a", 1)) != plain(Place("b", 1))


def test_what_was_read_last_stands_where_a_cold_build_has_it():
    cold = environment("ab", images(("a", "1/x.svg"), ("b", "2/x.svg")), titles={"a": 1, "b": 2})
    late = environment("ba", images(("b", "2/x.svg"), ("a", "1/x.svg")), titles={"b": 2, "a": 1})
    for env in (cold, late):
        put_in_order(env)
    assert list(cold.titles) == list(late.titles) == ["a", "b"]
    assert dict(cold.images) == dict(late.images)
    assert cold.images["2/x.svg"] == ({"b"}, "x1.svg")
    assert cold.domaindata == late.domaindata
