"""Calculators: a page's script gives what sympy and the trainings give, and tells what is wrong."""

import json
import random
from pathlib import Path

import pytest
from browser import MISSING, browser
from sympy import Symbol, sympify

import analysis
from book.architectures import any_size, inception_calculator, receptive_field_calculator
from book.learning_rate import batch_size_calculator, cyclical_calculator
from book.report.calculator_parts import Calculator, Input, Words
from book.report.calculators import Form, html
from models.rates import every_rate
from models.specs import RunSpec

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "book" / "builder" / "static" / "calculator.js"
SIZE = {"height": 32, "width": 32, "channels": 256}
FILTERS = {"filters_1x1": 128, "filters_3x3": 192, "filters_5x5": 96}
REDUCTIONS = {"reduce_3x3": 64, "reduce_5x5": 64, "project_pool": 64}
X = Symbol("x", integer=True, positive=True)
FORMS = Calculator(
    "calc-forms",
    "Every form of a number",
    "",
    (Input(X, "x", 1_234_567, 1, 10**7),),
    Words("{} {:,} {:,.2f}, {:.1%}, {:,.3g}, {:,.3g}", (X, -X, X / 3, X / 10**7, X / 10, 1 / X)),
)
CALCULATORS = {
    one.name: one
    for one in (
        any_size.alexnet_calculator(227, 227, 3, 1000),
        any_size.vgg19_calculator(224, 224, 3, 1000),
        receptive_field_calculator.calculator(5, 3, 32),
        inception_calculator.calculator(SIZE, FILTERS, REDUCTIONS),
        cyclical_calculator.calculator(0.001, 0.1, 156, 0.9985, 1560),
        batch_size_calculator.calculator(0.1, 10_000, 32, 0.9),
        FORMS,
    )
}
needs_chromium = pytest.mark.skipif(MISSING, reason="needs Chromium: apt-get install chromium")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """All calculators on one page in a browser, as a site has them."""
    folder = tmp_path_factory.mktemp("page")
    forms = '<meta charset="utf-8">' + "".join(map(html, CALCULATORS.values()))
    script = f'<script src="{SCRIPT.as_uri()}"></script>'
    (folder / "page.html").write_text(forms + script, encoding="utf-8")
    (folder / "still.html").write_text(forms, encoding="utf-8")
    with browser(folder / "browser") as opened:
        opened.folder = folder
        opened.open((folder / "page.html").as_uri())
        yield opened


def draw(calculator, chance):
    """Random inputs within their limits, by name; small ones are as likely as large ones."""
    return {str(one.symbol): _number(one, chance) for one in calculator.inputs}


def _number(one, chance):
    least = max(one.least, 1e-4)
    number = least * (one.most / least) ** chance.random()
    return number if one.step is None else max(one.least, round(number))


def closed_forms(calculator):
    """What the script has the values of, in its order."""
    form = Form(calculator)
    assert list(form.parts())
    return list(form.values)


def at(form, given):
    return form.xreplace({one: sympify(given[str(one)]) for one in form.free_symbols})


@needs_chromium
@pytest.mark.slow
@pytest.mark.parametrize("name", CALCULATORS)
def test_a_pages_script_gives_what_sympy_gives(page, name):
    calculator, chance = CALCULATORS[name], random.Random(name)
    forms = closed_forms(calculator)
    for given in fitting(page, calculator, chance, 8):
        assert all(at(check, given) >= 0 for check in calculator.checks), given
        found = page.value(f"calculators['{name}'].values({json.dumps(given)})")
        exact = [at(form, given) for form in forms]
        if not calculator.rounded:
            pairs = zip(exact, found, strict=True)
            assert all(number == int(one) for one, number in pairs if one.is_Integer), given
        assert found == pytest.approx([float(one) for one in exact], rel=1e-9, abs=1e-12), given


def fitting(page, calculator, chance, count):
    """Random inputs that no check of the page refuses."""
    found = []
    while len(found) < count:
        given = draw(calculator, chance)
        checks = page.value(f"calculators['{calculator.name}'].checks({json.dumps(given)})")
        found += [given] if all(check >= 0 for check in checks) else []
    return found


@needs_chromium
@pytest.mark.parametrize("policy", ["triangular", "triangular2", "exp_range"])
def test_a_drawn_schedule_is_the_one_that_trains(page, policy):
    run = RunSpec(
        schedule=policy,
        lr=0.002,
        max_lr=0.3,
        step_size_up=70,
        epochs=5,
        gamma=0.9971 if policy == "exp_range" else None,
    )
    given = {"low": 0.002, "high": 0.3, "half": 70, "gamma": 0.9971, "last": 500}
    panel = ["triangular", "triangular2", "exp_range"].index(policy)
    heights = f"calculators['calc-cyclical'].panels[{panel}].heights"
    drawn = page.value(
        f"Array.from({{length: 500}}, (_, t) => {heights}({{...{json.dumps(given)}, t}})[0])"
    )
    assert drawn == pytest.approx(every_rate(run, per_epoch=100), rel=1e-12)


