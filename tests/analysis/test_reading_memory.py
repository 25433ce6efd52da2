"""Training memory: what the reader says is saved against what torch really saves on the CPU."""

import pytest
import torch
import torchvision
from saved_bytes import really_saved
from torch import nn
from torch.nn import functional

import analysis
from analysis import AnalysisError, B, H, W
from analysis.reading import (
    inference_memory,
    largest_batch,
    read,
    rules_found,
    training_formula,
    training_memory,
)

pytestmark = pytest.mark.usefixtures("one_thread")

MODELS = {
    "alexnet": 64,
    "vgg11": 64,
    "resnet18": 64,
    "squeezenet1_1": 64,
    "mobilenet_v3_small": 64,
    "shufflenet_v2_x0_5": 64,
    "regnet_y_400mf": 64,
    "mnasnet0_5": 64,
    "densenet121": 32,
    "efficientnet_b0": 64,
    "convnext_tiny": 64,
    "swin_t": 64,
    "swin_v2_t": 64,
}
SLOW = {"vit_b_32": 224, "vit_b_16": 224, "maxvit_t": 224, "googlenet": 96}


def model(name):
    options = {"init_weights": False} if name == "googlenet" else {}
    return torchvision.models.get_model(name, weights=None, **options).train()


def check(name, side):
    module = model(name)
    said = training_memory(read(module, (3, side, side), batch=2)).saved.value
    assert said == really_saved(module, torch.randn(2, 3, side, side))


@pytest.mark.parametrize(("name", "side"), MODELS.items(), ids=MODELS)
def test_what_a_model_saves_is_what_torch_saves(name, side):
    check(name, side)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "side"), SLOW.items(), ids=SLOW)
def test_what_a_large_model_saves_is_what_torch_saves(name, side):
    check(name, side)


class Attention(nn.Module):
    def __init__(self, dropout=0.0):
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 4, dropout=dropout, batch_first=True)

    def forward(self, x):
        return self.attention(x, x, x, need_weights=False)[0]


OPERATORS = {
    "max pool": (nn.MaxPool2d(2), (3, 8, 8)),
    "max pool and convolution": (nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(2)), (3, 9, 9)),
    "relu in place": (nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True)), (3, 9, 9)),
    "batch norm": (nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), (3, 9, 9)),
    "layer norm": (nn.Sequential(nn.Linear(6, 6), nn.LayerNorm(6)), (5, 6)),
    "group norm": (nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4)), (3, 9, 9)),
    "dropout": (nn.Sequential(nn.Linear(6, 6), nn.Dropout(0.3), nn.Linear(6, 6)), (6,)),
    "softmax": (nn.Sequential(nn.Linear(6, 6), nn.Softmax(-1)), (6,)),
    "gelu": (nn.Sequential(nn.Linear(6, 6), nn.GELU()), (6,)),
    "attention": (Attention(), (7, 16)),
    "attention with dropout": (Attention(0.1), (7, 16)),
    "transposed": (nn.ConvTranspose2d(3, 4, 2, 2), (3, 5, 5)),
    "upsampled": (nn.Sequential(nn.Conv2d(3, 4, 1), nn.Upsample(scale_factor=2)), (3, 5, 5)),
}


@pytest.mark.parametrize(("module", "shape"), OPERATORS.values(), ids=OPERATORS)
def test_what_an_operator_saves_is_what_torch_saves(module, shape):
    x = torch.randn(4, *shape, requires_grad=False)
    said = training_memory(read(module, shape, batch=4)).saved.value
    assert said == really_saved(module.train(), x)


def test_the_saved_bytes_follow_their_formula_to_another_size():
    reading = read(lambda: model("resnet18"), (3, 64, 64), batch=2)
    said = training_memory(reading, batch=3, height=96, width=80).saved.value
    assert said == really_saved(model("resnet18"), torch.randn(3, 3, 96, 80))


