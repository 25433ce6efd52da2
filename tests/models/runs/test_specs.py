"""A run's spec: what it accepts, what it says, and the key that names it for ever."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import records
from models.data.datasets import DATASETS, DIGESTS
from models.fields import leaves
from models.networks import layers, normalizations
from models.networks import spec as network_spec
from models.networks.architectures import ARCHITECTURES, STEPS
from models.networks.build import build
from models.networks.layers import ACTIVATIONS, NORMS, InputNorm
from models.networks.spec import NetworkSpec
from models.specs import SCHEDULE_FIELDS, RunSpec, SpecError, grid
from models.training.augmentation import AUGMENTATIONS
from models.training.optimizers import OPTIMIZERS
from models.training.probes import FINAL, RATIOS
from models.training.schedules import SCHEDULES

CYCLE = {"schedule": "exp_range", "lr": 0.001, "max_lr": 0.1, "step_size_up": 100, "gamma": 0.999}

PUBLISHED = Path(__file__).parents[3] / "book" / "runs"
SWEEP = {"schedule": "range-test", "lr": 1e-5, "max_lr": 1}


def test_a_default_spelled_out_gives_the_same_key():
    spelled = RunSpec(
        network="lenet5", epochs=10, lr=0.1, train_size=None, dataset_digest=DIGESTS["mnist5k"]
    )
    assert spelled.key == RunSpec().key
    assert spelled == RunSpec()


def test_numbers_and_their_text_give_the_same_key():
    assert RunSpec(lr=1, epochs=3, seed=2).key == RunSpec(lr="1.0", epochs="3", seed="2").key


def test_layers_in_any_order_and_notation_give_the_same_key():
    keys = {
        RunSpec(norm="batch", norm_layers=layers).key
        for layers in ("fc1,conv1", ["conv1", "fc1"], ("fc1", "conv1"))
    }
    assert len(keys) == 1


def test_every_field_has_its_part_in_the_key():
    changes = {
        "network": "minigooglenet", "dataset": "mnist", "dataset_digest": "0" * 64,
        "train_size": 500, "validation_size": 100, "width": 2, "activation": "relu",
        "norm": "batch", "order": "activation-norm-dropout", "input_norm": "batch", "dropout": 0.5,
        "input_dropout": 0.2, "initial_scale": 2.0, "augmentation": "shift", "optimizer": "adam",
        "lr": 0.2, "momentum": 0.9, "weight_decay": 1e-4, "epochs": 3, "passes": 2,
        "batch_size": 64, "micro_batch": 32, "precision": "bf16", "seed": 1, "probes": "units",
    }  # fmt: skip
    specs = [RunSpec(**{name: value}) for name, value in changes.items()]
    specs += [RunSpec(norm="batch", norm_momentum=momentum) for momentum in (0, 0.01)]
    specs += [
        RunSpec(norm="batch", norm_layers=["fc1"]),
        RunSpec(norm="batch", bias_before_norm=False),
        RunSpec(dropout=0.5, dropout_layers=["fc1"]),
    ]
    specs += [
        RunSpec(**CYCLE),
        RunSpec(**{**CYCLE, "gamma": 0.99}),
        RunSpec(**{**CYCLE, "max_lr": 0.2}),
    ]
    specs += [
        RunSpec(**{**CYCLE, "step_size_up": 50}),
        RunSpec(schedule="step", milestones=[2], gamma=0.1),
    ]
    specs += [
        RunSpec(schedule="growing-batch", **field)
        for field in ({}, {"growth_step": 9}, {"max_batch_size": 512})
    ]
    specs += [RunSpec(**SWEEP), RunSpec(**SWEEP, candidates=10), RunSpec(loss_every=5)]
    touched = {name for spec in specs for name in spec.model_fields_set}
    assert touched == set(RunSpec.model_fields)
    assert len({spec.key for spec in [RunSpec(), *specs]}) == len(specs) + 1


def test_probes_in_any_order_and_notation_give_the_same_key():
    specs = {
        RunSpec(probes=probes)
        for probes in ("units,inputs", ["inputs", "units", "units"], ("inputs", "units"))
    }
    assert len({spec.key for spec in specs}) == 1
    assert specs.pop().probes == ("inputs", "units")


def test_the_key_is_the_same_in_another_process():
    program = (
        "from models.specs import RunSpec\n"
        "print(RunSpec(norm='batch', norm_layers=['fc1', 'conv1'], lr=0.3).key)"
    )
    printed = [
        subprocess.check_output([sys.executable, "-c", program], text=True).strip()
        for _ in range(2)
    ]
    assert printed == [RunSpec(norm="batch", norm_layers=["fc1", "conv1"], lr=0.3).key] * 2


def test_no_default_ever_changes_and_no_key_either():
    """A key leaves out what stands at its default: to change one would give old records another
    meaning.
    """
    defaults = {name: field.default for name, field in RunSpec.model_fields.items()}
    assert defaults == {
        "network": "lenet5", "dataset": "mnist5k", "dataset_digest": "", "train_size": None,
        "validation_size": 0, "width": 1, "activation": None, "norm": "none", "norm_layers": None,
        "norm_momentum": None, "order": None, "input_norm": "standard", "dropout": 0.0,
        "dropout_layers": None, "input_dropout": 0.0, "bias_before_norm": True,
        "initial_scale": 1.0,
        "augmentation": "none", "optimizer": "sgd", "lr": 0.1, "momentum": 0.0, "weight_decay": 0.0,
        "schedule": "constant", "max_lr": None, "step_size_up": None, "gamma": None,
        "milestones": None, "growth_step": None, "max_batch_size": None, "candidates": None,
        "loss_every": None, "epochs": 10, "passes": 1, "batch_size": 128, "micro_batch": None,
        "precision": "fp32", "seed": 0, "probes": None,
    }  # fmt: skip
    assert RunSpec(dataset_digest="0" * 64, lr=0.05, norm="batch").key == "24a3e81087d741e8c3a8"


def test_a_spec_loads_no_torch():
    program = (
        "import sys, models.specs, models.records, models.runs.store\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_canonical_json_holds_only_what_differs_and_what_always_counts():
    hashed = json.loads(RunSpec(epochs=10, lr=0.05).canonical_json())
    assert set(hashed) == {"network", "dataset", "dataset_digest", "seed", "lr"}
    assert hashed["dataset_digest"] == DIGESTS["mnist5k"]


def test_a_spec_survives_its_json():
    spec = RunSpec(norm="batch", norm_layers=["fc1"], **CYCLE)
    assert RunSpec.model_validate_json(spec.model_dump_json()) == spec


@pytest.mark.parametrize(
    ("field", "registry"),
    [
        ("network", ARCHITECTURES),
        ("dataset", DATASETS),
        ("activation", ACTIVATIONS),
        ("norm", NORMS),
        ("input_norm", InputNorm.KINDS),
        ("augmentation", AUGMENTATIONS),
        ("optimizer", OPTIMIZERS),
        ("schedule", SCHEDULES),
        ("schedule", SCHEDULE_FIELDS),
        ("probes", {**RATIOS, **FINAL}),
    ],
)
def test_a_field_takes_the_names_that_something_is_registered_under_and_no_other(field, registry):
    annotation = RunSpec.model_fields[field].annotation
    assert {leaf for leaf in leaves(annotation) if isinstance(leaf, str)} == set(registry)


@pytest.mark.parametrize("name", ["NOISE_MEAN", "NOISE_SCALE", "NOISE_WIDTH"])
def test_the_noise_that_a_page_tells_is_the_one_that_trains(name):
    assert getattr(network_spec, name) == getattr(layers, name)


def test_norms_that_are_named_for_a_trait_are_norms():
    assert {*network_spec.ONE_BY_ONE, *network_spec.WITHOUT_MOMENTUM} < set(NORMS)


def test_a_run_depends_on_all_that_its_network_depends_on():
    shared = {name: RunSpec.model_fields[name].annotation for name in NetworkSpec.model_fields}
    assert shared == {name: field.annotation for name, field in NetworkSpec.model_fields.items()}


def test_every_published_record_has_the_key_of_its_spec_and_survives_its_json():
    paths = sorted(PUBLISHED.glob("*.json"))
    assert len(paths) > 600
    for path in paths:
        record = records.read(path)
        assert RunSpec(**record.spec.model_dump(exclude_unset=True)).key == path.stem
        kept, written = json.loads(path.read_text()), json.loads(records.dumps(record))
        fields = (
            written["spec"] | kept["spec"]
        )  # fields younger than the record have their defaults
        assert written == kept | {"spec": fields, "sha256": written["sha256"]}


def test_another_data_set_brings_its_own_digest():
    assert RunSpec().with_(dataset="mnist").dataset_digest == DIGESTS["mnist"]
    assert RunSpec(seed=3).with_(epochs=2) == RunSpec(seed=3, epochs=2)


def test_a_grid_is_every_combination():
    specs = grid(RunSpec(epochs=2), norm=("none", "batch"), seed=range(3))
    assert [(spec.norm, spec.seed) for spec in specs] == [
        (norm, seed) for norm in ("none", "batch") for seed in range(3)
    ]
    assert {spec.epochs for spec in specs} == {2}


def test_a_spec_cannot_change():
    with pytest.raises(ValueError, match="frozen"):
        RunSpec().epochs = 3


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"epochs": 0}, "epochs: expected at least 1, got 0"),
        ({"epochs": "x"}, "epochs: expected a whole number, got 'x'"),
        ({"epochs": 1.5}, "epochs: expected a whole number, got 1.5"),
        ({"epochs": True}, "epochs: expected a number, got True"),
        ({"lr": -1}, "lr: expected more than 0, got -1"),
        ({"lr": float("nan")}, "lr: expected a finite number, got nan"),
        ({"lr": 1e39}, "lr: expected at most 1e+37, got 1e+39"),
        ({"weight_decay": "1e308"}, "weight_decay: expected at most 1e+37, got '1e308'"),
        ({"schedule": "one-cycle", "max_lr": 1e38}, "max_lr: expected at most 1e+37, got 1e+38"),
        ({"initial_scale": 1e38}, "initial_scale: expected at most 1e+37, got 1e+38"),
        (
            {"passes": 10**8},
            "passes: expected at most 2,500 (an epoch has up to 10,000,000 examples), "
            "got 100,000,000 of 4,000 examples",
        ),
        ({"passes": 20_001, "train_size": 1000, "validation_size": 500}, "passes: expected at m"),
        ({"epochs": "9" * 20}, f"epochs: expected at most 100000, got '{'9' * 20}'"),
        ({"epochs": 10**5000}, "epochs: expected at most 100000, got a number of thousands of"),
        ({"norm": "x" * 10**6}, "norm: expected one of none, batch, layer, group, instance, "),
        (
            {"norm": "whitening", "width": 16},
            "norm: expected at most 512 channels to whiten together, got 1920 in fc1 (norm_layers",
        ),
        (
            {"norm": "whitening", "network": "cifar-note", "dataset": "cifar10"},
            "norm: expected at most 512 channels to whiten together, got 3136 in conv3",
        ),
        ({"lr": float("inf")}, "lr: expected a finite number, got inf"),
        (
            {"dataset": "imagenet"},
            "dataset: expected one of mnist5k, mnist, fashion-mnist, cifar10, got 'imagenet'",
        ),
        ({"norm": "batc"}, "norm: expected one of none, batch, layer, group, instance, "),
        ({"activation": 3}, "activation: expected one of tanh, sigmoid, relu, got 3"),
        ({"epoch": 3}, "epoch: unknown field; did you mean epochs?"),
        ({"dropout": 1}, "dropout: expected less than 1, got 1"),
        (
            {"order": "norm-norm-dropout"},
            "order: expected a permutation of norm-activation-dropout, got 'norm-norm-d",
        ),
        (
            {"momentum": 0.9, "optimizer": "adam"},
            "momentum: expected 0 with optimizer adam, got 0.9",
        ),
        (
            {"schedule": "triangular", "max_lr": 1},
            "step_size_up: expected a value with schedule triangular, got none",
        ),
        ({"max_lr": 1}, "max_lr: expected nothing with schedule constant, got 1.0"),
        ({**CYCLE, "max_lr": 0.001}, "max_lr: expected more than lr (0.001), got 0.001"),
        (
            {"schedule": "growing-batch", "max_batch_size": 64},
            "max_batch_size: expected at least 128, got 64",
        ),
        (
            {"schedule": "step", "milestones": "2,x", "gamma": 0.1},
            "milestones: expected a whole number, got 'x'",
        ),
        ({"schedule": "range-test"}, "max_lr: expected a value with schedule range-test, got none"),
        ({**SWEEP, "candidates": 1}, "candidates: expected at least 2, got 1"),
        (
            {**CYCLE, "candidates": 10},
            "candidates: expected nothing with schedule exp_range, got 10",
        ),
        ({"loss_every": 0}, "loss_every: expected at least 1, got 0"),
        (
            {"dropout_layers": ["fc1"]},
            "dropout_layers: expected nothing with dropout 0, got fc1",
        ),
        (
            {"network": "minigooglenet", "dropout": 0.5, "dropout_layers": ["conv1"]},
            "dropout_layers: expected some of minigooglenet's pool, got conv1",
        ),
        ({"norm_layers": ["conv1"]}, "norm_layers: expected nothing with norm none, got conv1"),
        (
            {"norm": "batch", "norm_layers": ","},
            "norm_layers: expected at least one value, got ','",
        ),
        ({"norm": "batch", "batch_size": 1}, "batch_size: expected at least 2 with norm batch"),
        (
            {"norm": "whitening", "micro_batch": 1},
            "micro_batch: expected at least 2 with norm whitening",
        ),
        (
            {"norm": "layer", "norm_momentum": 0.1},
            "norm_momentum: expected nothing with norm layer, got 0.1",
        ),
        ({"norm": "batch", "norm_momentum": 1.5}, "norm_momentum: expected at most 1, got 1.5"),
        (
            {"norm": "noisy-batch", "batch_size": 1},
            "batch_size: expected at least 2 with norm noisy-batch",
        ),
        (
            {"probes": "input"},
            "probes: expected one of inputs, gradients, units, variances, got 'input'",
        ),
        ({"probes": ""}, "probes: expected at least one value, got ''"),
        ({"bias_before_norm": False}, "bias_before_norm: expected true with norm none, got false"),
        ({"train_size": 4001}, "train_size: expected 10 to 4000 for mnist5k, got 4001"),
        ({"validation_size": 4000}, "validation_size: expected 0 or 10 to 3990, got 4000"),
        (
            {"epochs": 0, "lr": 0},
            "lr: expected more than 0, got 0; epochs: expected at least 1, got 0",
        ),
    ],
)
def test_an_impossible_field_is_one_line_that_says_what_was_expected_and_what_came(fields, message):
    with pytest.raises(SpecError) as caught:
        RunSpec(**fields)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


COUNTS = [name for name, field in RunSpec.model_fields.items() if int in leaves(field.annotation)]


@pytest.mark.parametrize("name", COUNTS)
def test_no_count_is_beyond_all_measure(name):
    with pytest.raises(SpecError, match=rf"(^|; ){name}: expected .* got '?1"):
        RunSpec(**{name: "1" + "0" * 30})


def test_a_grid_beyond_all_measure_is_refused_and_not_listed():
    with pytest.raises(SpecError, match=r"at most 10,000 runs, got 300,000 seed × 90,000 lr = 27,"):
        grid(RunSpec(), seed=range(300_000), lr=range(1, 90_001))
    assert len(grid(RunSpec(), seed=range(100))) == 100


@given(
    network=st.sampled_from(list(ARCHITECTURES)),
    dataset=st.sampled_from(["mnist5k", "cifar10"]),
    width=st.integers(1, 2),
    order=st.none() | st.permutations(STEPS).map("-".join),
)
@settings(max_examples=12, deadline=None)
def test_the_channels_that_a_spec_counts_are_the_live_norms(network, dataset, width, order):
    spec = RunSpec(network=network, dataset=dataset, width=width, order=order, norm="batch")
    live: dict[str, int] = {}
    for name, module in build(spec).named_modules():
        if name.endswith(".norm") and not name.startswith("input"):
            layer = name.partition(".")[0]
            live[layer] = max(live.get(layer, 0), module.num_features)
    assert network_spec.normalized_channels(spec) == live


def test_what_is_too_wide_to_whiten_is_one_number():
    assert network_spec.MOST_WHITENED == normalizations.MOST_CHANNELS
