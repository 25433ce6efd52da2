"""The networks: their sizes against published counts, their shapes, and what each choice of a spec
changes.
"""

from itertools import permutations, product
from typing import Any

import pytest
import torch
from torch import nn

from models.data.datasets import DATASETS
from models.networks import kernels
from models.networks.architectures import ARCHITECTURES, STEPS, layer_names
from models.networks.build import build, count_parameters, learned_normalization
from models.networks.layers import NORMS, InputNorm, make_norm
from models.networks.spec import ONE_BY_ONE
from models.specs import RunSpec

LENETS = ("lenet5", "lenet-stride1", "lenet5-norm")


def network_of(seed: int = 0, **fields: Any) -> nn.Sequential:
    torch.manual_seed(seed)
    return build(RunSpec(**{"dataset": "mnist", **fields}))


def images(dataset: str = "mnist", count: int = 4) -> torch.Tensor:
    info = DATASETS[dataset]
    return torch.rand(
        count, info.channels, info.side, info.side, generator=torch.Generator().manual_seed(1)
    )


def kinds(network: nn.Module) -> list[str]:
    """The modules of a network in order, those that hold no others."""
    return [type(module).__name__ for module in network.modules() if not list(module.children())]


# Sizes


def test_lenet5_has_61706_parameters() -> None:
    assert count_parameters(network_of(network="lenet5")) == (61_706, 61_706)


@pytest.mark.parametrize(
    ("choices", "total", "trainable"),
    [
        ({"norm": "batch", "input_norm": "standard"}, 546_538, 546_042),
        ({"norm": "batch", "input_norm": "batch"}, 546_542, 546_044),
        ({"norm": "none", "dropout": 0.5, "input_dropout": 0.2}, 545_546, 545_546),
        (
            {"norm": "batch", "input_norm": "batch", "dropout": 0.5, "input_dropout": 0.2},
            546_542,
            546_044,
        ),
    ],
)
def test_the_worked_solutions_four_models_have_keras_counts(
    choices: dict[str, Any], total: int, trainable: int
) -> None:
    assert count_parameters(network_of(network="lenet-stride1", **choices)) == (total, trainable)


def test_the_cifar_notes_visible_summary_cells_come_out() -> None:
    network = network_of(
        network="cifar-note", dataset="cifar10", norm="batch", input_norm="batch", dropout=0.2
    )
    cells = [network.input, network.conv1.conv, network.conv1.norm, network.conv2.conv]
    assert [count_parameters(cell).total for cell in cells] == [12, 896, 128, 9_248]


@pytest.mark.parametrize("name", ["minigooglenet", "minigooglenet-unpadded"])
def test_minigooglenets_count_is_the_sum_over_its_convolutions(name: str) -> None:
    # (channels in, channels out, kernel), written down from figure 3 of Zhang et al. 2017
    convolutions, channels = [(1, 96, 3)], 96
    for one, three in [
        (32, 32),
        (32, 48),
        (0, 80),
        (112, 48),
        (96, 64),
        (80, 80),
        (48, 96),
        (0, 96),
        *[(176, 160)] * 2,
    ]:
        convolutions += (
            [(channels, one, 1), (channels, three, 3)] if one else [(channels, three, 3)]
        )
        channels = one + three if one else channels + three
    trainable = (
        sum((cin * side * side + 1) * cout + 2 * cout for cin, cout, side in convolutions)
        + (channels + 1) * 10
    )
    statistics = sum(2 * cout for _, cout, _ in convolutions)
    network = network_of(network=name, dataset="fashion-mnist", norm="batch")
    assert count_parameters(network) == (trainable + statistics, trainable)


@pytest.mark.parametrize("kind", ["plain", "resnet"])
def test_the_residual_networks_have_the_parameters_of_their_paper(kind: str) -> None:
    """He et al. 2016, section 4.2: 16, 32 and 64 channels, shortcuts without parameters."""
    style = {"dataset": "cifar10", "norm": "batch", "width": 2, "bias_before_norm": False}
    network = network_of(network=f"{kind}20", **style)
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) + 1 == 20
    assert count_parameters(network).trainable == 269_722


