import pytest
import torch
from torch import nn
from torchvision.models.detection.fcos import FCOSHead

from detaug.detectors.dropout import place_dropout
from detaug.errors import InputError


def head() -> FCOSHead:
    torch.manual_seed(0)
    return FCOSHead(32, 1, 3, num_convs=2)


def test_rate_zero_places_none() -> None:
    model = head()
    assert place_dropout(model, 0.0) == 0
    assert not [m for m in model.modules() if isinstance(m, nn.Dropout | nn.Dropout2d)]


@pytest.mark.parametrize(("kind", "layer"), [("channel", nn.Dropout2d), ("element", nn.Dropout)])
def test_one_after_each_block_and_weights_keep_their_names(kind: str, layer: type[nn.Module]) -> None:
    model, plain = head(), head()
    assert place_dropout(model, 0.3, kind) == 4
    assert sum(type(m) is layer for m in model.modules()) == 4
    assert list(model.state_dict()) == list(plain.state_dict())
    maps = [torch.rand(2, 32, 8, 8)]
    model.eval()
    assert torch.equal(model(maps)["cls_logits"], plain.eval()(maps)["cls_logits"])
    model.train()
    assert not torch.equal(model(maps)["cls_logits"], model(maps)["cls_logits"])


def test_channel_dropout_takes_whole_maps() -> None:
    block = nn.Sequential(nn.Conv2d(3, 64, 1), nn.ReLU())
    nn.init.constant_(block[0].bias, 5.0)  # type: ignore[arg-type]
    place_dropout(block, 0.5, "channel")
    out = block(torch.rand(1, 3, 6, 6))[0].flatten(1)
    gone = (out == 0).float().mean(1)
    assert set(gone.tolist()) == {0.0, 1.0}


@pytest.mark.parametrize(("rate", "kind"), [(1.0, "channel"), (-0.1, "channel"), (0.1, "pixel")])
def test_wrong_settings_are_named(rate: float, kind: str) -> None:
    with pytest.raises(InputError, match="dropout"):
        place_dropout(head(), rate, kind)


@pytest.mark.parametrize("kind", ["channel", "element"])
@pytest.mark.parametrize("rate", [0.25, 0.6])
def test_zeros_pass_no_gradient_and_the_kept_are_scaled_both_ways(kind: str, rate: float) -> None:
    torch.manual_seed(0)
    block = nn.Sequential(nn.Identity(), nn.ReLU())
    place_dropout(block, rate, kind)
    maps = torch.rand(4, 64, 5, 5) + 0.5  # above zero: the ReLU passes all
    maps.requires_grad_(True)
    out = block(maps)
    out.sum().backward()
    assert maps.grad is not None
    gone = out == 0
    assert 0.7 * rate < gone.float().mean() < 1.3 * rate
    assert torch.equal(maps.grad[gone], torch.zeros(int(gone.sum())))
    assert torch.allclose(out[~gone], maps.detach()[~gone] / (1 - rate))
    assert torch.allclose(maps.grad[~gone], torch.tensor(1 / (1 - rate)))
    block.eval()
    assert torch.equal(block(maps), maps)
    assert torch.equal(block(maps), block(maps))


def test_its_mean_is_that_of_evaluation() -> None:
    torch.manual_seed(0)
    block = nn.Sequential(nn.Identity(), nn.ReLU())
    place_dropout(block, 0.4, "element")
    maps = torch.rand(3, 8, 4, 4)
    mean = torch.stack([block(maps) for _ in range(4000)]).mean(0)
    assert torch.allclose(mean, maps, atol=0.06)
