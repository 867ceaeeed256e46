import sys

import pytest
import torch
from torchvision.models import resnet18

from abd.errors import AbdError
from abd.nets import build_net, check_name, identity
from abd.nets.layout import built_layout, known_layout
from abd.nets.parts import forward_tail, forward_trunk, shufflable_convs, trunk_length
from abd.nets.taps import hooked, tap_names, tapped
from abd.seeding import torch_stream


@pytest.mark.parametrize(
    ("name", "n_parameters", "n_convs"),
    [("wrn-16-1", 175_066, 15), ("wrn-16-2", 691_674, 16), ("wrn-40-2", 2_243_546, 40)],
)
def test_sizes_are_the_papers(name, n_parameters, n_convs):
    net = build_net(name, 10)
    assert sum(p.numel() for p in net.parameters()) == n_parameters
    assert len(net.shufflable_convs()) == n_convs


def test_last_five_convs_of_depth_16_are_the_last_stage():
    net = build_net("wrn-16-2", 10)
    assert net.shufflable_convs()[-5:] == [
        "blocks.4.conv1.weight",
        "blocks.4.conv2.weight",
        "blocks.4.shortcut.weight",
        "blocks.5.conv1.weight",
        "blocks.5.conv2.weight",
    ]


def test_last_five_convs_of_depth_40_are_part_of_the_last_stage():
    names = build_net("wrn-40-2", 10).shufflable_convs()[-5:]
    assert [n.removesuffix(".weight") for n in names] == [
        "blocks.15.conv2",
        "blocks.16.conv1",
        "blocks.16.conv2",
        "blocks.17.conv1",
        "blocks.17.conv2",
    ]


@pytest.mark.parametrize(
    ("name", "n_units"),
    [*(("wrn-16-1", n) for n in (0, 1, 4, 7)), *(("resnet-18", n) for n in (0, 1, 4, 9))],
)
def test_trunk_and_tail_make_the_network(name, n_units, stream):
    net = build_net(name, 10, stream).eval()
    x = torch.randn(3, 3, 32, 32, generator=stream)
    with torch.no_grad():
        features = forward_trunk(net, x, n_units)
        assert torch.equal(forward_tail(net, features, n_units), net(x))


def test_a_resnet_is_torchvisions(stream):
    net = build_net("resnet-18", 7, stream).eval()
    theirs = resnet18(num_classes=7).eval()
    theirs.load_state_dict(net.state_dict())
    x = torch.randn(2, 3, 64, 64, generator=stream)
    with torch.no_grad():
        assert torch.equal(net(x), theirs(x))


@pytest.mark.parametrize(("name", "n_convs"), [("resnet-18", 17), ("resnet-34", 33)])
def test_a_resnets_shortcuts_are_not_shuffled(name, n_convs):
    names = shufflable_convs(build_net(name, 10))
    assert len(names) == n_convs
    assert not any("downsample" in n for n in names)


def test_a_resnets_trunk_ends_before_its_last_stage():
    net = build_net("resnet-18", 10)
    last = shufflable_convs(net)[-4:]
    assert last[0] == "layer4.0.conv1.weight"
    assert trunk_length(net, last) == 1 + 6


@pytest.mark.parametrize(
    ("name", "widths", "sizes"),
    [
        ("wrn-16-2", [32, 64, 128], [32, 16, 8]),
        ("resnet-18", [64, 128, 256, 512], [8, 4, 2, 1]),
    ],
)
def test_taps_are_the_ends_of_the_stages(name, widths, sizes, stream):
    net = build_net(name, 10, stream).eval()
    x = torch.randn(2, 3, 32, 32, generator=stream)
    with torch.no_grad():
        logits, taps = tapped(net, x, tap_names(net))
        theirs = hooked(net, x, tap_names(net))
        assert torch.equal(logits, net(x))
    assert torch.equal(logits, theirs[0])
    assert all(torch.equal(a, b) for a, b in zip(taps, theirs[1], strict=True))
    assert [t.shape[1] for t in taps] == widths
    assert [t.shape[2] for t in taps] == sizes
    assert not any(m._forward_hooks for m in net.modules())


def test_a_wrns_taps_are_raw_sums(stream):
    """Before the next BatchNorm and ReLU, so that they may be negative."""
    net = build_net("wrn-16-1", 10, stream)
    _, taps = tapped(net, torch.randn(2, 3, 16, 16, generator=stream), tap_names(net))
    assert all((t < 0).any() for t in taps)