def test_a_shortcut_adds_what_came_in_every_other_pixel_of_it_and_zeros_for_new_channels() -> None:
    network = network_of(network="resnet8", dataset="cifar10")
    pair, x = network.pair21, torch.rand(2, 8, 32, 32)
    for inside in (pair.sum.inside.first, pair.sum.inside.second):
        nn.init.zeros_(inside.conv.weight)
    y = pair(x)
    assert y.shape == (2, 16, 16, 16)
    assert torch.equal(y[:, 4:12], x[:, :, ::2, ::2])
    assert not y[:, :4].any()
    assert not y[:, 12:].any()


def test_a_plain_network_is_its_residual_twin_without_the_sums() -> None:
    plain, residual = (
        network_of(network=f"{kind}14", dataset="cifar10", norm="batch")
        for kind in ("plain", "resnet")
    )
    weights = list(residual.parameters())
    assert all(map(torch.equal, plain.parameters(), weights))
    x = images("cifar10")
    assert not torch.allclose(plain(x), residual(x))


def test_dropout_follows_the_chosen_layers_alone() -> None:
    network = network_of(dropout=0.5, dropout_layers=("fc1", "conv2"))
    dropped = {name for name, block in network.named_children() if hasattr(block, "dropout")}
    assert dropped == {"conv2", "fc1"}


def test_width_multiplies_every_hidden_layer_but_not_the_classes() -> None:
    network = network_of(network="lenet5", width=3)
    widths = [p.shape[0] for name, p in network.named_parameters() if name.endswith("weight")]
    assert widths == [18, 48, 360, 252, 10]


# Shapes


@pytest.mark.parametrize(
    ("name", "dataset"), list(product(ARCHITECTURES, ("fashion-mnist", "cifar10")))
)
def test_every_network_takes_every_data_sets_images_to_ten_logits(name: str, dataset: str) -> None:
    network = network_of(network=name, dataset=dataset, norm="batch")
    assert network(images(dataset, 2)).shape == (2, 10)


def sides(network: nn.Sequential, x: torch.Tensor) -> dict[str, int]:
    seen = {}
    for name, block in network.named_children():
        x = block(x)
        if x.dim() == 4:
            seen[name] = x.shape[-1]
    return seen


def test_the_worked_solutions_sides_are_28_27_23_11_7() -> None:
    seen = sides(network_of(network="lenet-stride1"), images())
    assert [seen[name] for name in ("conv1", "pool1", "conv2", "pool2", "conv3")] == [
        28,
        27,
        23,
        11,
        7,
    ]


def test_the_two_minigooglenets_end_at_seven_by_different_ways() -> None:
    padded = sides(network_of(network="minigooglenet"), images())
    unpadded = sides(network_of(network="minigooglenet-unpadded"), images())
    assert [padded[name] for name in ("conv1", "downsample1", "downsample2", "pool")] == [
        28,
        14,
        7,
        1,
    ]
    assert [unpadded[name] for name in ("resize", "conv1", "downsample1", "downsample2")] == [
        32,
        32,
        15,
        7,
    ]


# What follows a layer


@pytest.mark.parametrize("order", list(permutations(STEPS)))
def test_norm_activation_and_dropout_follow_in_the_order_asked_for(order: tuple[str, ...]) -> None:
    network = network_of(network="lenet5", norm="batch", dropout=0.5, order="-".join(order))
    for stage in (network.fc1, network.fc2):
        assert [name for name, _ in stage.named_children() if name in STEPS] == list(order)
    names = [name for name, _ in network.conv2.named_children()]
    assert [name for name in names if name in STEPS] == list(order)
    assert names.index("pool") == names.index("activation") + 1


