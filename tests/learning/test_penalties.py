"""What pulls weights towards zero, and what does not."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from detaug.learning.module import SignDetector
from detaug.learning.penalties import penalties
from tests.batches.painting import painted
from tests.learning.rectangles import Rectangles, trainer
from tests.running import NET, QUICK, program

pytestmark = pytest.mark.timeout(90)


def test_no_penalty_is_none() -> None:
    assert penalties([torch.ones(2, 2)], 0.0, 0.0) == {}
    assert penalties([], 1.0, 1.0) == {}


def test_the_gradients_are_l2_times_the_weight_and_l1_times_its_sign() -> None:
    weight = torch.randn(5, 7, requires_grad=True)
    (gradient,) = torch.autograd.grad(penalties([weight], 0.0, 0.3)["l2"], weight)
    assert torch.allclose(gradient, 0.3 * weight.detach(), atol=1e-7)
    (gradient,) = torch.autograd.grad(penalties([weight], 0.3, 0.0)["l1"], weight)
    assert torch.allclose(gradient, 0.3 * weight.detach().sign())


def fit(l1: float, l2: float) -> torch.Tensor:
    """The 12 weights of a line, of which the target needs the first four; the other inputs are faint copies of them."""
    source = torch.Generator().manual_seed(1)
    needed = torch.randn(400, 4, generator=source)
    noise = torch.randn(400, 8, generator=source)
    inputs = torch.cat([needed, 0.5 * needed.repeat(1, 2) + noise], 1)
    wanted = needed @ torch.tensor([2.0, -1.5, 1.0, -2.5])
    line = nn.Linear(12, 1)
    nn.init.constant_(line.weight, 0.5)
    optimiser = Adam(line.parameters(), lr=0.02)
    curve = LambdaLR(optimiser, lambda step: max(0.0, 1 - step / 1500))
    for _ in range(1500):
        loss = (line(inputs)[:, 0] - wanted).square().mean()
        loss = loss + torch.stack([torch.zeros(()), *penalties([line.weight], l1, l2).values()]).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        curve.step()
    return line.weight.detach()[0]


def test_l1_drives_to_zero_what_l2_leaves() -> None:
    sparse, small = fit(l1=0.3, l2=0.0), fit(l1=0.0, l2=0.6)
    assert sparse[4:].abs().max() < 1e-3
    assert small[4:].abs().min() > 5e-3
    assert small[4:].abs().mean() > 0.05
    assert sparse[:4].abs().min() > 0.5
    assert small[:4].abs().min() > 0.3


def pulled(make: Callable[[list[nn.Parameter]], Optimizer], l2: float) -> torch.Tensor:
    """How much one step takes off two equal weights, of which the second has a hundred times the gradient."""
    weight = nn.Parameter(torch.ones(2))
    optimiser = make([weight])
    moved = []
    for strength in (0.0, l2):
        weight.data.fill_(1.0)
        optimiser.state.clear()
        loss = (torch.tensor([1.0, 100.0]) * weight).sum()
        if strength:
            loss = loss + penalties([weight], 0.0, strength)["l2"]
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        moved.append(weight.detach().clone())
    return moved[0] - moved[1]


def test_under_adam_l2_is_not_weight_decay() -> None:
    """Plain descent takes the same share off all weights; Adam nearly nothing where gradients are large."""
    plain = pulled(lambda w: SGD(w, lr=0.01), 0.1)
    assert plain.tolist() == pytest.approx([0.001, 0.001], rel=1e-3)
    adam = pulled(lambda w: Adam(w, lr=0.01), 0.1)
    assert adam.abs().max() < 1e-5
    weight = nn.Parameter(torch.ones(2))
    decoupled = AdamW([weight], lr=0.01, weight_decay=0.1)
    weight.grad = torch.zeros(2)
    decoupled.step()
    assert (1 - weight.detach()).tolist() == pytest.approx([0.001, 0.001], rel=1e-3)


@pytest.mark.parametrize(("name", "power"), [("l1", 1), ("l2", 2)])
def test_the_penalty_is_of_the_decayed_weights_alone(name: str, power: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = SignDetector(channels=32, head_convs=1, learning_rate=0.0, **{name: 0.5})  # type: ignore[arg-type]
    runner = trainer(tmp_path, limit_train_batches=1, limit_val_batches=0)
    runner.fit(net, datamodule=Rectangles())
    total = sum(p.abs().pow(power).sum().item() for p in net.parameters() if p.ndim > 1)
    assert runner.callback_metrics[f"train/{name}"].item() == pytest.approx(0.5 * total / power, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("setting", ["weight_decay=30", "l1=1", "l2=300"])
def test_from_the_command_line_weights_get_smaller_and_norms_do_not(setting: str, tmp_path: Path) -> None:
    root = painted(tmp_path / "data", {"train": 8, "val": 2})
    sizes: list[tuple[float, float]] = []
    for name, more in (("plain", "weight_decay=0"), ("pulled", setting)):
        flags = [f"--data.root={root}", f"--runs={tmp_path}", f"--name={name}", "--trainer.max_epochs=4"]
        off = ["--model.weight_decay=0", "--data.probe=null", "--data.suspects=0", "--trainer.limit_val_batches=0"]
        done = program("fit", *NET, *QUICK, *flags, *off, f"--model.{more}")
        assert done.code == 0, done.err
        weights = torch.load(tmp_path / name / "0/checkpoints/last.ckpt", weights_only=True)["state_dict"]
        large = [w for n, w in weights.items() if w.ndim > 1]
        scales = [w for n, w in weights.items() if w.ndim == 1 and n.endswith("weight")]
        sizes.append((float(sum(w.abs().sum() for w in large)), float(torch.cat(scales).mean())))
    (plain, scale), (pulled_down, pulled_scale) = sizes
    assert pulled_down < 0.97 * plain
    assert pulled_scale == pytest.approx(scale, abs=0.02)
