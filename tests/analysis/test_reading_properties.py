"""Random networks: what the reader's formulas say at one size is what torch gives at another."""

import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from analysis import B, H, W
from analysis.reading import read, training_memory
from analysis.reading.terms import Term, compiled, symbol, term

quick = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
small = st.integers(1, 3)


@st.composite
def convolutions(draw, channels):
    groups = draw(st.sampled_from([g for g in (1, 2, 4) if channels % g == 0]))
    out, kernel = groups * draw(small), draw(st.integers(1, 4))
    if draw(st.integers(0, 3)) == 0:
        return nn.ConvTranspose2d(channels, out, kernel, draw(small), groups=groups), out
    padding = draw(st.sampled_from([0, kernel // 2]))
    stride, dilation = draw(small), draw(st.integers(1, 2))
    return nn.Conv2d(channels, out, kernel, stride, padding, dilation, groups), out


@st.composite
def pools(draw, channels):
    kernel, stride, ceil = draw(st.integers(1, 3)), draw(small), draw(st.booleans())
    padding = draw(st.integers(0, kernel // 2))
    kind = draw(st.sampled_from([nn.MaxPool2d, nn.AvgPool2d]))
    return kind(kernel, stride, padding, ceil_mode=ceil), channels


@st.composite
def others(draw, channels):
    made = draw(
        st.sampled_from(
            [
                nn.ReLU,
                nn.Hardswish,
                nn.GELU,
                lambda: nn.BatchNorm2d(channels),
                lambda: nn.GroupNorm(1, channels),
                lambda: nn.ZeroPad2d((1, 2, 0, 1)),
                lambda: nn.Upsample(scale_factor=2),
                lambda: nn.AdaptiveAvgPool2d((3, None)),
                lambda: nn.Dropout(0.1),
            ]
        )
    )
    return made(), channels


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return torch.cat([x, x + self.conv(x)], 1)


@st.composite
def stacks(draw):
    first = channels = draw(st.integers(1, 4))
    modules = []
    with torch.device("meta"):
        for _ in range(draw(st.integers(1, 5))):
            kind = draw(st.sampled_from([convolutions, convolutions, pools, others]))
            module, channels = draw(kind(channels))
            modules.append(module)
        if draw(st.booleans()):
            modules.append(Residual(channels))
    return nn.Sequential(*modules), first


def run(module, *shape):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        output = module.eval()(torch.empty(shape, device="meta"))
    return output, counter.get_total_flops()


@quick
@given(stacks(), st.tuples(*[st.integers(12, 40)] * 4), st.integers(1, 3))
def test_shapes_and_flops_follow_the_formulas_to_another_size(stack, sides, batch):
    module, channels = stack
    reading = read(module, (channels, *sides[:2]))
    assert reading.unknown == ()
    assert reading.check.notes == {}
    output, flops = run(module, batch, channels, *sides[2:])
    found = reading.at(height=sides[2], width=sides[3], batch=batch)
    last = found.rows[-1].output
    assert (batch, last[2], *last[:2]) == output.shape
    assert found.total.flops == flops
    assert found.total.parameters == sum(p.numel() for p in module.parameters())
    if reading.holds({"B": batch, "H": sides[2], "W": sides[3]}):
        values = dict(zip((B, H, W), (batch, *sides[2:]), strict=True))
        assert 2 * reading.closed_form.total.macs == flops or (
            2 * reading.closed_form.total.macs.subs(values) == flops
        )


@quick
@given(stacks(), st.tuples(*[st.integers(12, 30)] * 2))
def test_saved_bytes_are_torchs_on_random_networks(stack, sides):
    module, channels = stack
    said = training_memory(read(module, (channels, *sides), batch=2)).saved.value
    real = module.to_empty(device="cpu").train()
    kept = {t.untyped_storage().data_ptr() for t in (*real.parameters(), *real.buffers())}
    storages = {}

    def pack(tensor):
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = real(torch.randn(2, channels, *sides))
    assert said == sum(s.nbytes() for address, s in storages.items() if address not in kept)
    del output


@st.composite
def formulas(draw, depth=3):
    if depth == 0 or draw(st.integers(0, 4)) == 0:
        return draw(st.sampled_from([symbol("H"), symbol("W"), term(draw(st.integers(0, 9)))]))
    sign = draw(st.sampled_from(["+", "-", "*", "//", "%"]))
    left = draw(formulas(depth - 1))
    right = term(draw(st.integers(1, 7))) if sign in ("//", "%") else draw(formulas(depth - 1))
    return Term.of(sign, left, right)


@quick
@given(st.data())
def test_a_formula_has_one_value_however_it_is_evaluated(data):
    formula = data.draw(formulas())
    for height, width in ((1, 1), (7, 12), (224, 63)):
        value = formula.at({"H": height, "W": width})
        assert compiled([formula])(1, height, width) == (value,)
        assert formula.form.subs({H: height, W: width}) == value


@quick
@given(st.lists(st.tuples(st.integers(-20, 20), st.integers(1, 9)), min_size=1, max_size=5))
def test_merged_floors_have_the_value_of_nested_ones(windows):
    formula, value = symbol("H"), 211
    for offset, divisor in windows:
        formula = Term.of("//", Term.of("+", formula, term(offset)), term(divisor))
        value = (value + offset) // divisor
    assert formula.at({"H": 211}) == value