def test_the_worked_solution_normalizes_after_activation_and_pooling_then_drops_out() -> None:
    network = network_of(
        network="lenet-stride1", norm="batch", input_norm="batch", dropout=0.5, input_dropout=0.2
    )
    hidden = ["Conv2d", "Tanh", "BatchNorm2d", "AveragePool2x2", "BatchNorm2d", "Dropout"]
    last = [
        "Conv2d",
        "Tanh",
        "BatchNorm2d",
        "Dropout",
        "Flatten",
        "Linear",
        "Tanh",
        "BatchNorm1d",
        "Dropout",
        "Linear",
    ]
    assert kinds(network) == ["BatchNorm2d", "Dropout", "AffineConv2d", *hidden[1:], *hidden, *last]


def test_the_cifar_note_normalizes_what_enters_the_next_layer() -> None:
    network = network_of(
        network="cifar-note", dataset="cifar10", norm="batch", input_norm="batch", dropout=0.2
    )
    assert kinds(network) == [
        *(
            "BatchNorm2d",
            "AffineConv2d",
            "ReLU",
            "Dropout",
            "BatchNorm2d",
            "Conv2d",
            "ReLU",
            "MaxPool2d",
            "BatchNorm2d",
        ),
        *("Conv2d", "ReLU", "MaxPool2d", "Flatten", "Dropout", "BatchNorm1d"),
        *("Linear", "ReLU", "Dropout", "BatchNorm1d", "Linear"),
    ]


def test_minigooglenet_drops_out_only_before_its_classifier() -> None:
    network = network_of(network="minigooglenet", norm="batch", dropout=0.5)
    assert kinds(network)[-4:] == ["AdaptiveAvgPool2d", "Dropout", "Flatten", "Linear"]
    assert kinds(network).count("Dropout") == 1


@pytest.mark.parametrize("chosen", [("conv1",), ("fc2",), ("conv2", "fc1"), layer_names("lenet5")])
def test_only_the_chosen_layers_are_normalized(chosen: tuple[str, ...]) -> None:
    network = network_of(network="lenet5", norm="batch", norm_layers=chosen)
    assert set(learned_normalization(network)) == set(chosen)


def test_a_block_of_minigooglenet_is_normalized_as_one() -> None:
    network = network_of(network="minigooglenet", norm="batch", norm_layers=("inception3",))
    assert set(learned_normalization(network)) == {"inception3.conv1x1", "inception3.conv3x3"}


def test_a_bias_goes_only_where_a_norm_directly_follows() -> None:
    def biased(**choices: Any) -> list[str]:
        network = network_of(network="lenet5", norm="batch", bias_before_norm=False, **choices)
        named = [
            name
            for name, _ in network.named_parameters()
            if name.endswith(("conv.bias", "linear.bias"))
        ]
        return [name.split(".")[0] for name in named]

    everywhere = [*layer_names("lenet5"), "output"]
    assert biased() == ["output"]
    assert biased(norm_layers=("conv1", "fc2")) == ["conv2", "fc1", "output"]
    assert biased(order="activation-norm-dropout") == everywhere
    assert biased(order="dropout-norm-activation", dropout=0.5) == everywhere
    assert biased(order="dropout-norm-activation") == ["output"]


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu"])
@pytest.mark.parametrize("name", LENETS)
def test_the_activation_can_be_chosen(name: str, activation: str) -> None:
    module = {"tanh": kernels.Tanh, "sigmoid": nn.Sigmoid, "relu": nn.ReLU}[activation]
    network = network_of(network=name, activation=activation)
    assert sum(isinstance(m, module) for m in network.modules()) == len(network) - 2 - 2 * (
        name == "lenet-stride1"
    )


# Normalization


