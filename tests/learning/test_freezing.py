"""What is frozen does not move, and learns from its epoch on."""

import json
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.optim import SGD
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from detaug.errors import InputError
from detaug.learning.ema import Ema
from detaug.learning.freezing import Freezing, stages
from detaug.learning.module import SignDetector
from detaug.learning.optimiser import decay_groups
from tests.batches.painting import painted
from tests.learning.rectangles import Rectangles, trainer, two_devices, two_processes
from tests.running import NET, QUICK, program

pytestmark = pytest.mark.timeout(90)


class Watch(Callback):
    """The state before and after each epoch, and the learning rate of each step."""

    def __init__(self) -> None:
        self.states: list[dict[str, Tensor]] = []
        self.rates: list[list[float]] = []

    def _keep(self, pl_module: LightningModule) -> None:
        self.states.append({n: v.detach().clone() for n, v in pl_module.state_dict().items()})

    def on_train_start(self, _: Trainer, pl_module: LightningModule) -> None:
        self._keep(pl_module)

    def on_train_epoch_end(self, _: Trainer, pl_module: LightningModule) -> None:
        self._keep(pl_module)

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        self.rates.append([group["lr"] for group in trainer.optimizers[0].param_groups])

    def moved(self, epoch: int) -> set[str]:
        """Names of what an epoch changed, by the slightest."""
        before, after = self.states[epoch], self.states[epoch + 1]
        return {n for n in before if not torch.equal(before[n], after[n])}


def fit(folder: Path, epochs: int = 3, more: tuple[Callback, ...] = (), **settings: Any) -> Watch:
    torch.manual_seed(0)
    watch = Watch()
    net = SignDetector(channels=32, head_convs=1, backbone="test_resnet", **settings)
    trainer(folder, max_epochs=epochs, callbacks=[*more, watch]).fit(net, datamodule=Rectangles())
    return watch


BODY = "detector.network.backbone.body."


def of_body(names: set[str], *stages: str) -> set[str]:
    return {n for n in names if n.startswith(tuple(f"{BODY}{s}." for s in stages))}


STEM = ("conv1", "bn1")
ALL = (*STEM, "layer1", "layer2", "layer3", "layer4")


def test_nothing_frozen_moves_all(tmp_path: Path) -> None:
    watch = fit(tmp_path, 1)
    assert watch.moved(0) == set(watch.states[0])


@pytest.mark.parametrize(("freeze", "held"), [(1, STEM), (3, ALL[:4]), ("backbone", ALL)])
@pytest.mark.parametrize("averaged", [False, True])
def test_frozen_stages_stay_bit_for_bit(freeze: Any, held: tuple[str, ...], averaged: bool, tmp_path: Path) -> None:
    """Weights and batch statistics, under weight decay, L1 and L2; the rest learns."""
    more = (Ema(decay=0.5),) if averaged else ()
    watch = fit(tmp_path, 2, more, freeze=freeze, weight_decay=0.5, l1=1e-3, l2=1e-3)
    everything = set(watch.states[0])
    for epoch in (0, 1):
        assert watch.moved(epoch) == everything - of_body(everything, *held)


def test_stages_learn_from_their_epochs_on_and_the_learning_rate_runs_as_ever(tmp_path: Path) -> None:
    watch = fit(tmp_path / "a", 4, freeze="backbone", unfreeze_epochs=[1, 3])
    everything = set(watch.states[0])
    late = ("layer3", "layer4")
    assert watch.moved(0) == everything - of_body(everything, *ALL)
    assert of_body(watch.moved(1), *late) == of_body(everything, *late)
    assert of_body(watch.moved(1), *ALL) == of_body(watch.moved(2), *ALL) == of_body(everything, *late)
    assert watch.moved(3) == everything
    assert watch.rates == fit(tmp_path / "b", 4).rates
    assert len(watch.rates[0]) == 2


@pytest.mark.parametrize("schedule", ["one cycle", "lambda"])
def test_schedulers_keep_their_groups(schedule: str) -> None:
    """Lightning's BackboneFinetuning adds a group when it unfreezes, which these two do not know."""
    body = nn.Sequential()
    body.add_module("layer1", nn.Linear(2, 2))
    model = nn.Sequential(body, nn.Linear(2, 1))
    freezing = Freezing(nn.ModuleDict({"stem": nn.Linear(1, 1), "layer1": body}), "backbone", [2])
    optimiser = SGD(decay_groups(model, 0.1), lr=0.1)
    curve: LRScheduler = LambdaLR(optimiser, lambda step: 1 / (step + 1))
    if schedule == "one cycle":
        curve = OneCycleLR(optimiser, 1.0, total_steps=5)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    for epoch in range(4):
        freezing.begin(epoch)
        optimiser.zero_grad()
        model(torch.ones(1, 2)).sum().backward()
        optimiser.step()
        curve.step()
        assert len(optimiser.param_groups) == 2
        still = torch.equal(body[0].weight, before["0.layer1.weight"])  # type: ignore[arg-type]
        assert still == (epoch < 2)


