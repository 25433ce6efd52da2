"""A method's name stands once, with colour, dash and spoken form; a wrong one is an error."""

import ast
from pathlib import Path

import nbformat
import pytest
from matplotlib.colors import to_hex

from book.report import figures, methods
from book.report.comparisons import Comparison
from book.report.intervals import Interval, mean_interval
from book.report.methods import BATCH_NORM, BATCH_NORM_INPUT, METHODS, Method, named, spoken
from models.specs import RunSpec

ROOT = Path(__file__).parents[3]
HOME = ROOT / "book" / "report" / "methods.py"
SOURCES = sorted(
    path for kind in ("*.py", "*.ipynb") for path in (ROOT / "book").rglob(kind) if path != HOME
)


def written_names(source: str) -> list[str]:
    """Method names that some code writes as text.

    Some are also schedules or fields of a run: `fields_in` are no methods.
    """
    tree = ast.parse(source)
    fields = fields_in(tree)
    return [node.value for node in texts_in(tree) if node.value in METHODS and node not in fields]


def fields_in(tree: ast.AST) -> list[ast.AST]:
    """A keyword's value (`schedule="triangular"`), a keyword's own name in its value
    (`dropout=choices["dropout"]`), a key that is a field's name (`{"dropout": 0.5}`), and a list
    of fields' names (`"norm", "dropout"`).
    """
    fields: list[ast.AST] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword):
            fields += [node.value, *(one for one in texts_in(node) if one.value == node.arg)]
        elif isinstance(node, ast.Dict):
            keys = [key for key in node.keys if isinstance(key, ast.Constant)]
            fields += [key for key in keys if key.value in RunSpec.model_fields]
        elif isinstance(node, (ast.Tuple, ast.List, ast.Set)):
            names = {one.value for one in texts_in(node)}
            if names <= RunSpec.model_fields.keys() and not names <= METHODS.keys():
                fields += texts_in(node)
    return fields


def texts_in(tree: ast.AST) -> list[ast.Constant]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Constant)]


def code_of(path: Path) -> str:
    if path.suffix == ".py":
        return path.read_text()
    cells = nbformat.read(path, as_version=4).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "code")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_and_no_cell_writes_a_methods_name(path):
    assert written_names(code_of(path)) == []


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ('results["batch norm"]', ["batch norm"]),
        ('compare(results, "both", "dropout")', ["both", "dropout"]),
        ('{"neither": base, "dropout": base.with_(dropout=0.5)}', ["neither"]),
        ('spec.with_(schedule="one-cycle"), {"dropout": 0.5}', []),
        ('RunSpec(dropout=choices["dropout"], lr=rates["dropout"])', ["dropout"]),
        ('("norm", "dropout"), ("neither", "dropout"), ["dropout"]', ["neither", *["dropout"] * 2]),
        ('"""A batch norm.\n\nboth"""\nresults[BOTH]', []),
    ],
)
def test_a_written_name_is_found(source, names):
    assert written_names(source) == names


def test_every_constant_is_registered_and_no_two_share_a_name():
    constants = [one for one in vars(methods).values() if isinstance(one, Method)]
    assert sorted(METHODS) == sorted(constants)
    assert all(METHODS[one.name] is one for one in constants)


def test_a_method_is_its_name():
    assert {"batch norm": 1}[BATCH_NORM] == 1
    assert f"{BATCH_NORM}, {BATCH_NORM!r}" == "batch norm, 'batch norm'"
    assert named("batch norm") is BATCH_NORM


def test_a_wrong_name_is_an_error_that_lists_the_right_ones():
    with pytest.raises(
        ValueError, match=r"expected a method, one of 'neither', .*; got 'bach norm'"
    ):
        named("bach norm")


@pytest.mark.parametrize(
    "draw",
    [
        lambda: figures.panels({"loss": {"bach norm": [[1.0, 0.5]]}}),
        lambda: figures.dots({"": {"bach norm": [0.5, 0.6, 0.7]}}, xlabel="accuracy"),
        lambda: figures.violins({"bach norm": {"conv1": [1.0]}}, ylabel="γ"),
        lambda: figures.sweep(figures.new()[1][0][0], [1], {"bach norm": [mean_interval([0.5])]}),
    ],
    ids=["panels", "dots", "violins", "sweep"],
)
def test_no_figure_gives_a_wrong_name_a_colour(draw):
    with pytest.raises(ValueError, match="got 'bach norm'"):
        draw()


def test_what_is_no_method_brings_its_own_colour():
    ax = figures.new()[1][0][0]
    rates = {"rates": [mean_interval([0.5])]}
    assert figures.sweep(ax, [1], rates, {"rates": "#123456"}) == [(0.5, "rates", "#123456")]
    with pytest.raises(KeyError, match="rates"):
        figures.sweep(ax, [1], rates, {"others": "#123456"})


def test_a_line_has_its_methods_colour_and_dash():
    (ax,) = figures.panels({"loss": {BATCH_NORM_INPUT: [[1.0, 0.5]]}}).axes
    (line,) = ax.lines
    assert to_hex(line.get_color()).upper() == BATCH_NORM_INPUT.colour
    assert line.get_linestyle() == BATCH_NORM_INPUT.dash == "--"


def test_a_sentence_calls_a_method_by_its_spoken_form_and_anything_else_by_its_name():
    assert spoken("one-cycle") == "the policy one-cycle"
    compared = Comparison("without bias", BATCH_NORM, Interval(0.01, 0.001, 3))
    assert compared.sentence.startswith("without bias is ")
    assert compared.sentence.endswith(" better than batch norm alone")