@pytest.mark.parametrize("kind", ["batch", "layer", "group", "instance"])
def test_a_norm_gives_mean_0_and_variance_1_over_what_it_averages(kind: str) -> None:
    x = 3 * torch.randn(8, 4, 5, 5, generator=torch.Generator().manual_seed(0)) + 2
    norm = make_norm(kind, 4, spatial=True)
    assert norm is not None
    y = norm(x).detach()
    averaged = {
        "batch": y.transpose(0, 1).flatten(1),  # (C, B·H·W)
        "layer": y.flatten(1),  # (B, C·H·W)
        "group": y.reshape(8, 2, -1).flatten(0, 1),  # (B·2, C/2·H·W)
        "instance": y.flatten(2).flatten(0, 1),  # (B·C, H·W)
    }[kind]
    torch.testing.assert_close(averaged.mean(1), torch.zeros(len(averaged)), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        averaged.var(1, correction=0), torch.ones(len(averaged)), atol=1e-4, rtol=0
    )


@pytest.mark.parametrize(
    ("kind", "name"), [pair for pair in product(NORMS, LENETS) if pair[0] != "batch-unlearned"]
)
def test_each_norm_learns_one_gamma_and_beta_a_channel(kind: str, name: str) -> None:
    network = network_of(network=name, norm=kind, input_norm="none")
    learned = learned_normalization(network)
    places = {"none": (), "instance": [n for n in layer_names(name) if not n.startswith("fc")]}
    assert list(learned) == list(places.get(kind, layer_names(name)))
    for values in learned.values():
        assert values["gamma"] == [1.0] * len(values["gamma"] or ())
        assert values["beta"] == [0.0] * len(values["gamma"] or ())
        assert (values["running_mean"] is not None) == (
            kind not in (*ONE_BY_ONE, "batch-no-tracking")
        )
    assert network(images()).shape == (4, 10)


def test_learned_values_are_named_by_layer_and_move_with_training() -> None:
    network = network_of(network="lenet5", norm="batch", input_norm="batch")
    nn.functional.cross_entropy(network(images()), torch.arange(4)).backward()
    torch.optim.SGD(network.parameters(), lr=1.0).step()
    learned = learned_normalization(network)
    assert list(learned) == ["input", "conv1", "conv2", "fc1", "fc2"]
    assert [len(values["gamma"] or ()) for values in learned.values()] == [1, 6, 16, 120, 84]
    for layer in learned.values():
        assert layer["gamma"] != [1.0] * len(layer["gamma"] or ())
        assert layer["running_mean"] != [0.0] * len(layer["running_mean"] or ())


def test_standard_input_norm_takes_the_training_sets_mean_to_0_and_deviation_to_1() -> None:
    info = DATASETS["cifar10"]
    norm = InputNorm("standard", info.mean, info.std)
    mean, std = (torch.tensor(values).reshape(1, 3, 1, 1) for values in (info.mean, info.std))
    torch.testing.assert_close(norm(mean), torch.zeros(1, 3, 1, 1))
    torch.testing.assert_close(norm(mean + std), torch.ones(1, 3, 1, 1))
    assert not norm.state_dict()


def test_no_input_norm_leaves_the_pixels_alone() -> None:
    x = images()
    assert InputNorm("none", (0.5,), (0.1,))(x) is x


# Dropout, initial weights, gradients


def test_dropout_drops_in_training_only() -> None:
    network = network_of(network="lenet5", dropout=0.5, input_dropout=0.2)
    x = images()
    assert not torch.equal(network(x), network(x))
    network.eval()
    assert torch.equal(network(x), network(x))


def test_dropout_zeroes_its_share_and_scales_the_rest_up() -> None:
    network = network_of(network="lenet5", input_dropout=0.2, input_norm="none")
    x = torch.ones(64, 1, 28, 28)
    dropped = network.input_dropout(x)
    assert (dropped == 0).float().mean().item() == pytest.approx(
        0.2, abs=0.01
    )  # 50,176 pixels: 5 deviations
    assert dropped.max().item() == pytest.approx(
        1 / 0.8, rel=1e-5
    )  # the rate is rounded to 1/65,536