@pytest.mark.parametrize(
    ("backbone", "count"),
    [("mobilenetv3_small_100", 7), ("resnet18", 5), ("convnext_atto", 5), ("regnetx_002", 5), ("efficientnet_b0", 8)],
)
def test_stages_part_a_backbone(backbone: str, count: int) -> None:
    body = timm.create_model(backbone, features_only=True)
    parts = stages(body)
    assert len(parts) == count
    weights = [id(w) for part in parts for w in part.weights]
    assert sorted(weights) == sorted(id(w) for w in body.parameters())
    norms = [id(m) for m in body.modules() if isinstance(m, nn.BatchNorm2d)]
    assert {id(m) for part in parts for m in part.modules} >= set(norms)


def test_what_is_frozen_is_in_evaluation_mode_until_it_learns() -> None:
    body: Any = timm.create_model("resnet18", features_only=True)
    freezing = Freezing(body, 3, [2])
    for epoch, training in ((0, False), (1, False), (2, True)):
        body.train()
        freezing.begin(epoch)
        assert body.bn1.training == training
        assert body.layer2[0].bn1.training == training
        assert body.layer3[0].bn1.training
        assert body.layer1[0].conv1.weight.requires_grad == training


@pytest.mark.parametrize(
    ("freeze", "epochs", "words"),
    [
        (6, [], "has 5 stages"),
        (-1, [], "-1"),
        ("none", [2], "nothing to unfreeze"),
        (2, [3, 2], "rising"),
        (2, [0], "from 1 on"),
        (1, [1, 2], "2 epochs, but 1"),
    ],
)
def test_wrong_settings_are_named(freeze: Any, epochs: list[int], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Freezing(timm.create_model("resnet18", features_only=True), freeze, epochs)


def test_stages_that_cannot_be_told_apart_are_said_to_be() -> None:
    with pytest.raises(InputError, match="cannot be told apart"):
        Freezing(nn.Sequential(nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)), 1)


def test_from_the_command_line(tmp_path: Path) -> None:
    root = painted(tmp_path / "data", {"train": 8, "val": 2})
    flags = [f"--data.root={root}", f"--runs={tmp_path}", "--trainer.max_epochs=3", "--model.freeze=3"]
    keep = [
        "--trainer.callbacks+=pytorch_lightning.callbacks.ModelCheckpoint",
        "--trainer.callbacks.save_top_k=-1",
        "--trainer.callbacks.filename={epoch}",
    ]
    done = program("fit", *NET, *QUICK, *flags, *keep, "--model.unfreeze_epochs=[2]")
    assert done.code == 0, done.err
    folder = tmp_path / "run/0/checkpoints"
    weights = [torch.load(folder / f"epoch={e}.ckpt", weights_only=True)["state_dict"] for e in range(3)]
    stem = BODY + "conv_stem.weight"
    assert torch.equal(weights[0][stem], weights[1][stem])
    assert not torch.equal(weights[1][stem], weights[2][stem])


def _unfreeze(rank: int, folder: Path, world: int) -> None:
    """Normalised by group: two processes can do what one does."""
    torch.manual_seed(0)
    net = SignDetector(
        channels=32, head_convs=1, dropout=0.0, norm="group", freeze="backbone", unfreeze_epochs=[1], learning_rate=1e-3
    )
    runner = trainer(folder, max_epochs=3, limit_val_batches=0, **(two_devices() if world == 2 else {}))
    runner.fit(net, datamodule=Rectangles(images=4, batch=4 // world, rank=rank, world=world))
    torch.save(net.state_dict(), folder / f"{world}-{rank}.pt")
    (folder / f"{world}-{rank}.json").write_text(json.dumps(runner.callback_metrics["train/loss"].item()))


@pytest.mark.slow
def test_two_processes_agree_on_what_was_unfrozen(tmp_path: Path) -> None:
    """DDP knows only what learnt when it began; the gradients of the rest are shared all the same."""
    _unfreeze(0, tmp_path, 1)
    two_processes(_unfreeze, tmp_path, 2)
    one, left, right = (torch.load(tmp_path / f"{n}.pt") for n in ("1-0", "2-0", "2-1"))
    assert all(torch.equal(left[n], right[n]) for n in left)
    losses = [json.loads((tmp_path / f"{n}.json").read_text()) for n in ("1-0", "2-0")]
    assert losses[1] == pytest.approx(losses[0], rel=1e-2)
    moved = one[BODY + "conv_stem.weight"]
    assert torch.allclose(left[BODY + "conv_stem.weight"], moved, atol=2e-3)
