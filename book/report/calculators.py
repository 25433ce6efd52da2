"""Calculators: numbers and curves of a page that change with what its reader enters.

Each is written from closed forms. The page has them as JavaScript, printed from the very
expressions that its tables are made of (`analysis.javascript`); the script that evaluates them is
`book/builder/static/calculator.js`. Where it does not run (in a notebook, or without JavaScript)
the numbers are those of the defaults; print leaves a calculator out.
"""

import json
from collections.abc import Iterable, Iterator
from html import escape
from string import Formatter

from sympy import Expr, sympify

from analysis.javascript import javascript_values
from analysis.notation import Calculation, Number
from book.builder.contrast import LIGHT, TEXT, in_the_dark, legible
from book.report.calculator_parts import Calculator, Cell, Input, Line, Panel, Words, written


def show(calculator: Calculator) -> None:
    """Display a calculator, in HTML alone; its cell is tagged `remove-input`."""
    from IPython.display import display

    aside = "% a calculator, which only the site has"
    display({"text/html": html(calculator), "text/markdown": aside}, raw=True)


def html(calculator: Calculator) -> str:
    """Return a calculator's form and its script."""
    return "\n".join(Form(calculator).parts()) + "\n"


class Form:
    """A form while it is written, with the closed forms that stand in it, each once."""

    def __init__(self, calculator: Calculator) -> None:
        self.calculator = calculator
        self.values: dict[Expr, int] = {}

    def parts(self) -> Iterator[str]:
        """Yield the form's parts in their order, and the script last."""
        one = self.calculator
        title = f"{one.name}-title"
        yield f'<form class="calculator" id="{one.name}" aria-labelledby="{title}">'
        yield f'<p class="calculator-title" id="{title}">{escape(one.title)}</p>'
        yield f"<p>{escape(one.note)}</p>"
        yield from self.fields()
        yield f'<output aria-live="polite"><span>{self.cell(one.said)}</span><span></span></output>'
        yield from self.table(title) if one.rows else ()
        yield from self.panels() if one.panels else ()
        yield "</form>"
        yield self.script()

    # What is entered

    def fields(self) -> Iterator[str]:
        """Yield the inputs that stand above the table, and what takes them back."""
        placed = {cell for row in self.calculator.rows for cell in row if isinstance(cell, Input)}
        yield '<div class="calculator-inputs" hidden>'
        for one in self.calculator.inputs:
            if one not in placed:
                value = f": {self.number(one.symbol, ',')}" if one.slider else ""
                label = f'<label for="{self.id(one)}">{escape(one.label)}{value}</label>'
                yield f"<div>{label}{self.field(one)}</div>"
        yield '<button type="reset">Reset</button>'
        yield "</div>"

    def id(self, one: Input) -> str:
        """Return the id of an input's element."""
        return f"{self.calculator.name}-{one.symbol}"

    def field(self, one: Input, more: str = "") -> str:
        """Return an input's element."""
        kind = "range" if one.slider else "number"
        step = "any" if one.step is None else f"{one.step:g}"
        least, most = min(one.least, one.default), max(one.most, one.default)
        limits = f'min="{least}" max="{most}" step="{step}" value="{one.default}"'
        named = f'id="{self.id(one)}" name="{one.symbol}"'
        return f'<input type="{kind}" {named} {limits} required{more}>'

    # What follows

    def table(self, title: str) -> Iterator[str]:
        """Yield the table; a row's first cell is its head."""
        yield '<div class="pst-scrollable-table-container">'
        yield f'<table class="table" aria-labelledby="{title}">'
        heads = (f'<th scope="col">{escape(one)}</th>' for one in self.calculator.headers)
        yield f"<thead><tr>{''.join(heads)}</tr></thead>"
        yield "<tbody>"
        for first, *others in self.calculator.rows:
            cells = "".join(f"<td>{self.cell(one)}</td>" for one in others)
            yield f'<tr><th scope="row">{self.cell(first)}</th>{cells}</tr>'
        yield "</tbody></table></div>"

    def cell(self, cell: Cell) -> str:
        """Return a cell, its numbers where the script finds them."""
        match cell:
            case str():
                return escape(cell)
            case Words():
                return self.filled(cell.template, cell.values)
            case Calculation():
                return self.calculation(cell)
            case Input():
                label = f' aria-label="{escape(cell.label)}" hidden'
                return f"<span>{written(cell.default)}</span>{self.field(cell, label)}"
            case tuple():
                return " × ".join(self.number(one, ",") for one in cell)
        return self.number(cell, ",")

    def calculation(self, shown: Calculation) -> str:
        """Return a calculation: its operands in their places, and what comes out."""
        result = self.number(shown.value, ",")
        left = self.filled(shown.template, shown.operands or (shown.value,))
        return result if left == result else f"{left} = {result}"

    def filled(self, template: str, values: Iterable[Number]) -> str:
        """Return a template with numbers in its places."""
        given, parts = iter(values), []
        for literal, name, form, _ in Formatter().parse(template):
            parts.append(escape(literal))
            if name is not None:
                parts.append(self.number(next(given), form or ","))
        return "".join(parts)

    def number(self, value: Number, form: str) -> str:
        """Return a number, for the script to find if it depends on an input."""
        value = sympify(value)
        text = written(value.xreplace(self.calculator.defaults), form)
        if not value.free_symbols:
            return text
        place = self.values.setdefault(value, len(self.values))
        return f'<span data-value="{place}" data-form="{form}">{text}</span>'

    def panels(self) -> Iterator[str]:
        """Yield the panels of curves."""
        yield '<div class="calculator-panels" hidden>'
        yield from map(self.panel, self.calculator.panels)
        yield "</div>"

    def panel(self, panel: Panel) -> str:
        """Return curves, their axes' ends, and what each is called; the script draws them."""
        paths = "".join(f"<path{_look(line)}></path>" for line in panel.lines)
        mark = '<path class="mark"></path>' if panel.mark else ""
        ends = f"<span>0</span><span>{self.number(panel.end, ',')}</span>"
        names = ", ".join(f"<span{_look(one)}>{escape(one.label)}</span>" for one in panel.lines)
        return (
            f"<figure><figcaption>{names}<br>{escape(panel.axes)}</figcaption>"
            f'<div class="top">{self.number(panel.top, ",.3g")}</div>'
            '<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">'
            f'{paths}{mark}</svg><div class="ends">{ends}</div></figure>'
        )

    # How it follows

    def script(self) -> str:
        """Return the script with all closed forms, where the page's script looks for them."""
        one = self.calculator
        panels = ",\n".join(map(self.panel_script, one.panels))
        parts = [
            f"values: {self.function(self.values)}",
            f"checks: {self.function(one.checks)}",
            f"reasons: {json.dumps([*one.checks.values()], ensure_ascii=False)}",
            f"panels: [{panels}]",
        ]
        made = ",\n".join(parts).replace("</", r"<\/")
        return f'<script>\n(window.calculators ??= {{}})["{one.name}"] = {{\n{made} }};\n</script>'

    def panel_script(self, panel: Panel) -> str:
        """Return a panel's closed forms: of its axes and its mark, and of its curves."""
        ends = self.function([panel.end, panel.top, *(panel.mark or ())])
        heights = self.function(line.height for line in panel.lines)
        return f'{{ place: "{panel.place}", ends: {ends},\nheights: {heights} }}'

    def function(self, values: Iterable[Number]) -> str:
        """Return a function of the inputs that gives a list of numbers."""
        return javascript_values(values, rounded=self.calculator.rounded)


def _look(line: Line) -> str:
    """Return the attributes that give a curve, and its name, a colour legible on each ground."""
    light, dark = legible(line.colour, LIGHT, TEXT), in_the_dark(line.colour, TEXT)
    dashed = ' class="dashed"' if line.dashed else ""
    return f'{dashed} style="--light:{light};--dark:{dark}"'