@pytest.fixture
def foreign(tmp_path, monkeypatch):
    (tmp_path / "their_nets.py").write_text(
        "from torch import nn\n"
        "class Tiny(nn.Sequential):\n"
        "    def __init__(self, num_classes):\n"
        "        super().__init__(nn.Conv2d(3, 4, 3), nn.Flatten(1), nn.LazyLinear(num_classes))\n"
        "def silent(): return 1\n"
        "def wrong(n_classes): return 1\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "their_nets", raising=False)
    return tmp_path


@pytest.mark.usefixtures("foreign")
class TestForeign:
    def test_a_module_by_import_path(self):
        a, b, c = (
            build_net("their_nets:Tiny", 5, torch_stream(s, "init")) for s in (0, 0, 1)
        )
        assert torch.equal(a[0].weight, b[0].weight)
        assert not torch.equal(a[0].weight, c[0].weight)
        assert a(torch.zeros(1, 3, 8, 8)).shape == (1, 5)
        assert shufflable_convs(a) == ["0.weight"]
        assert trunk_length(a, ["0.weight"]) == 0
        assert tap_names(a) == []

    def test_its_initialisation_leaves_the_global_stream_alone(self):
        before = torch.get_rng_state()
        build_net("their_nets:Tiny", 5, torch_stream(0, "init"))
        assert torch.equal(torch.get_rng_state(), before)

    def test_an_edit_of_its_file_is_another_network(self, foreign):
        before = identity("their_nets:Tiny")
        with (foreign / "their_nets.py").open("a") as file:
            file.write("# edited\n")
        assert identity("their_nets:Tiny") != before

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("their_nets:Gone", "expected an importable network, got 'their_nets:Gone'"),
            ("their_nets:silent", "expected a parameter num_classes or n_classes"),
            ("their_nets:wrong", "expected a torch.nn.Module, got"),
        ],
    )
    def test_what_is_no_network_is_one_line(self, name, message):
        with pytest.raises(AbdError, match=message):
            build_net(name, 5)


def test_a_module_that_is_not_there_is_found_before_any_job():
    with pytest.raises(AbdError, match="expected an importable module, got 'no_such'"):
        check_name("no_such:Net")


@pytest.mark.parametrize("line", ["1 / 0", "raise SystemExit(3)", "def"])
def test_a_package_that_cannot_be_imported_is_told_with_its_reason(
    line, tmp_path, monkeypatch
):
    package = tmp_path / "their_package"
    package.mkdir()
    (package / "__init__.py").write_text(f"{line}\n")
    (package / "nets.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        AbdError, match=r"importable module, got .*: (Zero|SystemE|SyntaxE)"
    ):
        check_name("their_package.nets:Net")


def test_shortcut_reads_the_activated_input_where_the_width_changes(stream):
    block = build_net("wrn-10-2", 10, stream).eval().blocks[0]
    x = torch.randn(2, 16, 8, 8, generator=stream)
    a = torch.relu(block.bn1(x))
    main = block.conv2(torch.relu(block.bn2(block.conv1(a))))
    assert torch.equal(block(x), main + block.shortcut(a))
    assert not torch.allclose(block(x), main + block.shortcut(x))


def test_shortcut_is_the_raw_input_where_the_width_stays(stream):
    block = build_net("wrn-10-1", 10, stream).eval().blocks[0]
    assert block.shortcut is None
    for conv in (block.conv1, block.conv2):
        torch.nn.init.zeros_(conv.weight)
    x = torch.randn(2, 16, 8, 8, generator=stream)
    assert torch.equal(block(x), x)


def test_init_follows_fan_out_and_its_stream():
    a, b = (build_net("wrn-16-2", 10, torch_stream(3, "init")) for _ in range(2))
    assert all(
        torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True)
    )
    weight = a.blocks[5].conv2.weight
    assert weight.std().item() == pytest.approx((2 / (9 * 128)) ** 0.5, rel=0.02)


def test_building_leaves_the_global_stream_alone():
    before = torch.get_rng_state()
    build_net("wrn-16-1", 10, torch_stream(0, "x"))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "name",
    [
        "vgg-16",
        "wrn",
        "wrn-16-x",
        "wrn-16",
        "wrn-17-2",
        "wrn-4-1",
        "resnet-50",
        "wrn-16-1-imagenet",
    ],
)
def test_wrong_names_are_refused(name):
    with pytest.raises((AbdError, ValueError), match="expected"):
        build_net(name, 10)


@pytest.mark.parametrize(
    "name", ["wrn-10-1", "wrn-10-2", "wrn-16-1", "wrn-40-2", "resnet-18", "resnet-34"]
)
def test_the_layout_by_name_is_the_built_ones(name):
    assert known_layout(name) == built_layout(name, 5, 32)


class Headless(torch.nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, num_classes, 3)

    def forward(self, x):
        return self.conv(x)


class Unfinished(Headless):
    def forward(self, x):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Headless", "expected logits .2, 5. of images .2, 3, 16, 16., got .2, 5, 14, 14."),
        ("Unfinished", "expected one that answers images .2, 3, 16, 16., got NotImpl"),
    ],
)
def test_a_network_that_gives_no_logits_is_named(name, message):
    with pytest.raises(AbdError, match=message):
        built_layout(f"{__name__}:{name}", 5, 16)
