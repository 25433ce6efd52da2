"""Reading modules: what other tools get wrong, guards, leaks, unknown operators, forms."""

import math
import threading

import jsonschema
import pytest
import torch
from small_modules import Twice
from sympy import Rational
from torch import nn
from torch.nn import functional

import analysis
from analysis import AnalysisError, B, H, W
from analysis.documents import SCHEMA, document
from analysis.folding import fold
from analysis.reading import read, summary
from analysis.tables import table


def total(module, shape, **options):
    return read(module, shape, **options).total


class Function(nn.Module):
    """A module made of a function of its input, with parameters if given."""

    def __init__(self, function, *parameters):
        super().__init__()
        self.function = function
        self.parameters_ = nn.ParameterList(parameters)

    def forward(self, x):
        return self.function(x, *self.parameters_)


class Attention(nn.Module):
    def __init__(self, width=512, heads=4, need_weights=False):
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.need_weights = need_weights

    def forward(self, x):
        return self.attention(x, x, x, need_weights=self.need_weights)[0]


CASES = {
    "conv 3 to 8 at 16": (nn.Conv2d(3, 8, 3, padding=1), (3, 16, 16), 55_296),
    "conv 3 to 32, 7x7 stride 2 at 224": (nn.Conv2d(3, 32, 7, 2, 3), (3, 224, 224), 59_006_976),
    "transposed 3 to 1, 2x2 stride 2 at 2": (nn.ConvTranspose2d(3, 1, 2, 2), (3, 2, 2), 48),
    "transposed 32 to 1, 3x3 at 1": (nn.ConvTranspose2d(32, 1, 3), (32, 1, 1), 288),
    "x times its transpose": (Function(lambda x: x[0] @ x[0].T), (5, 7), 175),
    "attention over 580 tokens": (Attention(), (580, 512), 952_647_680),
    "attention with its weights": (Attention(need_weights=True), (580, 512), 952_647_680),
    "linear used twice": (Twice(), (10,), 200),
    "a ParameterList": (Function(lambda x, w: x[0] @ w, torch.empty(100, 100)), (4, 100), 40_000),
    "grouped": (nn.Conv2d(8, 16, 3, groups=4), (8, 5, 5), 9 * 9 * 2 * 16),
    "dilated": (nn.Conv2d(1, 1, 3, dilation=3), (1, 9, 9), 9 * 9),
    "padded to the same size": (nn.Conv2d(1, 2, 4, padding="same"), (1, 8, 8), 64 * 16 * 2),
    "einsum": (Function(lambda x: torch.einsum("bij,bik->bjk", x, x)), (5, 7), 245),
    "LSTM": (Function(lambda x, *_: LSTM(x)[0]), (9, 6), 9 * 4 * (6 * 5 + 5 * 5)),
    "functional conv": (
        Function(lambda x, w: functional.conv2d(x, w, padding=1), torch.empty(4, 3, 3, 3)),
        (3, 8, 8),
        64 * 27 * 4,
    ),
}
LSTM = nn.LSTM(6, 5, batch_first=True, device="meta")


@pytest.mark.parametrize(("module", "shape", "macs"), CASES.values(), ids=CASES)
def test_macs_that_other_tools_get_wrong(module, shape, macs):
    reading = read(module, shape)
    assert reading.total.macs == macs
    assert reading.total.flops == 2 * macs
    assert not reading.unknown


def test_tokens_are_counted_by_h_and_features_are_none():
    reading = read(Attention(), (580, 512))
    assert reading.closed_form.rows[0].output == (H, 512)
    assert reading.closed_form.total.macs == 4 * 512 * 512 * B * H + 2 * 512 * B * H**2
    assert reading.check.passed
    assert reading.at(height=100, batch=2).total.macs == 2 * (100 * 4 * 512**2 + 2 * 512 * 100**2)
    first, mixed = reading.rows[1], reading.rows[2]
    assert (first.status, first.receptive_field) == ("exact", 1)
    assert (mixed.status, mixed.receptive_field) == ("global", 580)


def test_token_ids_are_read_as_integers():
    module = nn.Sequential(nn.Embedding(100, 8), nn.Linear(8, 5))
    assert read(module, (12,), dtype=torch.int64).closed_form.total.macs == 40 * B * H
    with pytest.raises(AnalysisError, match=r"token ids are read with dtype=torch\.int64"):
        read(module, (12,))


def test_positions_come_last_in_a_convolution_over_one_axis():
    reading = read(nn.Conv1d(6, 6, 3, padding=1), (6, 6))
    assert reading.closed_form.total.macs == 108 * B * H


def test_parameters_count_once_however_often_they_are_read():
    assert total(nn.Linear(10, 11), (10,)).parameters == 121
    assert total(Twice(), (10,)).parameters == 110
    reading = read(Twice(), (10,))
    assert [row.parameters for row in reading.rows] == [0, 110, 0]
    assert [row.layer for row in reading.rows] == ["input", "linear", "linear:2"]