@pytest.mark.parametrize("name", LENETS)
def test_one_seed_gives_the_same_initial_weights_with_and_without_norm_dropout_and_bias(
    name: str,
) -> None:
    plain = network_of(network=name).state_dict()
    other = network_of(network=name, norm="batch", dropout=0.5, bias_before_norm=False).state_dict()
    weights = [key for key in plain if key.endswith(("conv.weight", "linear.weight"))]
    assert len(weights) == len([stage for stage in ARCHITECTURES[name].blocks if stage.layer]) + 1
    assert all(torch.equal(plain[key], other[key]) for key in weights)


def test_another_seed_gives_other_weights() -> None:
    first, second = (network_of(seed, network="lenet5").conv1.conv.weight for seed in (0, 1))
    assert not torch.equal(first, second)


@pytest.mark.parametrize(("activation", "variance"), [("tanh", 2 / (400 + 120)), ("relu", 2 / 400)])
def test_initial_weights_have_the_variance_of_glorot_or_he(
    activation: str, variance: float
) -> None:
    linear = network_of(network="lenet5", activation=activation).fc1.linear
    assert linear.weight.var().item() == pytest.approx(variance, rel=0.05)  # 48,000 weights
    assert not linear.bias.any()


def test_the_initial_scale_multiplies_the_hidden_layers_weights_alone() -> None:
    plain, scaled = (
        network_of(network="lenet5", initial_scale=scale).state_dict() for scale in (1.0, 4.0)
    )
    for key in plain:
        assert torch.equal(scaled[key], plain[key] * (1.0 if key.startswith("output") else 4.0)), (
            key
        )


@pytest.mark.parametrize("name", list(ARCHITECTURES))
def test_a_gradient_reaches_every_parameter(name: str) -> None:
    network = network_of(network=name, norm="layer", input_norm="batch").double()
    nn.init.constant_(
        network.input.norm.bias, 0.5
    )  # at zero, the next norm would cancel γ altogether
    nn.functional.cross_entropy(network(images().double()), torch.arange(4)).backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.abs().max() > 0, key


def test_a_bias_before_a_batch_norm_gets_no_gradient_and_every_other_parameter_does() -> None:
    network = network_of(network="lenet5", norm="batch").double()
    nn.functional.cross_entropy(network(images().double()), torch.arange(4)).backward()
    for key, parameter in network.named_parameters():
        largest = parameter.grad.abs().max()
        cancelled = key.endswith(("conv.bias", "linear.bias")) and not key.startswith("output")
        assert largest < 1e-14 if cancelled else largest > 1e-6, key


# Mistakes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network": "lenet6"}, "network: expected one of lenet5, .* got 'lenet6'"),
        ({"activation": "swish"}, "activation: expected one of tanh, sigmoid, relu, got 'swish'"),
        ({"norm": "batc"}, "norm: expected one of none, batch, .* got 'batc'"),
        (
            {"norm": "batch", "norm_layers": ("fc9",)},
            "norm_layers: expected some of lenet5's conv1, conv2, fc1, fc2, got fc9",
        ),
        ({"order": "norm-activation"}, "order: expected a permutation of norm-activation-dropout"),
        ({"input_norm": "layer"}, "input_norm: expected one of none, standard, batch, got 'layer'"),
    ],
)
def test_a_wrong_name_is_refused_by_name(changes: dict[str, Any], message: str) -> None:
    spec = RunSpec(dataset="mnist").model_copy(update=changes)  # past the spec's own validation
    with pytest.raises(ValueError, match=message):
        build(spec)


def test_group_norm_refuses_an_odd_number_of_channels() -> None:
    with pytest.raises(
        ValueError, match=r"expected channels that group norm can part into 2, got 5"
    ):
        make_norm("group", 5, spatial=True)