class Tokens(nn.Module):
    """A linear layer on a turned map, which torch copies into one matrix."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 8)

    def forward(self, x):
        return self.linear(x.flatten(2).transpose(1, 2))


def small_vit():
    return torchvision.models.VisionTransformer(32, 8, 2, 4, 64, 128, num_classes=10).train()


UNLIKE = {"tokens": (Tokens, (3, 16, 16)), "ViT": (small_vit, (3, 32, 32))}


@pytest.mark.parametrize(("make", "shape"), UNLIKE.values(), ids=UNLIKE)
def test_the_formula_holds_at_batches_other_than_the_one_read_at(make, shape):
    reading = read(make, shape)
    formula = training_formula(reading).saved.value
    for batch in (2, 3, 5):
        real = really_saved(make(), torch.randn(batch, *shape))
        assert formula.subs({B: batch, H: shape[1], W: shape[2]}) == real
        assert training_memory(reading, batch=batch).saved.value == real


def test_a_batch_of_one_is_run_as_such():
    shape = (7, 16)
    for module in (Attention(0.1), nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)):
        said = training_memory(read(module, shape), batch=1).saved.value
        assert said == really_saved(module.train(), torch.randn(1, *shape))


class Rooted(nn.Module):
    """Its side is a float on the way: no formula of it is right."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, x):
        side = int((x.shape[2] * x.shape[3]) ** 0.5)
        return self.conv(functional.interpolate(x, size=(side, side)))


def test_a_formula_that_a_second_run_contradicts_is_refused_and_the_size_run_instead():
    reading = read(Rooted, (3, 16, 16))
    with pytest.raises(AnalysisError, match=r"no closed form that can be trusted.*contradicts"):
        training_formula(reading)
    real = really_saved(Rooted(), torch.randn(3, 3, 32, 18))
    assert training_memory(reading, batch=3, height=32, width=18).saved.value == real
    real = really_saved(Rooted(), torch.randn(1, 3, 32, 18))
    assert training_memory(reading, height=32, width=18).saved.value == real


