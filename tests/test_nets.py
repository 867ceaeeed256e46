import pytest
import torch

from abd.errors import AbdError
from abd.nets import build_net, split_name
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


@pytest.mark.parametrize("n_units", [0, 1, 4, 7])
def test_trunk_and_tail_make_the_network(n_units, stream):
    net = build_net("wrn-16-1", 10, stream).eval()
    x = torch.randn(3, 3, 16, 16, generator=stream)
    with torch.no_grad():
        assert torch.equal(net.forward_tail(net.forward_trunk(x, n_units), n_units), net(x))


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
    "name", ["vgg-16", "wrn", "wrn-16-x", "wrn-16", "wrn-17-2", "wrn-4-1"]
)
def test_wrong_names_are_refused(name):
    with pytest.raises((AbdError, ValueError), match="expected"):
        build_net(name, 10)


def test_split_name():
    assert split_name("wrn-16-2") == ("wrn", [16, 2])
