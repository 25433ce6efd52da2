"""What a chapter uses of modules: never less than it executes, and not much more."""

import contextlib
import importlib
import io
import re
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from book.builder import uses


def changed(root, files, edits, *cells):
    """The modules of which a chapter of these cells uses something else after the edits.

    All `files` are imported, those that are edited only if they were there before.
    """
    before = digests(write(root / "before", files), files, *cells)
    after = digests(write(root / "after", {**files, **edits}), files, *cells)
    return {path for path in before if before[path] != after.get(path)}


def digests(root, paths, *cells):
    return uses.digests(cells, {path: root / path for path in paths if (root / path).exists()})


def write(root, files):
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


TIDES = {
    "tides/__init__.py": '"""Tides."""\n\nfrom tides.heights import highest\n',
    "tides/heights.py": """\
import math

METRES = 2
FEET = 3


def highest(low):
    return low + _range()


def _range():
    return METRES * math.pi


def lowest():
    return FEET
""",
}
CELL = "from tides import highest\n\nhighest(3)"


def edited(files, path, old, new):
    assert old in files[path]
    return {path: files[path].replace(old, new)}


# What a chapter doesn't use does not count


UNUSED = {
    "an unused function": "\n\ndef more():\n    return lowest()\n",
    "an unused class": "\n\nclass More:\n    def rise(self):\n        return lowest()\n",
    "an unused constant": "\nMORE = METRES + 1\n",
    "an unused import of Python's own": "\nimport json\n",
    "a comment": "\n# a comment\n",
    "a guarded script": "\nif __name__ == '__main__':\n    print(lowest())\n",
    "an import for types": "\nimport typing\n\nif typing.TYPE_CHECKING:\n    import sea\n",
    "an unused dataclass": "\nimport dataclasses as d\n\n@d.dataclass\nclass M:\n    x: int = 1\n",
    "an unused cached function": "\nimport functools\n\n@functools.cache\ndef more():\n    pass\n",
    "an unused call for a value": "\nMORE = highest(2)\n",
    "an import of the book's own": "\nfrom tides import heights\n",
}


@pytest.mark.parametrize("text", UNUSED.values(), ids=UNUSED)
def test_what_is_appended_and_not_used_does_not_count(text, tmp_path):
    edits = {"tides/heights.py": TIDES["tides/heights.py"] + text}
    assert changed(tmp_path, TIDES, edits, CELL) == set()


MEANINGLESS = {
    "an unused function's body": ("return FEET", "return FEET + 1"),
    "an unused constant's value": ("FEET = 3", "FEET = 4"),
    "a docstring": ("def highest(low):", 'def highest(low):\n    """Tell."""'),
    "layout": ("METRES * math.pi", "(METRES  # m\n        * math.pi)"),
    "the order of definitions": (
        "METRES = 2\nFEET = 3\n",
        "FEET = 3\n\ndef lowest():\n    return FEET\n\nMETRES = 2\n",
    ),
}


@pytest.mark.parametrize(("old", "new"), MEANINGLESS.values(), ids=MEANINGLESS)
def test_what_changes_no_meaning_does_not_count(old, new, tmp_path):
    if old.startswith("METRES"):
        text = TIDES["tides/heights.py"].replace("def lowest():\n    return FEET\n", "")
        edits = {"tides/heights.py": text.replace(old, new)}
    else:
        edits = edited(TIDES, "tides/heights.py", old, new)
    assert changed(tmp_path, TIDES, edits, CELL) == set()


# What it uses does


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("low + _range()", "low - _range()"),
        ("METRES * math.pi", "METRES * 3"),
        ("METRES = 2", "METRES = 1"),
        ("import math", "import cmath as math"),
        ("METRES = 2\n", "METRES = 2\nMETRES += 1\n"),
        ("def _range():\n    return METRES * math.pi\n", ""),
    ],
)
def test_what_a_reexported_function_leads_to_counts(old, new, tmp_path):
    edits = edited(TIDES, "tides/heights.py", old, new)
    assert changed(tmp_path, TIDES, edits, CELL) == {"tides/heights.py"}


def test_another_reexport_of_the_same_name_counts(tmp_path):
    files = {**TIDES, "tides/other.py": "def highest(low):\n    return low\n"}
    edits = {"tides/__init__.py": "from tides.other import highest\n"}
    assert "tides/__init__.py" in changed(tmp_path, files, edits, CELL)