class Attending(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.linear, self.options = nn.Linear(16, 16), options

    def forward(self, x):
        heads = self.linear(x).unflatten(2, (4, 4)).transpose(1, 2)
        keys = heads[:, :2] if "enable_gqa" in self.options else heads
        options = dict(self.options)
        if "attn_mask" in options:
            options["attn_mask"] = torch.ones(7, 7, device=x.device).to(options["attn_mask"])
        return functional.scaled_dot_product_attention(heads, keys, keys, **options)


class Flat(nn.Module):
    def forward(self, x):
        return functional.scaled_dot_product_attention(x, x, x)


class Kept(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x, x.exp())
        return x.sigmoid()

    @staticmethod
    def backward(ctx, gradient):
        return gradient


class Custom(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(16, 16)

    def forward(self, x):
        return Kept.apply(self.linear(x))


UNKNOWN = {
    "lstm": nn.LSTM(16, 8, bidirectional=True, batch_first=True),
    "gru": nn.GRU(16, 8, bidirectional=True, batch_first=True),
    "rnn_tanh": nn.RNN(16, 8, bidirectional=True, batch_first=True),
    "torch.autograd.Function": Custom(),
}


@pytest.mark.parametrize(("name", "module"), UNKNOWN.items(), ids=UNKNOWN)
def test_operators_whose_saved_bytes_are_not_known_are_refused_by_name(name, module):
    reading = read(module, (7, 16))
    for memory in (training_memory, training_formula):
        with pytest.raises(AnalysisError, match=f"the bytes that {name} saves .* are not known"):
            memory(reading)


class Cast(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(16, 16)

    def forward(self, x):
        with torch.autocast("cpu", torch.bfloat16):
            return self.linear(x)


def test_what_a_real_device_would_cast_has_no_training_memory_here():
    reading = read(Cast(), (16,))
    assert reading.total.macs == 256
    with pytest.raises(AnalysisError, match=r"the bytes that torch\.autocast saves .* not known"):
        training_memory(reading)


ATTENTIONS = {
    "plain": {},
    "a mask of numbers": {"attn_mask": torch.float32},
    "a mask of truths": {"attn_mask": torch.bool},
    "causal": {"is_causal": True},
    "grouped queries": {"enable_gqa": True},
    "grouped queries and a mask": {"enable_gqa": True, "attn_mask": torch.bool},
    "dropout": {"dropout_p": 0.1},
}


@pytest.mark.parametrize("options", ATTENTIONS.values(), ids=ATTENTIONS)
def test_attention_saves_what_torch_saves(options):
    reading = read(Attending(**options), (7, 16))
    assert reading.total.macs == 7 * 16 * 16 + 2 * 7 * 7 * 16
    for batch in (1, 2, 3, 5):
        said = training_memory(reading, batch=batch).saved.value
        assert said == really_saved(Attending(**options), torch.randn(batch, 7, 16))


class Wide(nn.Module):
    """Attention whose values are wider than its keys, under a learned bias if asked."""

    def __init__(self, biased=False, width=6):
        super().__init__()
        self.linear, self.width = nn.Linear(16, 4 * (4 + width)), width
        self.bias = nn.Parameter(torch.zeros(1, 4, 1, 1)) if biased else None

    def forward(self, x):
        keys, values = (
            self.linear(x).unflatten(2, (4, -1)).transpose(1, 2).split((4, self.width), 3)
        )
        mask = None if self.bias is None else self.bias.expand(1, 4, x.shape[1], x.shape[1])
        return functional.scaled_dot_product_attention(keys, keys, values, attn_mask=mask)


MODULES = [nn.Sequential(nn.Linear(16, 16), Flat()), Wide(), Wide(biased=True, width=4)]


@pytest.mark.parametrize("module", MODULES)
def test_attention_of_other_shapes_saves_what_torch_saves(module):
    reading = read(module, (7, 16))
    for batch in (1, 2, 3):
        said = training_memory(reading, batch=batch).saved.value
        assert said == really_saved(module, torch.randn(batch, 7, 16))


RECURRENCES = {
    "GRU": nn.GRU(16, 8, batch_first=True),
    "three layers with dropout": nn.GRU(16, 8, 3, dropout=0.2),
    "both directions": nn.GRU(16, 8, 2, bidirectional=True),
    "LSTM with projections": nn.LSTM(16, 8, 2, proj_size=4),
    "a plain one": nn.RNN(16, 8, 2, nonlinearity="relu", batch_first=True),
    "a plain one in both directions": nn.RNN(16, 8, bidirectional=True, bias=False),
}


@pytest.mark.filterwarnings("ignore:LSTM with projections")  # torch's note on the library's limits
@pytest.mark.parametrize("module", RECURRENCES.values(), ids=RECURRENCES)
def test_a_recurrence_saves_what_torch_saves(module):
    reading = read(module, (7, 16))
    for batch in (1, 2, 3):
        said = training_memory(reading, batch=batch).saved.value
        assert said == really_saved(module, torch.randn(batch, 7, 16))


LSTMS = {
    "one layer": {},
    "two layers with dropout": {"num_layers": 2, "dropout": 0.3, "batch_first": True},
    "both directions without bias": {"bidirectional": True, "bias": False},
}


@pytest.mark.filterwarnings("ignore:TF32 acceleration")  # torch's, at switching oneDNN off
@pytest.mark.parametrize("options", LSTMS.values(), ids=LSTMS)
def test_an_lstm_is_counted_as_torch_itself_saves_it_which_a_library_exceeds(options):
    module, x = nn.LSTM(16, 8, **options).train(), torch.randn(3, 7, 16)
    memory = training_memory(read(module, (7, 16)), batch=3)
    with torch.backends.mkldnn.flags(enabled=False):
        assert memory.saved.value == really_saved(module, x)
    if torch.backends.mkldnn.is_available():
        assert memory.saved.value < really_saved(module, x)
    assert memory.beside == (
        "lstm is counted as torch itself saves it: at least, for the library that a CPU runs in "
        "its place keeps a workspace of its own size",
    )


def test_an_lstm_in_doubles_has_no_workspace():
    module = nn.LSTM(16, 8).double()
    memory = training_memory(read(module, (7, 16), dtype=torch.float64), batch=3)
    assert memory.saved.value == really_saved(module, torch.randn(3, 7, 16).double())
    assert memory.beside == ()


def test_a_bound_gives_no_largest_batch():
    with pytest.raises(AnalysisError, match="no batch is known to fit: lstm is counted"):
        largest_batch(training_formula(read(Last(), (7, 16))), 1, height=7)


class Last(nn.Module):
    """An LSTM over the batch, whose length is no size of the formula."""

    def __init__(self):
        super().__init__()
        self.cell = nn.LSTM(16, 8)

    def forward(self, x):
        return self.cell(x.transpose(0, 1)[:2])[0]


class Unrolled(nn.Module):
    def __init__(self, cell):
        super().__init__()
        self.cell = cell

    def forward(self, x):
        state = None
        for step in range(7):
            state = self.cell(x[:, step], state)
        return state[0] if isinstance(state, tuple) else state


@pytest.mark.parametrize("cell", [nn.LSTMCell(16, 8), nn.GRUCell(16, 8), nn.RNNCell(16, 8)])
def test_a_cell_saves_its_gates_whole(cell):
    reading = read(Unrolled(cell), (7, 16))
    real = really_saved(Unrolled(cell), torch.randn(3, 7, 16))
    assert training_memory(reading, batch=3).saved.value == real
    assert training_formula(reading).saved.value.subs({B: 3, H: 7}) == real


class Doubled(nn.Module):
    def forward(self, x):
        return x.double().exp()


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_module_in_another_type_keeps_its_own_bytes(dtype, precision):
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 64, 2)
    ).to(dtype)
    reading = read(module, (3, 10, 10), batch=2)
    assert reading.dtype == dtype
    memory = training_memory(reading, precision=precision)
    held = sum(one.nbytes for one in module.parameters())
    assert memory.weights.value == memory.gradients.value == memory.state.value / 2 == held
    assert memory.buffers.value == sum(one.nbytes for one in module.buffers() if one.dim())
    assert memory.saved.value == really_saved(module, torch.randn(2, 3, 10, 10).to(dtype))
    alive = inference_memory(reading, precision=precision).saved.value
    assert alive == dtype.itemsize * 2 * (3 * 100 + 4 * 64)  # the convolution's two sides


REDUCED = {
    "batch norm": (nn.BatchNorm2d(4, affine=False), (4, 10, 10)),
    "instance norm": (nn.InstanceNorm2d(4), (4, 10, 10)),
    "group norm": (nn.GroupNorm(2, 4), (4, 10, 10)),
    "layer norm": (nn.LayerNorm(16), (7, 16)),
    "RMS norm": (nn.RMSNorm(16), (7, 16)),
    "attention": (nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), (7, 16)),
}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(("layer", "shape"), REDUCED.values(), ids=REDUCED)
def test_a_module_in_bfloat16_saves_what_torch_saves_whatever_precision_is_asked_for(
    layer, shape, precision
):
    module = nn.Sequential(nn.Conv2d(4, 4, 1) if shape[0] == 4 else nn.Linear(16, 16), layer)
    module.bfloat16().train()
    said = training_memory(read(module, shape), precision=precision, batch=2).saved.value
    assert said == really_saved(module, torch.randn(2, *shape).bfloat16())