def test_what_a_module_holds_but_does_not_read_has_a_row():
    module = nn.Sequential(nn.Linear(3, 4))
    module.spare = nn.Module()
    module.spare.weight = nn.Parameter(torch.empty(7))
    module.forward = module[0].forward
    rows = read(module, (3,)).rows
    assert (rows[-1].layer, rows[-1].kind, rows[-1].parameters) == ("spare (unused)", "unused", 7)


def test_a_residual_add_keeps_its_channels_and_a_concatenation_adds_them():
    added = read(Function(lambda x: x + x), (8, 4, 4)).rows[-1]
    joined = read(Function(lambda x: torch.cat([x, x], 1)), (8, 4, 4)).rows[-1]
    assert (added.kind, added.output) == ("add", (4, 4, 8))
    assert (joined.kind, joined.output) == ("concat", (4, 4, 16))


def test_three_dilated_convolutions_see_15():
    stack = nn.Sequential(*(nn.Conv2d(1, 1, 3, dilation=d) for d in (1, 2, 4)))
    assert read(stack, (1, 32, 32)).rows[-1].receptive_field == 15


def test_lenet5_unpadded_has_61706_parameters():
    lenet = nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(),
        nn.AvgPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84),
        nn.Tanh(), nn.Linear(84, 10),
    )  # fmt: skip
    assert total(lenet, (1, 32, 32)).parameters == 61_706


def test_an_lstm_is_counted_per_step_layer_and_direction():
    lstm = nn.LSTM(6, 5, num_layers=2, bidirectional=True)
    weights = sum(p.numel() for n, p in lstm.named_parameters() if n.startswith("weight"))
    reading = read(lstm, (9, 6))  # 1 sequence element a row: (time, batch, features)
    assert reading.rows[1].kind == "rnn"
    assert reading.total.macs == 9 * weights
    assert read(nn.GRU(6, 5), (9, 6), batch=4).total.macs == 4 * 9 * 3 * (6 * 5 + 5 * 5)


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.small, self.large = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x):
        return self.large(x) if x.shape[2] > 100 else self.small(x)


def test_a_branch_on_a_size_is_told_and_followed_at_other_sizes():
    found = summary(Branching(), (3, 64, 64))
    assert found.caveats == ("the module takes another way unless H ≤ 100",)
    assert found.reading.check.passed
    assert found.at(height=32).total.macs == 12 * 32 * 64
    assert found.at(height=128).total.macs == 9 * 12 * 128 * 64


def leaking(x):
    side = int(math.sqrt(x.shape[2] * x.shape[3]))
    return functional.interpolate(x, size=(side, side))


def test_a_size_that_leaks_through_a_float_is_found_by_the_second_run():
    reading = read(nn.Sequential(Function(leaking), nn.Conv2d(3, 4, 1)), (3, 16, 16))
    assert reading.leaks == ("0",)
    assert not reading.check.passed
    row = reading.closed_form.row("1")
    assert "a size left the reader's sight" in row.note
    assert reading.at(height=32, width=32).total.macs == 12 * 32 * 32  # read again, not computed
    assert reading.at(height=32, width=18).total.macs == 12 * 24 * 24


def test_a_floor_of_a_quotient_keeps_its_formula():
    def halved(x):
        return x[:, :, : math.ceil(x.shape[2] / 2), : math.floor(x.shape[3] / 2)]

    row = read(nn.Sequential(Function(halved), nn.Conv2d(3, 4, 1)), (3, 9, 9)).closed_form.row("1")
    assert row.output[0].subs(H, 9) == 5
    assert row.output[1].subs(W, 9) == 4
    assert row.note == ""


def test_an_operator_without_a_rule_is_named_and_not_counted_in_silence():
    found = summary(Function(lambda x: torch.cdist(x, x)), (5, 7))
    assert found.reading.unknown == ("cdist",)
    assert found.rows[1].kind == "unknown"
    assert found.caveats == ("cdist has no rule: it is not counted",)
    assert "| total, at least |" in str(found)
    assert "total, at least" in found._repr_html_()
    assert "| total, at least |" in table(fold(found.derivation, 1))
    assert document(found.derivation)["total_is"] == "at least"
    jsonschema.validate(document(found.derivation), SCHEMA)
    assert "total_is" not in document(analysis.vgg16())


def test_a_refused_size_says_what_torch_said():
    with pytest.raises(AnalysisError, match=r"Sequential refuses an input of 1 × 4 × 8 × 8 at 0: "):
        read(nn.Sequential(nn.Conv2d(3, 8, 3)), (4, 8, 8))