WAYS = {
    "its name": "from a.b import f\nf()",
    "another name": "from a.b import f as g\ng()",
    "a module's other name": "import a.b as x\nx.f()",
    "a full name": "import a.b\na.b.f()",
    "its package": "from a import b\nb.f()",
    "an import in a function": "def g():\n    from a.b import f\n    return f()\n\ng()",
    "an import of the module in a function": "def g():\n    import a.b\n    return a.b.f()\n\ng()",
    "a lambda": "from a import b\n(lambda: b.f)()",
    "a comprehension": "from a import b\n[b.f() for _ in range(2)]",
    "a decorator": "from a import b\n@b.f\ndef g(): pass",
    "a star": "from a.b import *\nf()",
    "a magic that takes the time": "%time from a.b import f\nf()",
    "a cell's magic": "%%time\nfrom a.b import f\nf()",
    "a base": "from a import b\nclass C(b.f): pass",
    "a default": "from a import b\ndef g(x=b.f): pass",
    "a global": "def g():\n    global f\n    from a.b import f\n\ng()\nf()",
    "a loop": "from a import b\nfor i in b.f(): pass",
    "a name that a class has too": "from a.b import f\nclass C:\n    f = 1\n    g = lambda _: f()",
    "a match": "from a import b\nmatch 1:\n    case b.f: pass",
    "a walrus": "from a import b\n[x := b.f]",
    "an f-string": "from a import b\nf'{b.f()}'",
    "a class": "class C:\n    from a.b import f\n    x = f()",
    "a try": "try:\n    from a.b import f\nexcept ImportError:\n    f = None\nf()",
}


@pytest.mark.parametrize("cell", WAYS.values(), ids=WAYS)
def test_a_name_is_followed_however_it_is_imported(cell, tmp_path):
    files = {"a/__init__.py": "", "a/b.py": "def f():\n    return 1\n\ndef g():\n    return 2\n"}
    mine = edited(files, "a/b.py", "return 1", "return 3")
    other = edited(files, "a/b.py", "return 2", "return 4")
    assert changed(tmp_path / "f", files, mine, cell) == {"a/b.py"}
    assert changed(tmp_path / "g", files, other, cell) == set()


LEADS = {
    "a method's helper": "g = 1\n\nclass f:\n    def method(self):\n        return g\n",
    "a decorator": "def around(g):\n    return 1\n\n@around\ndef f():\n    pass\n",
    "a base class": "class Base:\n    x = 1\n\nclass f(Base):\n    pass\n",
    "a default": "ONE = 1\n\ndef f(x=ONE):\n    return x\n",
    "a keyword's default": "ONE = 1\n\ndef f(*, x=ONE):\n    return x\n",
    "a dataclass's default": (
        "from dataclasses import dataclass\nONE = 1\n\n@dataclass\nclass f:\n    x: int = ONE\n"
    ),
    "an annotation": "class Kind:\n    x = 1\n\ndef f(x: Kind):\n    pass\n",
    "a written annotation": "class Kind:\n    x = 1\n\ndef f(x: 'list[Kind]'):\n    pass\n",
    "a name in a text": "class Kind:\n    x = 1\n\ndef f():\n    return pick('Kind')\n",
    "all that globals gives": "def g():\n    return 1\n\ndef f():\n    return globals()[x]\n",
    "a table": "def g():\n    return 1\n\nTABLE = {'g': g}\n\ndef f(x):\n    return TABLE[x]()\n",
    "a case of a dispatched function": (
        "from functools import singledispatch\n\n@singledispatch\ndef f(x):\n    pass\n\n"
        "@f.register\ndef _(x: int):\n    return 1\n"
    ),
    "an assignment to it": "def f():\n    return 0\n\nf.x = 1\n",
    "a condition": "if True:\n    def f():\n        return 1\nelse:\n    f = None\n",
    "an inner function": "ONE = 1\n\ndef f():\n    def g():\n        return ONE\n    return g()\n",
    "a class in a function": "ONE = 1\n\ndef f():\n    class C:\n        x = ONE\n    return C\n",
    "the second of two": "def f():\n    return 0\n\ndef f():\n    return 1\n",
    "a deleted name's next": "f = 0\ndel f\nf = 1\n",
    "unpacking": "f, g = 1, 2\n",
    "a chained assignment": "g = f = 1\n",
    "a name that a comprehension has too": "x = 1\n\ndef f():\n    return [x for x in [2]], x\n",
    "the first loop of a comprehension": "x = [1]\n\ndef f():\n    return [x for x in x]\n",
    "a global that a function sets": "x = 1\n\ndef f():\n    global x\n    x = x + 2\n",
    "an attribute of a constant": "x = {1: 1}\n\ndef f():\n    return x.items()\n",
}


