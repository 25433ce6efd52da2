"""The house is in order: a ladder without a circle, a chapter's things its own, nothing too long.

Each claim is made of this repository, and the checker behind it is shown to fail: on small trees
with one fault each.
"""

import json
from pathlib import Path

import layout
import pytest

ROOT = Path(__file__).parents[1]


def test_no_modules_and_no_rooms_import_each_other_in_a_circle():
    assert layout.circles(ROOT) == []


def test_imports_go_down_the_ladder_only():
    assert layout.steps_up(ROOT) == []


def test_every_rung_of_the_ladder_is_there():
    assert layout.empty_rungs(ROOT) == []


def test_the_two_witnesses_and_the_builder_keep_to_themselves():
    assert layout.strangers(ROOT) == []


def test_a_chapters_own_module_is_imported_by_that_chapter_alone():
    assert layout.borrowed(ROOT) == []


def test_no_two_modules_of_a_package_bear_one_name():
    assert layout.same_stems(ROOT) == []


def test_functions_are_short():
    assert layout.long_functions(ROOT) == []


def test_modules_are_short():
    assert layout.long_modules(ROOT) == []


def test_the_paths_that_the_documents_name_exist():
    assert layout.lost_paths(ROOT) == []


# The checkers fail where they should

DOCUMENTS = {
    "README.md": "# A book\n\n## Where things are\n\n| `book/` | the book |\n\n## Licence\n",
    "CONTRIBUTING.md": "Specs stand in `models/specs.py`, see [README](README.md).\n",
}
TIDY = {
    **DOCUMENTS,
    "analysis/layers.py": "def side():\n    return 1\n",
    "book/report/tables.py": "import analysis.layers\nfrom models import specs\n",
    "book/regularization/dropout.py": "from book.report import tables\n",
    "book/regularization/dropout.ipynb": "from book.regularization import dropout\n",
    "book/regularization/exercises.ipynb": "from book.regularization import exercise_answers\n",
    "book/regularization/exercise_answers.py": "",
    "book/commands/verify.py": "from book.regularization.dropout import tables\n",
    "models/specs.py": "from models.networks.build import build\n",
    "models/networks/build.py": "def build():\n    pass\n",
}
LATE = "def late():\n    from {} import {}\n"
TYPED = "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    import {}\n"