@pytest.mark.parametrize("shape", [(), (3, 0, 4), (3, -1, 4), (3, 2.5, 4), ("3", 4)])
def test_an_impossible_shape_is_refused(shape):
    with pytest.raises(AnalysisError, match="must be positive whole numbers"):
        read(nn.ReLU(), shape)


def test_a_module_is_left_as_it_was():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).train()
    module[1].eval()
    before = module[0].weight.clone()
    reading = read(module, (3, 8, 8))
    assert reading.training.total.macs == 2 * reading.total.macs  # a batch of 2
    assert [one.training for one in module.modules()] == [True, True, False]
    assert torch.equal(module[0].weight, before)
    assert not module[0].weight.is_meta


class Computes(nn.Module):
    """A constructor that looks at numbers: it cannot run on the meta device."""

    def __init__(self):
        super().__init__()
        self.side = int(torch.ones(3).sum().item())
        self.mean = torch.full((3, 1, 1), 0.5)
        self.conv = nn.Conv2d(3, 4, self.side)

    def forward(self, x):
        return self.conv(x - self.mean)


def test_a_factory_that_computes_is_built_on_the_cpu():
    assert total(Computes, (3, 8, 8)).macs == 36 * 27 * 4


def test_a_factory_must_make_a_module():
    with pytest.raises(AnalysisError, match=r"must return a torch\.nn\.Module, not int"):
        read(lambda: 3, (3, 8, 8))


def test_a_factory_that_fails_is_answered_in_a_sentence():
    said = "the factory failed, which is called without arguments: TypeError: .* 'need'"
    with pytest.raises(AnalysisError, match=said):
        read(lambda need: need, (3, 8, 8))


def test_patched_functions_do_not_hide_a_layer(monkeypatch):
    real = functional.conv2d

    class Wrapper:
        def __call__(self, *arguments, **options):
            return real(*arguments, **options)

    monkeypatch.setattr(functional, "conv2d", Wrapper())
    assert total(nn.Conv2d(3, 8, 3, padding=1), (3, 16, 16)).macs == 55_296


def test_closed_forms_are_short():
    stack = nn.Sequential(*(nn.Conv2d(3, 3, 3, 2, 1) for _ in range(4)))
    row = read(stack, (3, 64, 64)).closed_form.row("3")
    assert row.output[0] == (H + 15) // 16
    assert row.macs_shown.text.endswith("= 81·B·⌊(H + 15)/16⌋·⌊(W + 15)/16⌋")
    same = nn.Sequential(*(nn.Conv2d(3, 3, 3, padding=1) for _ in range(4)))
    assert read(same, (3, 64, 64)).closed_form.row("3").macs == 81 * B * H * W


def test_padding_to_a_multiple_is_one_ceiling():
    def padded(x):
        return functional.pad(x, (0, 0, 0, (7 - x.shape[2] % 7) % 7))

    row = read(Function(padded), (3, 30, 30)).closed_form.rows[1]
    assert row.output[0] == 7 * ((H + 6) // 7)


def test_the_compiled_total_is_the_closed_form():
    reading = read(nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.Conv2d(8, 8, 3)), (3, 32, 32))
    form = reading.closed_form.total.macs
    for sizes in ((1, 32, 32), (5, 41, 57), (2, 9, 200)):
        assert reading.macs(*sizes) == form.subs(dict(zip((B, H, W), sizes, strict=True)))


def test_read_and_built_in_vgg19_have_the_same_rows():
    torchvision = pytest.importorskip("torchvision")
    found = read(lambda: torchvision.models.vgg19(weights=None), (3, 224, 224), batch=2)
    kinds = ("conv", "pool", "fc")
    mine = [row for row in found.rows if row.kind in kinds and row.layer != "avgpool"]
    built = [row for row in analysis.vgg19(batch=2).rows if row.kind in kinds]
    for one, two in zip(mine, built, strict=True):
        for name in ("output", "activations", "weights", "biases", "macs", "receptive_field"):
            assert getattr(one, name) == getattr(two, name), (one.layer, name)


def test_swin_at_another_size_is_read_again_where_a_window_no_longer_covers_the_map():
    torchvision = pytest.importorskip("torchvision")
    found = summary(lambda: torchvision.models.swin_t(weights=None), (3, 224, 224))
    assert any("7·⌊(H + 220)/224⌋ ≤ 7" in caveat for caveat in found.caveats)
    assert found.at(height=256, width=320, batch=3).total.macs == 25_454_757_888


def test_vgg19_at_256_by_320_keeps_its_classifier():
    torchvision = pytest.importorskip("torchvision")
    found = read(lambda: torchvision.models.vgg19(weights=None), (3, 224, 224))
    assert found.at(height=256, width=320).total.parameters == 143_667_240