@pytest.mark.parametrize("text", LEADS.values(), ids=LEADS)
def test_a_name_leads_on(text, tmp_path):
    files = {"a.py": text}
    edits = {"a.py": re.sub(r"\b1\b", "5", text)}
    assert changed(tmp_path, files, edits, "import a\na.f()") == {"a.py"}


EFFECTS = {
    "a statement": "register(1)\n",
    "a loop": "for x in range(1):\n    pass\n",
    "a registry": "from b import KNOWN\n\n@KNOWN.append\ndef f():\n    return 1\n",
    "a decorator of the book": "from b import rule\n\n@rule\ndef f():\n    return 1\n",
    "a called decorator": "from b import rules\n\n@rules(1)\ndef f():\n    pass\n",
    "a library's decorator": "import click\n\n@click.command\ndef f():\n    return 1\n",
    "an object's decorator": "import lib\n\nIT = lib.App()\n\n@IT.route\ndef f():\n    return 1\n",
    "a patch": "import b\n\ndef f():\n    return 1\n\nb.known = f\n",
    "an item": "import b\n\nb.TABLE['x'] = 1\n",
    "a set attribute": "import b\n\nsetattr(b, 'known', 1)\n",
    "an assigned call that acts": "from b import note\n\nX = note(1)\n",
    "an assigned call that leads to one": "from b import note\n\nG = lambda: note(1)\n\nX = G()\n",
    "an assigned call of a method that acts": "from b import KNOWN\n\nX = KNOWN.pop(1)\n",
    "a generator's seed": "import numpy as np\n\nX = np.random.seed(1)\n",
    "a default that acts": "from b import note\n\ndef f(x=note(1)):\n    pass\n",
    "a class body that acts": "from b import note\n\nclass A:\n    x = note(1)\n",
    "a watched class": "from b import Watched\n\nclass A(Watched):\n    x = 1\n",
    "a class of a watched class": "from b import Child\n\nclass A(Child):\n    x = 1\n",
    "a metaclass": "from b import Meta\n\nclass A(metaclass=Meta):\n    x = 1\n",
    "a descriptor": "from b import Field\n\nclass A:\n    x = Field()\n    y = 1\n",
    "an augmented table": "from b import KNOWN\n\nKNOWN += [1]\n",
    "an assertion": "import b\n\nassert b.set_up(1)\n",
    "a context": "import b\n\nwith b.set_up(1):\n    pass\n",
    "what is tried": "try:\n    x = 1\nexcept Exception:\n    pass\n",
    "a case of a dispatched function with more to it": (
        "from functools import singledispatch\nfrom b import rule\n\n@singledispatch\ndef f(x):\n"
        "    pass\n\n@f.register\n@rule\ndef _(x: int):\n    return 1\n"
    ),
    "a library for its effect": "import lib1\n",
}
OTHER = """\
KNOWN = []
TABLE = {}


def rule(function):
    KNOWN.append(function)
    return function


def rules(number):
    return rule


def note(number):
    TABLE["last"] = number
    return number


class Watched:
    def __init_subclass__(cls):
        KNOWN.append(cls)


class Child(Watched):
    pass


class Meta(type):
    pass


class Field:
    def __set_name__(self, owner, name):
        KNOWN.append(name)
"""


@pytest.mark.parametrize("text", EFFECTS.values(), ids=EFFECTS)
def test_what_importing_a_module_does_counts_though_no_name_of_it_is_used(text, tmp_path):
    files = {"a.py": text, "b.py": OTHER}
    edits = {"a.py": text.replace("lib1", "lib2") if "lib1" in text else text.replace("1", "2")}
    assert changed(tmp_path, files, edits, "import a, b\nb.rule(print)") == {"a.py"}


def test_what_importing_a_module_leads_to_counts(tmp_path):
    files = {"a.py": "from b import note\n\nnote(1)\n", "b.py": OTHER}
    edits = edited(files, "b.py", '["last"]', '["first"]')
    assert changed(tmp_path, files, edits, "import a") == {"b.py"}


def test_an_import_that_is_taken_away_counts_where_it_did_something(tmp_path):
    files = {"a.py": "import b\nimport c\n", "b.py": "print(1)\n", "c.py": "def f():\n    pass\n"}
    assert changed(tmp_path, files, {"a.py": "import c\n"}, "import a") == {"b.py"}


