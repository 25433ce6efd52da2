"""`python -m analysis` on modules: torchvision's by name, and what a file makes."""

import json
import re

import jsonschema
import pytest
from torchvision import models

from analysis.__main__ import main
from analysis.documents import SCHEMA
from analysis.hints import TORCHVISION, meant
from analysis.networks import NETWORKS

NET = """
from torch import nn
from beside import WIDTH

def make():
    return nn.Sequential(nn.Conv2d(3, WIDTH, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv1d(2, 4, 3), nn.ReLU())

dense = nn.Linear(10, 11)

def encoder():
    return nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

def tokens():
    return nn.Sequential(nn.Embedding(100, 8), nn.TransformerEncoder(encoder(), 2))

def doubles():
    return make().double()

class Captions(nn.Module):
    def __init__(self, words):
        super().__init__()
        self.conv, self.words = nn.Conv2d(3, 8, 3, padding=1), words

    def forward(self, image, words):
        return self.conv(image).mean((2, 3)).unsqueeze(1) + self.words(words)

def captions():
    return Captions(nn.Linear(6, 8))

def written_captions():
    return Captions(nn.Embedding(50, 8))

def volume():
    return nn.Conv3d(3, 4, 3)

def recurrent():
    return nn.LSTM(16, 8)

def needy(width):
    return nn.Linear(width, width)
number = 7
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "beside.py").write_text("WIDTH = 8")
    return tmp_path / "net.py"


def document(capsys, *arguments):
    """The JSON that a call prints."""
    assert main([*arguments, "--format", "json"]) == 0
    written = json.loads(capsys.readouterr().out)
    jsonschema.validate(written, SCHEMA)
    return written


def refused(capsys, *arguments):
    """The line that a call is refused with."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


def test_a_model_of_torchvision_is_read_at_the_size_of_its_weights(capsys):
    written = document(capsys, "torchvision:resnet18", "--batch", "2")
    assert written["network"] == "resnet18"
    assert written["input"] == [224, 224, 3]
    assert written["batch"] == 2
    assert written["total"]["parameters"] == 11_689_512
    assert document(capsys, "torchvision:inception_v3")["input"] == [299, 299, 3]


def test_a_gate_is_told_from_what_is_seen_without_it(capsys):
    rows = {row["layer"]: row for row in document(capsys, "torchvision:mobilenet_v3_large")["rows"]}
    gated = rows["features.4.block.3.0"]
    assert (gated["status"], gated["ungated"], gated["start"]) == ("global", [35, 35], [-17, -17])


def test_vgg19_of_torchvision_keeps_its_parameters_at_256_by_320(capsys):
    written = document(capsys, "torchvision:vgg19", "--input", "256x320x3", "--memory", "training")
    assert written["total"]["parameters"] == 143_667_240


def test_a_file_is_run_and_its_factory_read(file, capsys):
    written = document(capsys, f"{file}:make", "--input", "16x16x3")
    assert written["total"]["macs"] == 55_296
    assert [row["kind"] for row in written["rows"]] == ["input", "conv", "activation", "pool"]


def test_a_class_a_module_and_other_inputs_than_images_are_read_too(file, capsys):
    assert document(capsys, f"{file}:Net", "--input", "20x2")["rows"][1]["output"] == [18, 4]
    assert document(capsys, f"{file}:dense", "--input", "10")["total"]["parameters"] == 121
    tokens = document(capsys, f"{file}:encoder", "--input", "20x8", "--closed-form")
    assert (tokens["input"], tokens["total"]["macs"]) == (["H", "8"], "16*B*H**2 + 512*B*H")


def test_a_closed_form_of_a_module_takes_a_batch_and_says_that_it_was_checked(file, capsys):
    flags = ("--input", "16x16x3", "--closed-form")
    written = document(capsys, f"{file}:make", *flags)
    assert written["total"]["macs"] == "216*B*H*W"
    assert "a second run at" in written["notes"][-1]
    flags = (*flags, "--batch", "64", "--memory", "training", "--convention", "torch")
    written = document(capsys, f"{file}:make", *flags)
    assert (written["batch"], written["total"]["macs"]) == ("64", "13824*H*W")
    assert written["convention"]["total"] == "27648*H*W"
    assert "B" not in written["memory"]["total"]


def test_memory_and_conventions_of_a_module(capsys):
    flags = ("--convention", "fvcore", "--memory", "inference", "--precision", "bf16")
    written = document(capsys, "torchvision:resnet18", *flags)
    assert written["convention"]["name"] == "fvcore"
    assert written["memory"]["bytes"]["weights"] == 2 * 11_689_512
    refusal = refused(capsys, "torchvision:resnet18", "--closed-form", "--memory", "inference")
    assert "depends on the size of the input" in refusal
    flags = ("--closed-form", "--batch", "1", "--memory", "training")
    assert "two images or more" in refused(capsys, "torchvision:resnet18", *flags)


