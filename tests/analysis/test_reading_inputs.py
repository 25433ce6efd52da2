"""What a module is called with: several inputs, nested ones, volumes."""

import pytest
import torch
from saved_bytes import really_saved
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import video

from analysis import AnalysisError, B, H, W
from analysis.reading import read, summary, training_formula, training_memory

pytestmark = pytest.mark.usefixtures("one_thread")


class Conditioned(nn.Module):
    """An image, shifted by a vector."""

    def __init__(self):
        super().__init__()
        self.conv, self.linear = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(10, 8)

    def forward(self, image, vector):
        return self.conv(image) + self.linear(vector)[:, :, None, None]


class Siamese(nn.Module):
    """One convolution for the two images of a pair, or of a dictionary."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)

    def forward(self, pair):
        one, two = pair.values() if isinstance(pair, dict) else pair
        return self.conv(one) * self.conv(two)


class Masked(nn.Module):
    """Token ids, and which of them count."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(50, 16)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)

    def forward(self, ids, mask):
        return self.layer(self.embedding(ids), src_key_padding_mask=mask)


@pytest.mark.parametrize(
    "shapes", [[(3, 16, 20), (10,)], {"image": (3, 16, 20), "vector": (10,)}], ids=["list", "names"]
)
def test_a_module_is_read_on_an_image_and_a_vector(shapes):
    found = summary(Conditioned(), shapes, batch=2)
    assert [row.layer for row in found.rows[:2]] == ["input", "input:2"]
    assert found.rows[1].output == (10,)
    assert found.total.macs == 2 * (16 * 20 * 27 * 8 + 80)
    assert found.closed_form.total.macs == 216 * B * H * W + 80 * B
    assert found.row("add").receptive_field == 3
    assert found.at(height=32, batch=1).total.macs == 32 * 20 * 216 + 80


def test_what_a_module_of_two_inputs_saves_is_what_torch_saves():
    reading = read(Conditioned(), [(3, 16, 20), (10,)])
    real = really_saved(Conditioned(), torch.randn(3, 3, 16, 20), torch.randn(3, 10))
    assert training_memory(reading, batch=3).saved.value == real
    formula = training_formula(reading).saved.value
    assert formula.subs({B: 3, H: 16, W: 20}) == real


@pytest.mark.parametrize("pair", [[(3, 16, 20)] * 2, {"left": (3, 16, 20), "right": (3, 16, 20)}])
def test_one_argument_holds_both_images_and_both_follow_the_size(pair):
    reading = read(Siamese(), [pair])
    assert reading.closed_form.total.macs.equals(432 * B * (H - 2) * (W - 2))
    assert reading.check.passed
    assert reading.at(height=32, width=40).total.macs == 432 * 30 * 38


def test_token_ids_come_with_a_mask_of_truths():
    reading = read(Masked(), [(7,), (7,)], dtype=[torch.int64, torch.bool])
    assert reading.closed_form.total.macs == 32 * B * H**2 + 2048 * B * H
    mask = torch.zeros(3, 7, dtype=torch.bool)
    real = really_saved(Masked(), torch.zeros(3, 7, dtype=torch.int64), mask)
    assert training_memory(reading, batch=3).saved.value == real


def test_an_encoder_and_a_decoder_keep_their_own_lengths():
    network = nn.Transformer(16, 2, 1, 1, 32, batch_first=True)
    reading = read(network, [(7, 16), (5, 16)])
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        network.to("meta")(torch.empty(1, 7, 16), torch.empty(1, 5, 16))
    assert reading.total.flops == counter.get_total_flops()
    assert reading.check.passed
    assert reading.closed_form.rows[1].output == (5, 16)


def test_inputs_that_are_none_are_refused():
    with pytest.raises(AnalysisError, match=r"must be positive whole numbers .* not \(0,\)"):
        read(Conditioned(), [(3, 16, 20), (0,)])
    with pytest.raises(AnalysisError, match=r"needs the shape of one input or more, not \{\}"):
        read(Conditioned(), {})


@pytest.mark.parametrize(
    ("types", "told"),
    [
        ([torch.float32], "a list of 2 needs as many types, not 1"),
        ("int64", "must be torch's, such as torch.int64, not 'int64'"),
        ([torch.float32, 7], "not 7"),
    ],
)
def test_types_that_are_none_are_refused(types, told):
    with pytest.raises(AnalysisError, match=told):
        read(Conditioned(), [(3, 16, 20), (10,)], dtype=types)


def test_a_type_for_an_input_that_is_not_there_is_refused():
    shapes = {"image": (3, 16, 20), "vector": (10,)}
    with pytest.raises(AnalysisError, match="no input is called vectr: image, vector are"):
        read(Conditioned(), shapes, dtype={"vectr": torch.float32})


def test_a_volume_is_seen_along_three_axes():
    layers = nn.Conv3d(2, 4, (1, 3, 5)), nn.AvgPool3d(2), nn.Conv3d(4, 4, 3, stride=(1, 2, 1))
    module = nn.Sequential(*layers).double()
    reading = read(module, (2, 10, 24, 24))
    x = torch.randn(1, 2, 10, 24, 24, dtype=torch.float64, requires_grad=True)
    out = module(x)
    assert reading.rows[-1].output == (*out.shape[2:], out.shape[1])
    out[0, :, 0, 0, 0].sum().backward()
    lit = [x.grad[0].abs().sum(dim=dims) > 0 for dims in ((0, 2, 3), (0, 1, 3), (0, 1, 2))]
    assert reading.rows[-1].receptive_field == tuple(int(axis.sum()) for axis in lit)
    assert reading.rows[-1].jump == (2, 4, 2)
    assert reading.closed_form.rows[1].output == (10, H - 2, W - 4, 4)


@pytest.mark.parametrize("name", ["r3d_18", "r2plus1d_18", "swin3d_t"])
def test_a_video_network_counts_as_torch_does(name):
    with torch.device("meta"):
        network = getattr(video, name)().eval()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(torch.empty(1, 3, 8, 112, 112))
    reading = read(network, (3, 8, 112, 112))
    assert reading.total.flops == counter.get_total_flops()
    assert reading.total.parameters == sum(p.numel() for p in network.parameters())
    assert not reading.unknown