def test_a_new_module_counts_where_its_import_does_something(tmp_path):
    files = {"a.py": ""}
    new = "import new\n"
    quiet = {"a.py": new, "new.py": "def f():\n    pass\n"}
    loud = {"a.py": new, "new.py": "import os\n\nos.umask(0)\n"}
    assert changed(tmp_path / "quiet", files, quiet, "import a") == set()
    assert changed(tmp_path / "loud", files, loud, "import a") == {"a.py"}


def test_a_definition_that_moves_below_its_use_counts(tmp_path):
    helper = "def g():\n    return 1\n\n"
    files = {"a.py": helper + "X = g()\n"}
    assert changed(tmp_path, files, {"a.py": "X = g()\n\n" + helper}, "import a\na.X") == {"a.py"}


def test_a_name_that_an_import_no_longer_finds_counts(tmp_path):
    files = {"a.py": "from b import f, g\n", "b.py": "def f():\n    pass\n\ndef g():\n    pass\n"}
    edits = {"b.py": "def f():\n    pass\n"}
    assert changed(tmp_path, files, edits, "import a\na.f()") == {"a.py"}


def test_a_cells_own_function_hides_no_others_and_follows_none(tmp_path):
    files = {"a.py": "def mean():\n    return 1\n\ndef f():\n    return 2\n"}
    cell = "import a\n\ndef mean():\n    return a.f()\n\nmean()"
    assert changed(tmp_path / "1", files, edited(files, "a.py", "1", "3"), cell) == set()
    assert changed(tmp_path / "2", files, edited(files, "a.py", "2", "4"), cell) == {"a.py"}


def test_modules_that_import_each_other_are_followed(tmp_path):
    files = {
        "a.py": "import b\n\ndef f():\n    return b.g()\n\ndef h():\n    return 1\n",
        "b.py": "import a\n\ndef g():\n    return a.h()\n\ndef k():\n    return 2\n",
    }
    cell = "from a import f\nf()"
    assert changed(tmp_path / "1", files, edited(files, "a.py", "1", "3"), cell) == {"a.py"}
    assert changed(tmp_path / "2", files, edited(files, "b.py", "2", "3"), cell) == set()


def test_reexports_in_a_circle_end(tmp_path):
    files = {"a.py": "from b import *\n", "b.py": "from a import *\n"}
    assert changed(tmp_path, files, {"b.py": "f = 1\n"}, "import a\na.f") == {"b.py"}


def test_a_module_and_a_function_of_one_name_are_told_apart_where_that_is_certain(tmp_path):
    files = {
        "a/__init__.py": "from a.field import field\n",
        "a/field.py": "def field():\n    return 1\n\ndef other():\n    return 2\n",
    }
    other = edited(files, "a/field.py", "2", "3")
    assert changed(tmp_path / "1", files, other, "import a\na.field()") == set()
    assert changed(tmp_path / "2", files, other, "import a.field as m\nm.other()") == {"a/field.py"}


# Where syntax can't tell, a module counts whole

WHOLE = {
    "a module as a value": "import a\nprint(a)",
    "a name that is computed": "import a\ngetattr(a, 'g' + str(1))",
    "a module loaded by name": "import importlib\nimportlib.import_module('a').g1()",
    "a computed name of a module": "import a, importlib\nimportlib.import_module(chr(97))",
    "all modules": "import sys, a\nsys.modules[chr(97)].g1()",
    "a text that is executed": "from a import *\nexec('g' + '1()')",
    "a magic that runs a file": "import a\n%run other.py",
    "a shell": "import a\n!python -c 'import a'",
    "a module's names": "import a\na.__dict__['g1']",
    "a pickle": "import a, pickle\npickle.loads(b'')",
    "its source": "import a, inspect\ninspect.getsource(a.f)",
    "what was loaded by something else": "print(1)",
    "IPython itself": "import a\nget_ipython().run_cell('a.g1()')",
    "no Python": "import a\nthis is no Python",
    "subclasses": "import a\nobject.__subclasses__()",
}


@pytest.mark.parametrize("cell", WHOLE.values(), ids=WHOLE)
def test_what_cannot_be_told_counts_whole(cell, tmp_path):
    files = {"a.py": "def f():\n    return 0\n\ndef g1():\n    return 1\n"}
    assert changed(tmp_path, files, edited(files, "a.py", "return 1", "return 2"), cell) == {"a.py"}