def test_a_module_of_two_types_shows_both_in_its_calculation():
    module = nn.Sequential(nn.Linear(6, 6).double(), Singled(), nn.Linear(6, 2))
    memory = training_memory(read(module, (6,), dtype=torch.float64), precision="bf16")
    assert memory.weights.text == "8·42 + 2·14 = 364"
    assert memory.state.text == "2·8·42 + 2·2·14 = 728"


class Singled(nn.Module):
    def forward(self, x):
        return x.float()


def test_numbers_that_a_module_doubles_itself_count_as_doubles():
    module = nn.Sequential(nn.Linear(6, 6), Doubled())
    said = training_memory(read(module, (6,), batch=3)).saved.value
    assert said == really_saved(module, torch.randn(3, 6))


def test_frozen_parameters_have_no_gradient_and_no_state():
    module = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 2))
    module[0].requires_grad_(requires_grad=False)
    memory = training_memory(read(module, (6,)))
    assert memory.weights.value == 4 * (42 + 14)
    assert (memory.gradients.value, memory.state.value) == (4 * 14, 8 * 14)


def test_buffers_of_integers_keep_their_own_bytes():
    module = nn.Linear(6, 6)
    module.register_buffer("places", torch.arange(5))
    for precision in ("fp32", "bf16"):
        assert training_memory(read(module, (6,)), precision=precision).buffers.value == 40
        assert inference_memory(read(module, (6,)), precision=precision).buffers.value == 40


def test_vit_b_16_saves_what_torch_keeps_of_three_images():
    reading = read(lambda: model("vit_b_16"), (3, 224, 224))
    formula = training_formula(reading)
    sizes = {H: 224, W: 224}
    assert formula.saved.value.subs(sizes | {B: 3}) == 354_482_040  # torch's hooks, on the CPU
    assert largest_batch(formula, 24, height=224, width=224) == 206


def test_vgg19_saves_157_megabytes_at_batch_2():
    reading = read(lambda: model("vgg19"), (3, 224, 224), batch=2)
    assert round(training_memory(reading).saved.value / 1e6) == 157
    roles = {one.operator: one.roles for one in rules_found(reading.training)}
    assert roles["max_pool2d"] == ("own (64-bit integers)",)
    assert roles["relu"] == ("output",)