def test_a_summary_shows_itself():
    found = summary(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()), (3, 8, 8))
    assert "6 × 6 × 8" in str(found)
    assert found._repr_html_().startswith('<table class="dataframe">')  # themes colour these
    assert found._repr_markdown_().startswith("| layer")
    assert summary("alexnet").total == analysis.alexnet().total
    assert summary(analysis.vgg19, (3, 64, 64)).total == analysis.vgg19(height=64, width=64).total
    with pytest.raises(AnalysisError, match="needs the shape of its input"):
        summary(nn.ReLU())


def test_importing_analysis_does_not_import_torch():
    import subprocess
    import sys

    code = "import analysis, sys; analysis.reading.summary; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_compiled_totals_are_those_of_the_rows():
    module = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.ReLU(inplace=True), nn.MaxPool2d(2))
    reading = read(module, (3, 32, 32))
    for batch, height, width in ((1, 32, 32), (4, 57, 40)):
        total = reading.at(batch=batch, height=height, width=width).total
        totals = reading.totals(batch, height, width)
        assert (totals.macs, totals.activations) == (total.macs, total.activations)
    training = read(module, (3, 32, 32), batch=2).training
    assert training.totals(2, 32, 32).saved == sum(row.saved for row in training.rows)


def test_arithmetic_intensity_is_flops_per_byte_moved():
    row = read(nn.Linear(10, 11, bias=False), (10,), batch=4).rows[1]
    assert row.traffic == 4 * 10 + 110 + 4 * 11
    assert row.intensity() == Rational(2 * 440, 4 * 194)
    assert row.intensity(itemsize=2) == 2 * row.intensity()


class Positions(nn.Module):
    """Tensors that are no buffers, and tensors made where nobody says on which device."""

    def __init__(self):
        super().__init__()
        self.scale = torch.tensor([1.0, 2.0, 3.0]).reshape(3, 1, 1)

    def forward(self, x):
        ramp = torch.arange(x.shape[3], dtype=x.dtype) * torch.ones(1)
        return x * self.scale + ramp


def test_tensors_that_are_no_buffers_come_along():
    reading = read(nn.Sequential(Positions(), nn.Conv2d(3, 4, 1)), (3, 8, 8))
    assert reading.unknown == ()
    assert reading.closed_form.total.macs == 12 * B * H * W
    assert reading.check.passed


def test_a_branch_on_numbers_is_refused_and_its_operator_named():
    said = r"Function cannot be read: .* depends on the numbers of its input, .* \(Tensor\.item\)"
    with pytest.raises(AnalysisError, match=said):
        read(Function(lambda x: x if x.sum() > 0 else -x), (3, 8, 8))


def test_a_device_that_a_module_names_is_told_apart_from_numbers():
    said = r"Function cannot be read: at the module itself it names a device .* device=x\.device"
    with pytest.raises(AnalysisError, match=said):
        read(Function(lambda x: x + torch.zeros(3, 1, 1, device="cpu")), (3, 8, 8))


def test_lazy_layers_are_refused_by_name():
    lazy = nn.Sequential(nn.LazyConv2d(4, 3))
    for module in (lazy, lambda: lazy):
        with pytest.raises(AnalysisError, match=r"Sequential has lazy layers, .* no shape yet"):
            read(module, (3, 8, 8))


class Locked(nn.Conv2d):
    """A module that cannot be copied."""

    def __init__(self):
        super().__init__(3, 4, 3)
        self.lock = threading.Lock()


def test_a_module_that_cannot_be_copied_is_read_from_its_factory():
    with pytest.raises(AnalysisError, match=r"Locked cannot be copied, .* give a function"):
        read(Locked(), (3, 8, 8))
    assert total(Locked, (3, 8, 8)).weights == 4 * 27


class Remembering(nn.Module):
    def forward(self, x):
        self.last = x
        return 2 * x


def test_a_module_on_the_meta_device_keeps_nothing_of_the_run():
    module = Remembering().to("meta")
    read(module, (3, 8, 8))
    assert not hasattr(module, "last")


def test_more_inputs_than_were_given_are_refused():
    def unpacking(pair):
        one, two = pair
        return one + two

    with pytest.raises(AnalysisError, match=r"apart along the batch"):
        read(Function(unpacking), (3, 8, 8), batch=2)
    bilinear = r"Bilinear needs 2 inputs \(input1, input2\), and one shape was given: give --input"
    with pytest.raises(AnalysisError, match=bilinear):
        read(nn.Bilinear(3, 3, 4), (3,))


def test_memory_says_which_options_there_are():
    with pytest.raises(AnalysisError, match=r"training memory of vgg19 takes .*, not batch"):
        summary("vgg19").memory(batch=3)
    read_one = summary(nn.Conv2d(3, 4, 3), (3, 8, 8))
    with pytest.raises(AnalysisError, match=r"inference memory .* not optimizer"):
        read_one.memory(training=False, optimizer="adam")