def test_a_package_that_loads_its_names_late_counts_whole(tmp_path):
    late = (
        "from importlib import import_module\n\n\ndef __getattr__(name):\n"
        "    return getattr(import_module(f'{__name__}.b'), name)\n"
    )
    files = {"a/__init__.py": late, "a/b.py": "def f():\n    return 1\n", "c.py": "x = 1\n"}
    cell = "import c\nfrom a import f\nf()"
    assert changed(tmp_path / "b", files, edited(files, "a/b.py", "1", "2"), cell) == {"a/b.py"}
    assert changed(tmp_path / "c", files, edited(files, "c.py", "1", "2"), cell) == set()


def test_a_half_typed_module_counts_and_stops_nothing(tmp_path):
    edits = {"tides/heights.py": "def highest(:\n"}
    assert "tides/heights.py" in changed(tmp_path, TIDES, edits, CELL)


def test_modules_below_a_folder_that_is_no_package_are_found(tmp_path):
    files = {"src/tides/__init__.py": "", "src/tides/a.py": "def f():\n    return 1\n\ng = 2\n"}
    cell = "from tides.a import f\nf()"
    used = edited(files, "src/tides/a.py", "1", "3")
    assert changed(tmp_path / "1", files, used, cell) == {"src/tides/a.py"}
    assert changed(tmp_path / "2", files, edited(files, "src/tides/a.py", "2", "3"), cell) == set()


def test_folders_without_an_init_are_found(tmp_path):
    files = {"tides/deep/a.py": "def f():\n    return 1\n\ng = 2\n"}
    for cell in ("import tides.deep.a\ntides.deep.a.f()", "from tides.deep import a\na.f()"):
        used = edited(files, "tides/deep/a.py", "1", "3")
        assert changed(tmp_path / cell[:4] / "1", files, used, cell) == {"tides/deep/a.py"}
        other = edited(files, "tides/deep/a.py", "2", "3")
        assert changed(tmp_path / cell[:4] / "2", files, other, cell) == set()


def test_the_order_in_which_modules_act_counts(tmp_path):
    files = {"a.py": "import b\nimport c\n", "b.py": "print(1)\n", "c.py": "print(2)\n"}
    assert changed(tmp_path, files, {"a.py": "import c\nimport b\n"}, "import a") == {
        "b.py",
        "c.py",
    }


# Against the truth: random packages, executed

FREELY = settings(
    max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None
)

NAMES = "abcd"
MODULES = {"p/one.py": "p.one", "p/two.py": "p.two", "p/three.py": "p.three"}
VALUE = "(lambda it: it() if callable(it) else it)"

names = st.sampled_from(NAMES)
numbers = st.integers(10, 99)


@st.composite
def expressions(draw, known):
    """A number, perhaps with what a known name gives."""
    number = draw(numbers)
    if not known or draw(st.booleans()):
        return str(number)
    return f"str({number}) + str({VALUE}({draw(st.sampled_from(sorted(known)))}))"


@st.composite
def statements(draw, known, others):
    """A statement at the top of a module that binds a name or acts.

    It may use `known` names, and those of `others`, by module.
    """
    name, value = draw(names), draw(expressions(known))
    target = draw(st.sampled_from(sorted(others))) if others else None
    forms = {
        "constant": f"{name} = {value}",
        "function": f"def {name}():\n    return {value}",
        "default": f"def {name}(x={value}):\n    return x",
        "inner": f"def {name}():\n    def g():\n        return {value}\n    return g()",
        "class": f"class {name}:\n    def __call__(self):\n        return {value}",
        "object": f"class Made:\n    def __call__(self):\n        return {value}\n{name} = Made()",
        "data": (
            f"import dataclasses\n@dataclasses.dataclass\nclass {name}:\n    x: object = {value}\n"
            "    def __call__(self):\n        return self.x"
        ),
        "condition": f"if {draw(numbers)} > 50:\n    {name} = {value}\nelse:\n    {name} = 0",
        "global": f"def g():\n    global {name}\n    {name} = {value}\n{name} = g()",
        "comprehension": f"{name} = [str({value}) for {draw(names)} in [1]]",
        "table": f"T = {{'x': {value}}}\n{name} = T.get('x')",
        "text": f"def {name}():\n    return str(globals()['a' + '']) + str({value})",
    }
    if target:
        imported = draw(st.sampled_from(sorted(others[target])))
        forms |= {
            "from": f"from {target} import {imported} as {name}",
            "module": f"import {target} as m\ndef {name}():\n    return {VALUE}(m.{imported})",
            "full name": f"import {target}\n{name} = lambda: {VALUE}({target}.{imported})",
            "late": (
                f"def {name}():\n    from {target} import {imported}\n"
                f"    return {VALUE}({imported})"
            ),
            "star": f"from {target} import *",
            "patch": f"import {target} as m\nm.{imported} = {value}",
            "computed": (
                f"import {target} as m\ndef {name}():\n    return {VALUE}(getattr(m, {imported!r}))"
            ),
            "register": f"import {target} as m\nm.KNOWN.append({value})",
            "known": f"import {target} as m\ndef {name}():\n    return str(m.KNOWN)",
            "decorator": f"import {target} as m\n@m.rule\ndef {name}():\n    return {value}",
            "subclass": f"import {target} as m\nclass Made(m.Watched):\n    x = {value}",
        }
    return name, forms[draw(st.sampled_from(sorted(forms)))]


