"""Receptive fields: the proof, its formula against the recurrence, and branches that look in
different directions.
"""

from dataclasses import replace

import pytest
import sympy

import analysis
from analysis import AnalysisError, Branches, Conv, Network, Pool, Proof, derive
from analysis.proof import F, N, R, S, Step

PROOFS = {
    "stacked": analysis.prove_stacked,
    "strided": analysis.prove_strided,
    "any": analysis.prove_any_stack,
}


def test_three_5x5_convolutions_see_13x13():
    assert analysis.receptive_field([(5, 1)] * 3) == 13
    assert analysis.prove_stacked().statement.rhs.subs({N: 3, F: 5}) == 13**2


def test_three_symbolic_convolutions_see_3f_minus_2():
    assert analysis.receptive_field([(F, 1)] * 3) == 3 * F - 2


@pytest.mark.parametrize("depth", [0, 1, 2, 7])
@pytest.mark.parametrize("kernel", [1, 2, 5])
def test_the_proved_formula_is_what_the_recurrence_gives(kernel, depth):
    side = analysis.prove_stacked().step("hypothesis").equation.rhs.subs({F: kernel, N: depth})
    assert side == analysis.receptive_field([(kernel, 1)] * depth)


@pytest.mark.parametrize(("kernel", "stride", "depth"), [(3, 2, 4), (5, 3, 2), (2, 2, 5)])
def test_the_proved_strided_formula_is_what_the_recurrence_gives(kernel, stride, depth):
    side = (
        analysis.prove_strided()
        .step("hypothesis")
        .equation.rhs.subs({F: kernel, S: stride, N: depth})
    )
    assert side == analysis.receptive_field([(kernel, stride)] * depth)


def test_the_general_sum_is_what_the_recurrence_gives():
    stack = [(11, 4), (3, 2), (5, 1), (3, 2)]
    side = analysis.prove_any_stack().step("hypothesis").equation.rhs.subs(N, len(stack)).doit()
    values = {sympy.IndexedBase("k")[i]: kernel for i, (kernel, _) in enumerate(stack, start=1)}
    values |= {sympy.IndexedBase("s")[i]: stride for i, (_, stride) in enumerate(stack, start=1)}
    assert side.doit().subs(values) == analysis.receptive_field(stack) == 67


@pytest.mark.parametrize("prove", PROOFS.values(), ids=PROOFS)
def test_a_proof_has_base_hypothesis_step_and_conclusion_and_all_but_the_hypothesis_are_identities(
    prove,
):
    proof = prove()
    assert [step.name for step in proof.steps] == ["base", "hypothesis", "step", "conclusion"]
    assert [step.difference == 0 for step in proof.steps] == [True, False, True, True]
    assert all(step.latex and step.reason for step in proof.steps)
    assert proof.statement.lhs == R(N) ** 2


def test_a_wrong_claim_is_no_proof():
    proof = analysis.prove_stacked()
    wrong = Step("step", sympy.Eq(N * F + F - 1, (N + 1) * F, evaluate=False), "not so")
    with pytest.raises(AnalysisError, match="step: no proof, the two sides differ by -1"):
        replace(proof, steps=(proof.steps[0], wrong))


def test_a_proof_names_the_steps_it_has():
    with pytest.raises(
        AnalysisError, match="no step 'end'; it has base, hypothesis, step, conclusion"
    ):
        analysis.prove_stacked().step("end")
    assert isinstance(analysis.prove_stacked(), Proof)


def seen(*layers, side=64):
    return derive(Network("net", layers, side, side, 1)).rows[-1]


def test_dilation_widens_and_stride_multiplies():
    stack = Conv("a", 1, 3, stride=2), Conv("b", 1, 3, dilation=4), Pool("c", 2)
    row = seen(*stack)
    assert (row.receptive_field, row.jump) == (3 + 4 * 2 * 2 + 2, 4)
    assert (
        derive(Network("net", stack, 64, 64, 1)).row("b").receptive_field_shown[0].text
        == "3 + 4·(3 − 1)·2 = 19"
    )


def test_concentric_branches_see_what_the_widest_sees():
    row = analysis.inception_naive().row("concat")
    assert row.receptive_field == 5
    assert row.receptive_field_shown[0].text == "1 ∪ 3 ∪ 5 = 5"


def test_branches_that_look_in_different_directions_see_more_than_the_widest():
    ahead = Conv("ahead", 1, 3, stride=4)  # position 0 sees pixels 0..2
    behind = Conv("behind", 1, 2, stride=4, padding=1)  # pixels -1..0
    row = seen(Branches("concat", ((ahead,), (behind,))), side=63)
    assert (row.receptive_field, row.start, row.jump) == (4, -1, 4)
    assert row.receptive_field_shown[0].text == "3 ∪ 2 = 4"


def test_what_follows_branches_starts_from_their_union():
    ahead, behind = Conv("ahead", 1, 3, stride=4), Conv("behind", 1, 2, stride=4, padding=1)
    row = seen(Branches("concat", ((ahead,), (behind,))), Conv("after", 1, 3), side=63)
    assert row.receptive_field == 4 + 2 * 4


def test_branches_of_different_jumps_have_no_common_receptive_field():
    fast, slow = Conv("fast", 1, 1, stride=2), Conv("slow", 1, 33)
    with pytest.raises(AnalysisError, match="concat: its branches step by 1 and 2 input pixels"):
        seen(Branches("concat", ((fast,), (slow,))))


def test_an_oblong_kernel_sees_an_oblong():
    row = seen(Conv("a", 1, (1, 7), padding=(0, 3)), Conv("b", 1, (3, 1), stride=(2, 1)))
    assert (row.receptive_field, row.start, row.jump) == ((3, 7), (0, -3), (2, 1))
    assert row.start_shown[1].text == "-3 − 0·1 = -3"
    assert row.output == (31, 64, 1)


def test_a_fully_connected_layer_sees_what_the_whole_map_sees():
    row = analysis.lenet5().row("fc1")
    before = analysis.lenet5().row("pool2")
    assert (
        row.receptive_field == before.receptive_field + (before.output[0] - 1) * before.jump == 32
    )
