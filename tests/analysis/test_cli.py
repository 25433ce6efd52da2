"""`python -m analysis` as its users meet it: real processes, all formats, and mistakes answered in
one line.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import analysis
from analysis.__main__ import main

ROOT = Path(__file__).parents[2]


def answer(capsys, *arguments):
    """Exit status, output and errors of one call."""
    try:
        status = main(arguments)
    except SystemExit as stop:
        status = stop.code
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_it_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "analysis", "lenet5"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "61,470 |" in done.stdout  # weights; with the 236 biases 61,706
    assert not done.stderr


def test_a_reader_that_stops_early_gets_no_traceback():
    asked = [sys.executable, "-m", "analysis", "vgg19"]
    with subprocess.Popen(
        asked, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as started:
        started.stdout.close()  # as `head` does
        assert not started.stderr.read()
    assert started.returncode == 0


def test_a_mistake_exits_2_without_a_traceback():
    done = subprocess.run(
        [sys.executable, "-m", "analysis", "vgg18"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert not done.stdout


def test_a_terminal_without_unicode_still_gets_its_table():
    done = subprocess.run(
        [sys.executable, "-m", "analysis", "lenet5"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert b"28 ? 28 ? 6" in done.stdout


def test_it_never_imports_models_or_torch():
    code = "import sys, analysis.__main__; assert not {'torch', 'models', 'book'} & {*sys.modules}"
    subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, env={**os.environ, "PYTHONPATH": ""}
    )


@pytest.mark.parametrize("name", analysis.NETWORKS)
def test_json_holds_plain_integers_and_the_known_kinds(name, capsys):
    status, out, _ = answer(capsys, name, "--format", "json")
    document = json.loads(out)
    assert status == 0
    axes = {"output", "receptive_field", "ungated", "start", "jump"}
    told = {"schema", "version", "numbers", "batch", "notes"}
    assert document.keys() == {"network", "input", "rows", "total", *told}
    assert document["network"] == name
    assert (document["numbers"], document["batch"]) == ("integer", 1)
    quantities = {"activations", "weights", "biases", "parameters", "buffers", "macs", "flops"}
    for row in document["rows"]:
        told = {"layer", "kind", "status", "note", "traffic", "intensity"}
        assert row.keys() == {*told, *axes, *quantities}
        assert row["kind"] in {"input", "conv", "pool", "fc", "norm", "concat"}
        if row["kind"] != "norm":  # a norm has the shape of what it follows
            assert len(row["output"]) == (1 if row["kind"] == "fc" else 3)
        assert {type(row[key]) for key in (*quantities, "traffic")} == {int}
        moved = 4 * row["traffic"]
        assert row["intensity"] == (row["flops"] / moved if moved else 0.0)
        assert {type(side) for key in axes for side in row[key]} == {int}
    assert document["rows"][0]["output"] == document["input"]
    assert document["total"] == {
        key: sum(row[key] for row in document["rows"]) for key in quantities
    }


def test_json_of_alexnet_at_another_size_follows_the_input(capsys):
    _, out, _ = answer(
        capsys, "alexnet", "--input", "259x227x1", "--batch", "4", "--format", "json"
    )
    rows = {row["layer"]: row for row in json.loads(out)["rows"]}
    assert rows["pool5"]["output"] == [7, 6, 256]
    assert rows["fc6"]["weights"] == 7 * 6 * 256 * 4096
    assert rows["conv1"]["weights"] == 11 * 11 * 1 * 96
    assert rows["fc8"]["activations"] == 4 * 1000
    assert rows["fc6"]["receptive_field"] == [195 + 6 * 32, 195 + 5 * 32]


def test_json_may_carry_the_calculations(capsys):
    _, out, _ = answer(capsys, "alexnet", "--format", "json", "--show-calculation")
    conv1 = json.loads(out)["rows"][1]
    assert conv1["calculation"]["weights"] == ["(11·11·3)·96 = 34,848"]
    assert conv1["calculation"]["output"] == ["⌊(227 − 11)/4⌋ + 1 = 55"] * 2


def test_json_of_a_closed_form_holds_text_throughout(capsys):
    _, out, _ = answer(
        capsys, "inception-naive", "--closed-form", "--input", "28x28x256", "--format", "json"
    )
    document = json.loads(out)
    assert document["numbers"] == "text"
    assert document["total"]["macs"] == "854196224*B"
    assert document["total"]["weights"] == "1089536"
    assert document["batch"] == "B"


def test_github_table_is_aligned_and_ends_with_a_total(capsys):
    _, out, _ = answer(capsys, "vgg19")
    lines = out.splitlines()
    assert len({len(line) for line in lines}) == 1
    assert len(lines) == 2 + 25 + 1
    assert re.fullmatch(
        r"\| total .*\| +16,542,184 \| +143,652,544 \| +14,696 \| +19,632,062,464 \| +\|", lines[-1]
    )


def test_github_table_has_a_column_of_buffers_only_where_there_are_any(capsys):
    assert "buffers" in answer(capsys, "lenet-stride1")[1].splitlines()[0]
    assert "buffers" not in answer(capsys, "lenet5")[1]


def test_github_table_shows_calculations_when_asked(capsys):
    _, out, _ = answer(capsys, "alexnet", "--show-calculation")
    assert "(11·11·3)·96 = 34,848" in out
    assert "(27·27)·2·(5·5·48)·128 = 223,948,800" in out
    assert "51 + (3 − 1)·8 = 67" in out


def test_closed_forms_stand_in_the_table(capsys):
    _, out, _ = answer(capsys, "vgg16", "--closed-form")
    assert "⌊H/32⌋ × ⌊W/32⌋ × 512" in out
    assert "576·B·C·H·W" in out


def test_sums_in_shapes_are_in_parentheses(capsys):
    assert "(⌊H/2⌋ − 4) × (⌊W/2⌋ − 4) × 16" in answer(capsys, "lenet5", "--closed-form")[1]


def test_html_is_a_table_with_escaped_content(capsys):
    _, out, _ = answer(capsys, "lenet5", "--format", "html", "--show-calculation")
    assert out.startswith("<table>")
    assert out.count("<tr>") == 1 + 8 + 1


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
@pytest.mark.parametrize(
    "flags", [(), ("--show-calculation",), ("--closed-form", "--show-calculation")]
)
def test_latex_compiles(flags, capsys, tmp_path):
    _, out, _ = answer(capsys, "inception-reduced", "--format", "latex", *flags)
    document = "\\documentclass{article}\\begin{document}\n" + out + "\\end{document}\n"
    (tmp_path / "table.tex").write_text(document)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["vgg91"],
            r"unknown network 'vgg91'; did you mean vgg19\? Known networks: alexnet, .*cifar-note",
        ),
        (["VGG19"], r"unknown network 'VGG19'; did you mean vgg19\?"),
        (["resnet50"], r"unknown network 'resnet50'; did you mean torchvision:resnet50\?"),
        (["ResNet-50"], r"did you mean torchvision:resnet50\?"),
        (["net.py"], r"did you mean net.py:FACTORY\?"),
        (["caffe:alexnet"], "write torchvision:MODEL, path/to/file.py:FACTORY or the name"),
        (["net.py:make"], "net.py:make needs --input HEIGHTxWIDTHxCHANNELS, the size to read at"),
        (["no.py:make", "--input", "8x8x3"], "there is no file no.py"),
        (["zzz"], r"unknown network 'zzz'; known networks: alexnet"),
        ([], "NETWORK"),
        (
            ["vgg19", "--input", "5x5x3"],
            "vgg19 with input 5x5x3: pool3 cannot slide its 2x2 window over a map of 1x1",
        ),
        (["vgg19", "--input", "0x3"], "--input must be HEIGHTxWIDTHxCHANNELS.* not '0x3'"),
        (["vgg19", "--input", "0x224x3"], "--input must be HEIGHTxWIDTHxCHANNELS.* not '0x224x3'"),
        (["vgg19", "--input", "224x224"], "--input must be HEIGHTxWIDTHxCHANNELS.* not '224x224'"),
        (["vgg19", "--input", "-1x224x3"], "--input must be HEIGHTx.* not '-1x224x3'"),
        (["vgg19", "--input", "3x224x224"], "channels last; for 3x224x224 write 224x224x3"),
        (["vgg19", "--input", "3x224x320"], r"too small; --input .*: did you mean 224x320x3\?"),
        (["vgg19", "--input", "big"], "--input must be HEIGHTxWIDTHxCHANNELS.* not 'big'"),
        (["vgg19", "--input", "9" * 5000 + "x3x3"], "--input must be HEIGHTxWIDTHxCHANNELS"),
        (["vgg19", "--input", ""], "--input must be HEIGHTxWIDTHxCHANNELS"),
        (["vgg19", "--format", "pdf"], "invalid choice: 'pdf'"),
        (["vgg19", "--batch", "0"], "vgg19: batch must be a whole number from 1 up, not 0"),
        (["vgg19", "--batch", "many"], "batch must be a whole number up to 999,999, not 'many'"),
        (["vgg19", "--batch", ""], "batch must be a whole number up to 999,999, not ''"),
        (["vgg19", "--depth", "0"], "depth must be a whole number from 1 up, not 0"),
        (["vgg19", "--depth", ""], "depth must be a whole number up to 999,999, not ''"),
        (["vgg19", "--width", ""], "width must be a whole number up to 999,999, not ''"),
        (["vgg19", "--optimizer", "adam"], "--optimizer belongs to --memory training"),
        (
            ["vgg19", "--memory", "inference", "--optimizer", "sgd"],
            "--optimizer belongs to --memory training",
        ),
        (["vgg19", "--precision", "bf16"], "--precision belongs to --memory; add it"),
        (["vgg19", "--format", "csv", "--memory", "training"], "csv has no place for --memory"),
        (["vgg19", "--format", "csv", "--show-calculation"], "no place for --show-calculation"),
        (["vgg19", "--diff", "vgg16", "vgg19"], "--diff takes two networks .* leave out vgg19"),
        (["--diff", "vgg16", "vgg19", "--depth", "1"], "--diff compares rows .* leave out --depth"),
        (["vgg19", "--batch", "2", "-p", "batch", "3"], "batch is given twice; give it once"),
        (["vgg19", "--input", "8x8x3", "-p", "height", "9"], "height is given twice"),
        (["alexnet", "-p", "groups", "1", "-p", "groups", "2"], "groups is given twice"),
        (
            ["vgg19", "--closed-form", "--batch", "2", "--input", "64x64x3"],
            "--closed-form has no symbol left: batch and input are both given",
        ),
        (
            ["vgg19", "--closed-form", "--memory", "inference"],
            "depends on the size of the input: give the size",
        ),
        (["vgg19", "--convention", "ptflops"], "ptflops counts pools or activation functions"),
        (["alexnet", "-p", "groups", "5"], "conv2: 5 groups do not divide its 96 input channels"),
        (
            ["alexnet", "-p", "depth", "5"],
            "alexnet has no parameter 'depth'; it has height, .*groups, classes",
        ),
        (["minigooglenet", "-p", "bias", "2"], "bias must be true or false, not '2'"),
        (
            ["lenet5", "-p", "normalization", "all"],
            "normalization must be one of none, hidden, input_and_hidden",
        ),
        (
            ["lenet5-norm", "-p", "norm", "weight"],
            "norm must be one of none, batch, layer, group, instance",
        ),
    ],
)
def test_mistakes_are_answered_in_one_line(arguments, message, capsys):
    status, out, err = answer(capsys, *arguments)
    assert (status, out) == (2, "")
    assert re.search(message, err)
    assert err.count("\n") == 1
    assert err.startswith("analysis: ")


def test_networks_own_parameters_reach_them(capsys):
    _, out, _ = answer(capsys, "lenet-stride1", "-p", "normalization", "none", "--format", "json")
    total = json.loads(out)["total"]
    assert total["weights"] + total["biases"] == 545_546
    _, out, _ = answer(capsys, "minigooglenet", "-p", "bias", "false", "--format", "json")
    assert {row["biases"] for row in json.loads(out)["rows"] if row["kind"] == "conv"} == {0}


def test_help_lists_every_network_and_gives_examples(capsys):
    status, out, _ = answer(capsys, "--help")
    assert status == 0
    assert all(name in out for name in analysis.NETWORKS)
    assert "python -m analysis alexnet --show-calculation" in out
