"""Closed forms in JavaScript give what sympy gives: node evaluates both sides of every claim."""

import json
import shutil
import subprocess

import pytest
import torchvision
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sympy import (
    Max,
    Min,
    Mod,
    Rational,
    Symbol,
    ceiling,
    floor,
    gamma,
    preorder_traversal,
    sqrt,
    sympify,
)

import analysis
from analysis import NETWORKS, SYMBOLS, AnalysisError, B, C, H, W
from analysis.__main__ import main
from analysis.documents import content
from analysis.javascript import javascript, javascript_function, javascript_values

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(
    NODE is None, reason="node evaluates the JavaScript (Debian's package nodejs): not installed"
)
MODELS = ("resnet18", "mobilenet_v3_small", "googlenet")
SIZES = [{"B": 1, "H": 224, "W": 224, "C": 3}, {"B": 2, "H": 97, "W": 1023, "C": 1}]


def in_node(code, *arguments):
    """What node gives for a function, at each of the arguments."""
    program = f"const f = {code};\nconsole.log(JSON.stringify({json.dumps(arguments)}.map(f)))"
    done = subprocess.run([NODE, "-"], input=program, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def in_sympy(value, sizes):
    """The same document with sympy's numbers in the place of closed forms."""
    if isinstance(value, dict):
        return {key: in_sympy(one, sizes) for key, one in value.items()}
    if isinstance(value, list):
        return [in_sympy(one, sizes) for one in value]
    if isinstance(value, str):
        return value
    number = sympify(value).subs({symbol: sizes[str(symbol)] for symbol in (B, C, H, W)})
    return int(number) if number.is_Integer else float(number)


def test_a_floor_is_divided_once():
    assert javascript((H + 3) // 49) == "Math.floor((H + 3)/49)"
    assert javascript(floor(floor(H / 2 + Rational(1, 2)) / 3 + W / 4)) == (
        "Math.floor((3*W + 4*Math.floor((H + 1)/2))/12)"
    )


@needs_node
def test_a_power_that_is_not_whole_is_written_where_it_may_be_rounded():
    rate, half = Symbol("rate", positive=True), Rational(1, 2)
    code = javascript_values([rate ** (H - 1), rate**half, 3 * (H // 2)], rounded=True)
    (found,) = in_node(code, {"H": 5, "rate": 0.25})
    assert found == pytest.approx([0.25**4, 0.5, 6])


def test_what_javascript_does_not_know_is_refused_by_name():
    with pytest.raises(AnalysisError, match="gamma"):
        javascript(gamma(H + Rational(1, 3)))
    # ⌊√3 · √3⌋ is 2 in doubles
    with pytest.raises(AnalysisError, match="only whole powers are exact in a double"):
        javascript(floor(sqrt(H) * sqrt(W)))


@needs_node
def test_a_function_takes_every_symbol_that_its_numbers_have():
    side = Symbol("side", integer=True, positive=True)
    code = javascript_function(analysis.lenet5_unpadded(height=side, width=side, batch=B))
    assert code.startswith("({ B, side }) =>")
    (found,) = in_node(code, {"B": 2, "side": 32})
    assert found["total"]["macs"] == analysis.lenet5_unpadded(batch=2).total.macs


def numbers():
    """Random closed forms of the kinds that sizes take."""
    leaves = st.sampled_from([H, W]) | st.integers(-9, 9).map(sympify)
    ratio = st.tuples(st.integers(-60, 60), st.integers(1, 60)).map(lambda pair: Rational(*pair))
    return st.recursive(leaves, lambda inner: _made(inner, ratio), max_leaves=6)


def _made(inner, ratio):
    linear = st.tuples(inner, ratio, ratio).map(lambda one: one[0] * one[1] + one[2])
    pairs = st.tuples(inner, inner)
    return st.one_of(
        linear.map(floor),
        linear.map(ceiling),
        st.tuples(inner, st.integers(1, 50)).map(lambda pair: Mod(*pair)),
        st.tuples(inner, inner, ratio).map(lambda one: Max(one[0], one[1] * one[2])).map(floor),
        pairs.map(lambda pair: Min(*pair)),
        pairs.map(lambda pair: pair[0] - pair[1]),
        pairs.map(lambda pair: pair[0] * pair[1]),
        inner.map(lambda one: one**2),
    )


def safe(form, at):
    """Whether nothing on the way to a number comes near 2^53, common denominators included."""
    return all(abs(one.subs({H: at["H"], W: at["W"]})) < 2**35 for one in preorder_traversal(form))


@needs_node
@pytest.mark.slow
@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(numbers(), min_size=8, max_size=8), st.lists(st.integers(1, 3000), min_size=4))
def test_any_closed_form_evaluates_as_in_sympy(forms, sides):
    code = f"({{H, W}}) => [{', '.join(map(javascript, forms))}]"
    sizes = [{"H": h, "W": w} for h, w in zip(sides, reversed(sides), strict=True)]
    for at, found in zip(sizes, in_node(code, *sizes), strict=True):
        for form, number in zip(forms, found, strict=True):
            if safe(form, at):
                assert number == int(form.subs({H: at["H"], W: at["W"]})), (form, at)


@needs_node
def test_every_multiple_of_49_divides_to_its_own_floor():
    sizes = [{"H": side} for side in range(1, 5000)]
    assert in_node(f"({{H}}) => {javascript(H // 49)}", *sizes) == [n // 49 for n in range(1, 5000)]
    negative = javascript(3 * Mod(H - 2500, 7, evaluate=False))
    rests = [3 * ((n - 2500) % 7) for n in range(1, 5000)]
    assert in_node(f"({{H}}) => {negative}", *sizes) == rests


@needs_node
@pytest.mark.parametrize("name", NETWORKS)
def test_a_built_in_network_evaluates_as_in_sympy(name):
    derivation = NETWORKS[name](**SYMBOLS)
    exact = content(derivation)
    found = in_node(javascript_function(derivation), *SIZES)
    assert found == [in_sympy(exact, sizes) for sizes in SIZES]


@needs_node
@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_a_network_that_was_read_evaluates_as_in_sympy_and_as_it_runs(name):
    options = {"init_weights": False} if name == "googlenet" else {}
    reading = analysis.summary(
        lambda: torchvision.models.get_model(name, **options), (3, 224, 224)
    ).reading
    found = in_node(javascript_function(reading.closed_form), *SIZES)
    assert found == [in_sympy(content(reading.closed_form), sizes) for sizes in SIZES]
    for at, one in zip(SIZES, found, strict=True):
        real = reading.at(batch=at["B"], height=at["H"], width=at["W"])
        assert one["total"]["macs"] == real.total.macs
        assert [row["output"] for row in one["rows"]] == [[*row.output] for row in real.rows]


@needs_node
@pytest.mark.slow
@settings(deadline=None, max_examples=5)
@given(st.lists(st.tuples(st.integers(1, 64), st.integers(75, 4000)), min_size=20, max_size=40))
def test_vgg19s_total_is_exact_at_many_sizes(pairs):
    total = analysis.vgg19_torchvision(batch=B, height=H, width=W, channels=3).total.macs
    sizes = [{"B": batch, "H": side, "W": side + 30} for batch, side in pairs]
    exact = [int(total.subs({B: s["B"], H: s["H"], W: s["W"]})) for s in sizes]
    assert in_node(f"({{B, H, W}}) => {javascript(total)}", *sizes) == exact
    assert max(exact) < 2**53


def test_the_command_line_prints_the_function(capsys):
    assert main(["lenet5", "--closed-form", "--format", "javascript"]) == 0
    assert capsys.readouterr().out == javascript_function(NETWORKS["lenet5"](**SYMBOLS)) + "\n"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ((), "--format javascript writes closed forms; add --closed-form"),
        (("--closed-form", "--memory", "training"), "has no place for --memory"),
    ],
)
def test_flags_that_javascript_has_no_place_for_are_refused(flags, said, capsys):
    assert main(["lenet5", "--format", "javascript", *flags]) == 2
    assert said in capsys.readouterr().err