def said(page, name, **entered):
    """What a calculator says when a reader has entered numbers."""
    page.value(f"document.getElementById('{name}').reset()")
    for symbol, number in entered.items():
        page.value(
            f"(() => {{ const field = document.getElementById('{name}-{symbol}');"
            f"field.value = '{number}';"
            "field.dispatchEvent(new Event('input', {bubbles: true})) })()"
        )
    return page.value(f"document.querySelector('#{name} output').innerText")


@needs_chromium
def test_what_is_entered_is_derived_anew(page):
    joined = analysis.alexnet(height=224, width=224, padding=2, groups=1).total
    words = said(page, "calc-alexnet", H=224, W=224, padding=2, groups=1)
    assert words.startswith(f"{joined.parameters:,} parameters")
    assert f"{joined.macs:,} MACs" in words
    small = analysis.vgg19(height=64, width=96, channels=1, classes=10).total
    words = said(page, "calc-vgg19", H=64, W=96, channels=1, classes=10)
    assert words.startswith(f"{small.parameters:,} parameters")
    assert f"{small.activations:,} activations" in words


@needs_chromium
def test_a_stack_of_any_windows_is_derived_anew(page):
    layers = (analysis.Conv("layer 1", 1, 7, 2, 3), analysis.Pool("layer 2", 3, 2, dilation=2))
    last = analysis.derive(analysis.Network("stack", layers, 100, 100, 1)).rows[-1]
    entered = {"kernel1": 7, "stride1": 2, "padding1": 3}
    entered |= {"kernel2": 3, "stride2": 2, "dilation2": 2, "kernel3": 1}
    words = said(page, "calc-receptive-field", H=100, **entered)
    assert f"sees {last.receptive_field} × {last.receptive_field} pixels" in words
    assert f"neighbours {last.jump} apart" in words
    assert f"{last.output[0]} × {last.output[1]} positions" in words


@needs_chromium
@pytest.mark.parametrize("name", CALCULATORS)
def test_a_reset_gives_the_numbers_that_stand_there_without_a_script(page, name):
    texts = f"[...document.querySelectorAll('#{name} [data-value]')].map(one => one.textContent)"
    page.open((page.folder / "still.html").as_uri())
    still = page.value(texts)
    hidden = page.value(
        f"[...document.querySelectorAll('#{name} :is(input, button)')]"
        ".every(one => one.closest('[hidden]'))"
    )
    page.open((page.folder / "page.html").as_uri())
    said(page, name, **{str(CALCULATORS[name].inputs[0].symbol): 1})
    said(page, name)
    page.value("new Promise(done => setTimeout(done))")
    assert hidden
    assert len(still) > 5
    assert page.value(texts) == still
    assert page.complaints() == []


@needs_chromium
@pytest.mark.parametrize(
    ("name", "entered", "words"),
    [
        ("calc-vgg19", {"H": 31}, "The input is too small for pool5."),
        ("calc-receptive-field", {"H": 3}, "layer 1's window is larger than the map"),
        ("calc-cyclical", {"low": 1}, "The upper bound lies below the lower one."),
        ("calc-alexnet", {"groups": 3}, "groups of conv2, conv4 and conv5: "),
        ("calc-alexnet", {"classes": ""}, "classes: "),
        ("calc-receptive-field", {"stride2": 1.5}, "stride of layer 2: "),
    ],
)
def test_what_cannot_be_is_said_and_no_number_stays(page, name, entered, words):
    assert said(page, name, **entered).startswith(words)
    shown = page.value(
        f"[...document.querySelectorAll('#{name} [data-value]')].map(one => one.textContent)"
    )
    assert set(shown) == {"–"}
    (field,) = entered
    refused = page.value(f"document.getElementById('{name}-{field}').ariaInvalid")
    assert refused == ("true" if words.endswith(": ") else "false")


@needs_chromium
def test_every_input_has_a_name_and_is_reached_by_keyboard(page):
    fields = page.value(
        "[...document.querySelectorAll('input')]"
        ".map(one => [one.labels[0]?.innerText || one.ariaLabel, one.tabIndex, one.offsetWidth])"
    )
    assert len(fields) == sum(len(one.inputs) for one in CALCULATORS.values())
    assert all(words and tab == 0 and width for words, tab, width in fields)


def test_words_are_escaped_and_a_script_cannot_be_ended_by_them():
    x = Symbol("x", integer=True, positive=True)
    nasty = "a </script> & <b>"
    field = Input(x, nasty, 2, 1, 5)
    made = html(Calculator("c", nasty, nasty, (field,), Words("{:,} <i>", (x,)), checks={x: nasty}))
    assert made.count("</script>") == 1
    assert "<b>" not in made.partition("<script>")[0]
    assert "&lt;i&gt;" in made
