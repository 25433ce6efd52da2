"""What `python -m analysis` prints beside the rows, and in which formats."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

import analysis
from analysis.__main__ import main
from analysis.counting import COUNTINGS, count
from analysis.differences import compare
from analysis.documents import SCHEMA, as_json
from analysis.folding import fold

ROOT = Path(__file__).parents[2]


def printed(capsys, *arguments):
    """What a call prints, which must succeed."""
    assert main(arguments) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("flags", [(), ("--closed-form",), ("--show-calculation",)])
@pytest.mark.parametrize("name", ["lenet5-norm", "inception-naive", "alexnet-torchvision"])
def test_json_keeps_to_its_schema(name, flags, capsys):
    asked = (name, "--format", "json", "--memory", "training", "--convention", "keras", *flags)
    document = json.loads(printed(capsys, *asked))
    jsonschema.validate(document, SCHEMA)
    kind = str if "--closed-form" in flags else int
    assert {type(one) for one in numbers(document)} == {kind}
    assert document["version"] == 1


def numbers(document):
    """Every count in a document."""
    for row in document["rows"]:
        yield from (row[key] for key in ("activations", "parameters", "macs", "flops"))
        yield from (*row["output"], *row["receptive_field"], *row["ungated"])
        yield from (*row["start"], *row["jump"])
    yield from document["total"].values()
    yield from document["memory"]["bytes"].values()
    yield from (document["batch"], document["memory"]["total"], document["convention"]["total"])


def test_the_schema_is_printed(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--schema"])
    assert json.loads(capsys.readouterr().out) == SCHEMA


def test_integers_past_2_to_53_are_text_and_so_is_every_other_number():
    document = json.loads(as_json(analysis.vgg19(batch=10**6)))
    assert document["numbers"] == "text"
    assert int(document["total"]["macs"]) == 19_632_062_464 * 10**6 > 2**53
    assert document["total"]["weights"] == "143652544"


def test_csv_has_plain_numbers(capsys):
    lines = [*csv.DictReader(printed(capsys, "alexnet", "--format", "csv").splitlines())]
    assert len(lines) == 12
    assert lines[1]["output"] == "55x55x96"
    assert lines[1]["receptive_field"] == "11x11"
    assert [line["start"] for line in lines[1:6]] == ["0x0", "0x0", "-16x-16", "-16x-16", "-32x-32"]
    assert sum(int(line["parameters"]) for line in lines) == 60_965_224
    assert sum(int(line["flops"]) for line in lines) == analysis.alexnet().total.flops


def test_a_wide_table_is_folded_and_every_part_names_its_layers(capsys):
    out = printed(capsys, "alexnet", "--show-calculation", "--width", "70")
    assert max(map(len, out.splitlines())) <= 70
    assert out.count("| conv1 ") == len(out.strip().split("\n\n")) == 4
    assert "(27·27)·2·(5·5·48)·128 = 223,948,800" in out


def test_a_cell_that_is_wider_than_the_terminal_is_broken_between_terms(capsys):
    out = printed(capsys, "alexnet", "--closed-form", "--width", "60")
    assert max(map(len, out.splitlines())) <= 60
    assert "(H − 67)" in out


def test_only_a_terminal_folds_by_itself():
    done = subprocess.run(
        [sys.executable, "-m", "analysis", "vgg19"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "40"},
    )
    assert "\n\n" not in done.stdout


def test_folding_keeps_every_total():
    whole = analysis.minigooglenet(batch=3)
    folded = fold(whole, 1)
    assert folded.total == whole.total
    assert len(folded.rows) == 14
    assert folded.row("inception1").output == whole.row("inception1.concat").output
    assert folded.row("inception1").receptive_field == 5
    assert fold(whole, 9) == whole


def test_depth_folds_submodules(capsys):
    assert "| inception1  | module |" in printed(capsys, "minigooglenet", "--depth", "1")


def test_a_difference_shows_what_changed_and_the_totals(capsys):
    out = printed(capsys, "--diff", "vgg16", "vgg19")
    assert "138,357,544 → 143,667,240" in out
    assert "– → 56 × 56 × 256" in out
    assert "conv1_1" not in out
    assert "vgg16 → vgg19: 10 of 25 layers alike" in out
    nothing = printed(capsys, "--diff", "vgg19", "vgg19").splitlines()
    assert len(nothing) == 3 + 2


def test_a_difference_as_json_holds_both_networks(capsys):
    document = json.loads(printed(capsys, "--diff", "vgg16", "vgg19", "--format", "json"))
    assert ["", "conv3_4"] in document["changed"]
    assert document["total"]["parameters"] == [138_357_544, 143_667_240]
    for one in (document, document["one"], document["two"]):
        jsonschema.validate(one, SCHEMA)
    del document["changed"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, SCHEMA)


def test_a_layer_of_another_place_is_another_layer():
    pairs = compare(analysis.lenet5(), analysis.lenet5(normalization="hidden")).pairs
    added = [two.layer for one, two in pairs if one is None]
    assert added == ["conv1.norm", "conv2.norm", "fc1.norm", "fc2.norm"]


def test_memory_is_a_table_of_its_own(capsys):
    flags = ("--batch", "2", "--memory", "training", "--optimizer", "momentum")
    out = printed(capsys, "vgg19-torchvision", *flags)
    assert "| saved for backward |" in out
    assert "157,016,064" in out
    assert "4·143,667,240 = 574,668,960" in out
    out = printed(capsys, "vgg19", "--memory", "inference", "--precision", "bf16")
    assert "| alive at once |" in out
    assert "gradients" not in out


def test_a_convention_says_what_it_counts(capsys):
    out = printed(capsys, "lenet-stride1", "--convention", "keras")
    assert "keras: 546,538 parameters. It counts no operations at all" in out


@pytest.mark.parametrize("name", ["macs", "torch", "torchinfo", "keras"])
@pytest.mark.parametrize("network", ["alexnet", "vgg19"])
def test_a_built_in_network_is_counted_as_its_module_is(name, network):
    import torchvision

    from analysis.reading import read
    from analysis.reading.conventions import convention

    reading = read(getattr(torchvision.models, network), (3, 224, 224), batch=2)
    derived = count(analysis.NETWORKS[f"{network}-torchvision"](batch=2), name)
    assert derived == convention(name).total(reading)


def test_every_convention_of_the_reader_has_its_words():
    from analysis.reading.conventions import CONVENTIONS

    assert {*CONVENTIONS} == {*COUNTINGS}


def test_a_built_in_network_says_when_its_weights_follow_the_input(capsys):
    out = printed(capsys, "vgg19", "--input", "256x320x3")
    assert "fc6: its weights follow the input's size; here it reads a map of 8x10x512" in out
    assert "vgg19-torchvision pools any last map to 7x7 first" in out
    assert "follow" not in printed(capsys, "vgg19", "--input", "224x224x3")
    assert "follow" not in printed(capsys, "vgg19-torchvision", "--input", "256x320x3")
    assert "lenet5-unpadded" in printed(capsys, "lenet5", "--input", "32x32x1")


def test_channels_first_are_suspected_where_nothing_is_refused(capsys):
    out = printed(capsys, "minigooglenet", "--input", "3x32x28")
    assert "did you mean 32x28x3?" in out


def test_latex_and_html_keep_what_stands_beside_the_table(capsys):
    flags = ("--convention", "torch", "--memory", "training")
    assert "\n% torch: " in printed(capsys, "lenet5", "--format", "latex", *flags)
    out = printed(capsys, "lenet5", "--format", "html", *flags)
    assert "<p>torch: " in out
    assert out.count("<table>") == 2


def test_a_terminal_folds_a_table_to_its_width():
    ours, theirs = os.openpty()
    subprocess.run(
        [sys.executable, "-m", "analysis", "lenet5"],
        cwd=ROOT,
        stdout=theirs,
        check=True,
        env={**os.environ, "COLUMNS": "60"},
    )
    lines = os.read(ours, 10_000).decode().splitlines()
    os.close(theirs)
    os.close(ours)
    assert max(map(len, lines)) <= 60
    assert sum(line.startswith("| layer") for line in lines) > 1