SHARED = """\
a = 10
KNOWN = []
def rule(it):
    KNOWN.append(it())
    return it
class Watched:
    def __init_subclass__(cls):
        KNOWN.append(cls.x)
"""


@st.composite
def books(draw):
    """Files of a package in which each module uses those before it, and a chapter's cells."""
    files, known = {}, {}
    for path, module in MODULES.items():
        text, others = SHARED, dict(known)
        known[module] = {"a"}
        for _ in range(draw(st.integers(1, 5))):
            name, statement = draw(statements(known[module], others))
            known[module].add(name)
            text += statement + "\n"
        files[path] = text
    late = draw(st.sampled_from(["", "from p.one import *\n", "from .three import KNOWN\n"]))
    return {"p/__init__.py": late, **files}, [draw(cells(known)) for _ in range(3)]


@st.composite
def cells(draw, known):
    """A cell that prints what a name of a module gives."""
    module = draw(st.sampled_from(sorted(known)))
    name = draw(st.sampled_from(["KNOWN", draw(st.sampled_from(sorted(known[module])))]))
    ways = (
        f"from {module} import {name}\nprint({VALUE}({name}))",
        f"import {module} as m\nprint({VALUE}(m.{name}))",
        f"import {module}\nprint({VALUE}({module}.{name}))",
        f"from {module} import *\nprint({VALUE}({name}))",
    )
    return draw(st.sampled_from(ways))


def executed(root, cells):
    """What a chapter's cells print, and the files of the modules that they import."""
    said, scope = io.StringIO(), {"__name__": "__main__"}
    sys.dont_write_bytecode = True  # two edits in a second would look alike to it
    importlib.invalidate_caches()
    sys.path.insert(0, str(root))
    try:
        with contextlib.redirect_stdout(said):
            for cell in cells:
                try:
                    exec(cell, scope)
                except Exception as error:
                    print(type(error).__name__)
        files = [Path(one.__file__) for name, one in sys.modules.items() if _is_of_p(name)]
    finally:
        sys.path.remove(str(root))
        for name in [*filter(_is_of_p, sys.modules)]:
            del sys.modules[name]
    return re.sub(r" at 0x\w+", "", said.getvalue()), [str(one.relative_to(root)) for one in files]


def _is_of_p(name):
    return name.partition(".")[0] == "p"


@pytest.mark.slow
@FREELY
@given(books())
def test_each_edit_that_changes_what_a_chapter_prints_is_seen(tmp_path_factory, book):
    root, (files, cells) = tmp_path_factory.mktemp("truth"), book
    printed, imported = executed(write(root, files), cells)
    assume("Error" not in printed)
    before = digests(root, imported, *cells)
    for path, text in files.items():
        for place in re.finditer(r"\b\d\d\b", text):
            other = str((int(place[0]) + 41) % 90 + 10)
            write(root, {path: text[: place.start()] + other + text[place.end() :]})
            after = digests(root, imported, *cells)
            assert after != before or executed(root, cells)[0] == printed
        write(root, {path: text})


@pytest.mark.slow
@FREELY
@given(books())
def test_a_function_that_is_appended_is_not(tmp_path_factory, book):
    root, (files, cells) = tmp_path_factory.mktemp("unused"), book
    assume(not any(word in text for word in ("getattr", "globals") for text in files.values()))
    printed, imported = executed(write(root, files), cells)
    assume("Error" not in printed)
    before = digests(root, imported, *cells)
    more = {path: f"{text}\ndef unused():\n    return a\n" for path, text in files.items()}
    assert digests(write(root, more), imported, *cells) == before