@pytest.mark.parametrize(("optimizer", "states"), [("sgd", 0), ("momentum", 1), ("adam", 2)])
@pytest.mark.parametrize(("precision", "size"), [("fp32", 4), ("bf16", 2)])
def test_gradients_and_optimizer_state_follow_the_parameters(optimizer, states, precision, size):
    reading = read(nn.Linear(10, 11), (10,))
    memory = training_memory(reading, optimizer=optimizer, precision=precision)
    assert memory.weights.value == memory.gradients.value == 121 * size
    assert memory.state.value == states * 121 * size
    assert memory.saved.value == 10 * size
    assert memory.total.value == (2 + states) * 121 * size + 10 * size


def test_the_optimizer_states_are_torchs():
    module = nn.Linear(10, 11)
    optimizers = {
        "sgd": torch.optim.SGD(module.parameters(), 0.1),
        "momentum": torch.optim.SGD(module.parameters(), 0.1, momentum=0.9),
        "adam": torch.optim.Adam(module.parameters()),
    }
    for name, optimizer in optimizers.items():
        module(torch.ones(1, 10)).sum().backward()
        optimizer.step()
        state = [t for one in optimizer.state.values() for t in one.values() if torch.is_tensor(t)]
        said = training_memory(read(module, (10,)), optimizer=name).state.value
        assert said == sum(t.nbytes for t in state if t.dim())  # Adam's step counters apart


def test_bf16_halves_floats_and_leaves_indices():
    module = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.MaxPool2d(2))
    memory = training_memory(read(module, (3, 10, 10), batch=2), precision="bf16").saved.value
    inputs, maps, indices = 2 * 300, 2 * 4 * 64, 2 * 4 * 16
    assert memory == 2 * inputs + 2 * maps + 8 * indices
    x = torch.randn(2, 3, 10, 10, dtype=torch.bfloat16)
    assert memory == really_saved(module.bfloat16(), x)


def test_the_largest_batch_fits_and_one_more_does_not():
    formula = training_formula(read(lambda: model("resnet18"), (3, 224, 224)))
    batch = largest_batch(formula, 4, height=224, width=224)
    used = formula.total.value.subs({H: 224, W: 224})
    assert used.subs(B, batch) <= 4 * 2**30 < used.subs(B, batch + 1)


def test_unknown_optimizers_and_precisions_are_refused():
    reading = read(nn.Linear(3, 3), (3,))
    with pytest.raises(AnalysisError, match="optimizer must be one of sgd, momentum, adam"):
        training_memory(reading, optimizer="lion")
    with pytest.raises(AnalysisError, match="precision must be one of fp32, bf16"):
        training_memory(reading, precision="fp8")


def test_evaluation_holds_the_largest_neighbours():
    module = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 2, 1), nn.Conv2d(2, 2, 1))
    memory = inference_memory(read(module, (3, 10, 10)))
    assert memory.parts["alive at once"].value == 4 * 100 * (8 + 3)
    residual = inference_memory(read(Residual(), (3, 10, 10)))
    assert residual.parts["alive at once"].value == 4 * 100 * 9
    assert memory.gradients.value == memory.state.value == 0


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)

    def forward(self, x):
        return x + self.two(functional.relu(self.one(x)))


def test_a_formula_that_holds_at_one_size_gives_no_batch_at_another():
    formula = training_formula(read(lambda: model("vit_b_32"), (3, 224, 224)))
    assert largest_batch(formula, 4, height=224, width=224) > 0
    with pytest.raises(AnalysisError, match="does not hold at H = 256, W = 320: read the module"):
        largest_batch(formula, 4, height=256, width=320)


def test_the_layers_add_up_to_what_is_saved():
    reading = read(lambda: model("resnet18"), (3, 64, 64), batch=2)
    memory = training_memory(reading)
    assert sum(part.value for _, part in memory.layers) == memory.saved.value
    layers = dict(training_formula(reading).layers)
    assert layers["conv1"].value == 4 * 3 * B * H * W
    built_in = analysis.footprint.training_memory(analysis.vgg19_torchvision(batch=2))
    assert sum(part.value for _, part in built_in.layers) == built_in.saved.value


def test_totals_in_training_are_refused_where_what_is_saved_is_not_known():
    trained = read(nn.LSTM(5, 8), (7, 5)).training
    with pytest.raises(AnalysisError, match=r"the bytes that lstm saves .* are not known"):
        trained.totals(2, 7)