def write(root, files):
    """A tree of these files; a notebook's text becomes its only cell."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".ipynb":
            cells = [{"cell_type": "markdown", "source": ["# Words"]}]
            text = json.dumps({"cells": [*cells, {"cell_type": "code", "source": [text]}]})
        path.write_text(text)
    return root


CHECKERS = (
    layout.circles,
    layout.steps_up,
    layout.strangers,
    layout.borrowed,
    layout.same_stems,
    layout.long_functions,
    layout.long_modules,
    layout.lost_paths,
)


@pytest.mark.parametrize("checker", CHECKERS, ids=lambda checker: checker.__name__)
def test_a_tidy_tree_has_no_fault(checker, tmp_path):
    assert checker(write(tmp_path, TIDY)) == []


FAULTS = {
    "two modules": (
        layout.circles,
        {"analysis/a.py": "import analysis.b", "analysis/b.py": "from analysis.a import x"},
        "modules in a circle: analysis.a ← analysis.b ← analysis.a",
    ),
    "two modules, one of them late, both relative": (
        layout.circles,
        {"analysis/a.py": "from . import b", "analysis/b.py": LATE.format(".a", "x")},
        "modules in a circle: analysis.a ← analysis.b ← analysis.a",
    ),
    "two modules, one of them for types": (
        layout.circles,
        {"analysis/a.py": "import analysis.b", "analysis/b.py": TYPED.format("analysis.a")},
        "modules in a circle: analysis.a ← analysis.b ← analysis.a",
    ),
    "two packages without a circle of modules": (
        layout.circles,
        {
            "models/data/a.py": "import models.runs.a",
            "models/runs/a.py": "",
            "models/runs/b.py": "import models.data.b",
            "models/data/b.py": "",
        },
        "rooms in a circle: models.data ← models.runs ← models.data",
    ),
    "up the ladder, late": (
        layout.steps_up,
        {"models/networks/a.py": LATE.format("models", "specs")},
        "models.networks.a imports models.specs, which is not below it",
    ),
    "up the ladder, from the package itself": (
        layout.steps_up,
        {"models/__init__.py": "from models.specs import build"},
        "models imports models.specs, which is not below it",
    ),
    "report imports a part": (
        layout.steps_up,
        {"book/report/a.py": "from book.regularization.dropout import x"},
        "book.report.a imports book.regularization.dropout, which is not below it",
    ),
    "a part's notebook imports another part": (
        layout.steps_up,
        {"book/learning_rate/cyclical.ipynb": "from book.regularization import dropout"},
        "book.learning_rate.cyclical.ipynb imports book.regularization.dropout, "
        "which is not below it",
    ),
    "the builder imports report": (
        layout.steps_up,
        {"book/builder/a.py": "import book.report.tables"},
        "book.builder.a imports book.report.tables, which is not below it",
    ),
    "a room without a place": (
        layout.steps_up,
        {"models/attic.py": ""},
        "models.attic stands on no rung of the ladder",
    ),
    "models imports analysis": (
        layout.strangers,
        {"models/specs.py": TYPED.format("analysis.layers")},
        "models.specs imports analysis.layers, but models knows nothing of analysis",
    ),
    "analysis imports models": (
        layout.strangers,
        {"analysis/layers.py": LATE.format("models.specs", "x")},
        "analysis.layers imports models.specs, but analysis knows nothing of models",
    ),
    "the builder imports models": (
        layout.strangers,
        {"book/builder/a.py": "from models import specs"},
        "book.builder.a imports models.specs, but book.builder knows nothing of models",
    ),
    "a chapter's notebook borrows a chapter's module": (
        layout.borrowed,
        {"book/regularization/concepts.ipynb": "from book.regularization import dropout"},
        "book.regularization.concepts.ipynb imports book.regularization.dropout, "
        "which is the chapter book.regularization.dropout's own",
    ),
    "a chapter's module borrows a module named in the singular": (
        layout.borrowed,
        {"book/regularization/dropout.py": LATE.format(".exercise_answers", "x")},
        "book.regularization.dropout imports book.regularization.exercise_answers, "
        "which is the chapter book.regularization.exercises's own",
    ),
    "what the part shares borrows a chapter's module": (
        layout.borrowed,
        {"book/regularization/shared.py": "import book.regularization.dropout"},
        "book.regularization.shared imports book.regularization.dropout, "
        "which is the chapter book.regularization.dropout's own",
    ),
    "two modules of one stem": (
        layout.same_stems,
        {"book/commands/tables.py": ""},
        "book.commands.tables and book.report.tables have one name",
    ),
    "a long function": (
        layout.long_functions,
        {"analysis/layers.py": "def long():\n" + "    x = 1\n" * layout.LONGEST},
        "analysis.layers.long has 36 lines, at most 35 are allowed",
    ),
    "a long method": (
        layout.long_functions,
        {"analysis/a.py": "class A:\n    async def f(self):\n" + "        x = 1\n" * 40},
        "analysis.a.f has 41 lines, at most 35 are allowed",
    ),
    "a high median": (
        layout.long_functions,
        {
            f"analysis/m{number}.py": "def f():\n" + "    x = 1\n" * layout.MEDIAN
            for number in range(4)
        },
        "the median function has 8 lines, at most 7 are allowed",
    ),
    "a high ninetieth percentile": (
        layout.long_functions,
        {
            "analysis/a.py": "def f():\n" + "    x = 1\n" * layout.NINE_OF_TEN,
            "analysis/b.py": "def f(): pass\n" * 6,
        },
        "more than a tenth of the functions have over 16 lines",
    ),
    "a long module, mostly words": (
        layout.long_modules,
        {"analysis/layers.py": '"""Words.\n' + "\n" * layout.MODULE + '"""\n'},
        "analysis.layers has 302 lines, at most 300 are allowed",
    ),
    "a folder that README names": (
        layout.lost_paths,
        {"README.md": DOCUMENTS["README.md"].replace("`book/`", "`book/attic/`")},
        "README.md names book/attic, which does not exist",
    ),
    "a file that CONTRIBUTING links": (
        layout.lost_paths,
        {"CONTRIBUTING.md": "See [the rules](RULES.md)."},
        "CONTRIBUTING.md names RULES.md, which does not exist",
    ),
    "a README that does not say where things are": (
        layout.lost_paths,
        {"README.md": "# A book\n"},
        'README.md has no section "Where things are"',
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named(fault, tmp_path):
    checker, files, named = FAULTS[fault]
    assert named in checker(write(tmp_path, TIDY | files))


def test_a_rung_where_nothing_stands_is_named(tmp_path):
    missing = layout.empty_rungs(write(tmp_path, TIDY))
    assert "there is no models.training" in missing
    assert "there is no models.specs" not in missing


def test_a_docstring_is_not_counted_as_lines_of_a_function(tmp_path):
    words = 'def f():\n    """Words.\n' + "\n" * 50 + '    """\n    return 1\n'
    (function,) = layout.functions(write(tmp_path, {"analysis/a.py": words}))
    assert function.lines == 2