def test_modules_are_folded_and_compared_with_built_in_networks(capsys):
    assert main(["torchvision:resnet18", "--depth", "1"]) == 0
    assert "| layer4  | module     |" in capsys.readouterr().out
    assert main(["--diff", "vgg19", "torchvision:vgg19"]) == 0
    assert "143,667,240" in capsys.readouterr().out.splitlines()[-3]


def test_mistakes_about_modules_are_answered_in_one_line(file, capsys):
    asked = ("--input", "16x16x3")
    (file.parent / "broken.py").write_text("import no_such_module")
    refusals = {
        ("torchvision:rasnet50",): "no model 'rasnet50'; did you mean resnet50",
        (f"{file}:Make", *asked): "has no 'Make' after it ran; name a function that it defines",
        (f"{file}:number", *asked): "number in .* is no function that makes a module, but 7",
        (f"{file.parent / 'broken.py'}:x", *asked): "running .* failed: ModuleNotFoundError",
        (f"{file}:make", "--input", "3x16x20"): r"refuses .*; --input .* did you mean 16x20x3\?",
        (f"{file}:make", *asked, "-p", "classes", "3"): "--parameter belongs to built-in networks",
        (f"{file}:needy", *asked): "called without arguments: TypeError: needy.* 'width'",
        ("torchvision:vgg19", "--input", "224x224"): "must be HEIGHTxWIDTHxCHANNELS",
    }
    for arguments, message in refusals.items():
        assert re.search(message, refused(capsys, *arguments)), message


def test_a_model_whose_way_depends_on_numbers_is_refused_and_nothing_downloaded(no_network, capsys):
    refusal = refused(capsys, "torchvision:fasterrcnn_mobilenet_v3_large_320_fpn")
    assert "FasterRCNN cannot be read: what it does at rpn depends on the numbers" in refusal
    assert "(torch.nonzero)" in refusal
    deeplab = document(capsys, "torchvision:lraspp_mobilenet_v3_large", "--depth", "1")
    assert deeplab["input"] == [520, 520, 3]


def test_every_classification_model_of_torchvision_can_be_suggested():
    assert [*TORCHVISION] == models.list_models(module=models)
    for name in TORCHVISION:
        assert meant(name, NETWORKS) in (name, f"torchvision:{name}")


def test_networks_of_one_name_are_called_as_they_were_asked_for(capsys):
    assert main(["--diff", "vgg16", "torchvision:vgg16"]) == 0
    assert "\nvgg16 → torchvision:vgg16: " in capsys.readouterr().out


def test_no_image_and_no_column_are_refused(capsys):
    assert "batch must be 1 or more" in refused(capsys, "torchvision:resnet18", "--batch", "0")
    assert "width must be 1 or more" in refused(capsys, "vgg19", "--width", "0")


def test_a_module_of_two_inputs_takes_the_flag_twice(file, capsys):
    inputs = ("--input", "16x20x3", "--input", "5x6")
    written = document(capsys, f"{file}:captions", *inputs, "--batch", "2")
    assert [row["output"] for row in written["rows"][:2]] == [[16, 20, 3], [5, 6]]
    assert written["total"]["macs"] == 2 * (16 * 20 * 27 * 8 + 5 * 6 * 8)
    flags = ("--closed-form", "--memory", "training", "--optimizer", "sgd")
    closed = document(capsys, f"{file}:captions", *inputs, *flags)
    assert closed["total"]["macs"] == "216*B*H*W + 240*B"
    assert closed["memory"]["bytes"]["saved_for_backward"] == "12*B*(H*W + 10)"


def test_each_input_has_its_own_type_or_all_have_one(file, capsys):
    asked = (f"{file}:written_captions", "--input", "16x16x3", "--input", "5", "--dtype")
    assert document(capsys, *asked, "float32", "--dtype", "int64")["total"]["macs"] == 16**2 * 216
    assert "refuses an input" in refused(capsys, *asked, "float32")
    three = ("int64", "--dtype", "int64", "--dtype", "int64")
    assert "--dtype is given 3 times for 2 of --input" in refused(capsys, *asked, *three)


def test_a_video_has_frames_before_its_height(file, capsys):
    written = document(capsys, "torchvision:r3d_18", "--input", "8x112x112x3", "--depth", "1")
    assert written["input"] == [8, 112, 112, 3]
    assert written["total"]["parameters"] == 33_371_472
    volume = document(capsys, f"{file}:volume", "--input", "5x16x20x3", "--closed-form")
    assert volume["rows"][1]["output"] == ["3", "H - 2", "W - 2", "4"]


@pytest.mark.parametrize(
    ("network", "inputs", "told"),
    [
        ("torchvision:r3d_18", [], "reads video: give --input FRAMESx.* such as 16x112x112x3"),
        ("torchvision:r3d_18", ["112x112x3"], "reads video: give --input FRAMESx"),
        ("torchvision:r3d_18", ["3x8x64x64"], "channels last; for 3x8x64x64 write 8x64x64x3"),
        ("torchvision:vgg11", ["8x64x64x3"], "reads images: .* not 8x64x64x3"),
        ("torchvision:vgg11", ["64x64x3"] * 2, "has one input, not 2; give --input once"),
        ("vgg19", ["64x64x3", "10"], "vgg19 has one input, not 2"),
        ("vgg19", ["8x64x64x3"], "must be HEIGHTxWIDTHxCHANNELS"),
        ("FILE:captions", ["64x64x3"], "needs 2 inputs .*: give --input for each"),
        ("FILE:captions", ["3x16x20", "10"], "did you mean 16x20x3"),
    ],
)
def test_inputs_that_do_not_fit_are_answered_in_one_line(network, inputs, told, file, capsys):
    flags = [part for one in inputs for part in ("--input", one)]
    assert re.search(told, refused(capsys, network.replace("FILE", str(file)), *flags))


def test_a_lower_bound_of_what_is_kept_is_told_as_one(file, capsys):
    asked = (f"{file}:recurrent", "--input", "7x16", "--batch", "3", "--memory", "training")
    written = document(capsys, *asked)
    assert written["memory"]["total_is"] == "at least"
    assert written["notes"][-1].startswith("lstm is counted as torch itself saves it: at least")
    assert main(asked) == 0
    printed = capsys.readouterr().out
    assert "| total, at least    |" in printed
    assert "keeps a workspace of its own size" in printed.splitlines()[-1]


@pytest.mark.parametrize("text", ["raise SystemExit(3)", "def make():\n    raise SystemExit(3)"])
def test_a_file_that_leaves_is_answered_in_a_sentence(text, tmp_path, capsys):
    (tmp_path / "leaves.py").write_text(text)
    told = refused(capsys, f"{tmp_path / 'leaves.py'}:make", "--input", "8x8x3")
    assert "failed" in told
    assert "SystemExit: 3" in told


def test_nothing_after_the_colon_is_refused(capsys):
    assert "names nothing after the colon" in refused(capsys, "file.py:")


def test_token_ids_are_read_with_their_type(file, capsys):
    asked = [f"{file}:tokens", "--input", "16", "--dtype", "int64"]
    written = document(capsys, *asked)
    assert written["input"] == [16]
    assert [row["kind"] for row in written["rows"][:2]] == ["input", "embedding"]
    attended, mixed = 2 * 16 * 16 * 8, 16 * (4 * 8 * 8 + 2 * 8 * 16)
    assert written["total"]["macs"] == 2 * (attended + mixed)
    closed = document(capsys, *asked, "--closed-form")
    assert closed["input"] == ["H"]
    assert closed["total"]["macs"] == "32*B*H**2 + 1024*B*H"


def test_a_module_in_doubles_is_read_on_doubles(file, capsys):
    asked = (f"{file}:doubles", "--input", "8x8x3", "--memory", "training", "--optimizer", "sgd")
    written = document(capsys, *asked)
    assert written["memory"]["bytes"]["weights"] == 8 * (27 * 8 + 8)
    assert document(capsys, *asked, "--dtype", "float64") == written
    assert "refuses an input" in refused(capsys, *asked, "--dtype", "float32")


def test_a_built_in_network_takes_no_dtype(capsys):
    assert "--dtype belongs to modules" in refused(capsys, "vgg19", "--dtype", "int64")


def test_training_memory_is_told_by_layer(file, capsys):
    written = document(capsys, f"{file}:make", "--input", "8x8x3", "--memory", "training")
    layers = {one["layer"]: one["saved"] for one in written["memory"]["layers"]}
    assert sum(layers.values()) == written["memory"]["bytes"]["saved_for_backward"]
    assert layers["2"] == 8 * 8 * 4 * 4  # the positions of the maxima
    assert [row["traffic"] for row in written["rows"][2:]] == [2 * 512, 512 + 128]


def test_a_convention_that_counts_operators_is_a_bound_where_one_has_no_rule(tmp_path, capsys):
    (tmp_path / "net.py").write_text(UNRULED)
    asked = (f"{tmp_path / 'net.py'}:Net", "--input", "8x8x3", "--convention")
    for name, bound in (("fvcore", True), ("macs", True), ("keras", False), ("thop", False)):
        written = document(capsys, *asked, name)
        assert written["total_is"] == "at least"
        assert ("total_is" in written["convention"]) is bound
        assert main([*asked, name]) == 0
        assert (f"{name}: at least" in capsys.readouterr().out) is bound


UNRULED = """
import torch
from torch import nn

class Net(nn.Conv2d):
    def __init__(self):
        super().__init__(3, 4, 3)

    def forward(self, x):
        return torch.linalg.matrix_exp(super().forward(x))
"""
