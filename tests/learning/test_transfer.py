"""Beginning with weights that were learnt elsewhere."""

from pathlib import Path

import pytest
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from safetensors.torch import save_file
from torchvision.models.detection import FCOS_ResNet50_FPN_Weights, fcos_resnet50_fpn

from detaug.detectors.torchvision import build_fcos
from detaug.errors import InputError
from detaug.learning.module import SignDetector
from detaug.learning.transfer import begin_with
from tests.batches.painting import painted
from tests.learning.rectangles import Rectangles, trainer
from tests.running import NET, QUICK, program

pytestmark = pytest.mark.timeout(90)
ROWS = "detector.network.head.classification_head.cls_logits."


def model(names: list[str], seed: int = 1, **settings: object) -> SignDetector:
    torch.manual_seed(seed)
    return SignDetector(channels=32, head_convs=1, classes=names, **settings)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that knows red, green and blue."""
    folder = tmp_path_factory.mktemp("saved")
    torch.manual_seed(0)
    net = SignDetector(channels=32, head_convs=1)
    keep = ModelCheckpoint(folder, save_last=True)
    trainer(folder, callbacks=[keep], enable_checkpointing=True).fit(net, datamodule=Rectangles())
    return folder / "last.ckpt"


def test_all_but_the_classes_is_taken_and_these_by_name(saved: Path) -> None:
    theirs = torch.load(saved, weights_only=True)["state_dict"]
    fresh, net = model(["blue", "lilac", "red"]), model(["blue", "lilac", "red"])
    taken = begin_with(net, net.class_names, str(saved))
    assert taken.classes == ("blue", "red")
    own = net.state_dict()
    for name, value in own.items():
        if "cls_logits" not in name and "num_batches_tracked" not in name:
            assert torch.equal(value, theirs[name]), name
    for part in ("weight", "bias"):
        rows = own[ROWS + part]
        assert torch.equal(rows[0], theirs[ROWS + part][2])
        assert torch.equal(rows[1], fresh.state_dict()[ROWS + part][1])
        assert torch.equal(rows[2], theirs[ROWS + part][0])
    assert taken.tensors == len([n for n in own if "cls_logits" not in n and "num_batches_tracked" not in n])


def test_a_run_begins_with_a_file_and_is_scored_without_it(saved: Path, tmp_path: Path) -> None:
    root = painted(tmp_path / "data", {"train": 8, "val": 2})
    start = tmp_path / "start.ckpt"
    start.write_bytes(saved.read_bytes())
    flags = [f"--data.root={root}", f"--runs={tmp_path}/runs", "--trainer.max_epochs=1"]
    done = program("fit", *NET, *QUICK, *flags, f"--model.init_from={start}", "--model.learning_rate=0")
    assert done.code == 0, done.err
    best = tmp_path / "runs/run/0/checkpoints/best.ckpt"
    theirs, ours = (torch.load(p, weights_only=True)["state_dict"] for p in (start, best))
    same = [n for n in ours if torch.equal(ours[n], theirs[n]) if n not in (ROWS + "weight", ROWS + "bias")]
    weights = [n for n, p in model(["red"]).named_parameters() if "cls_logits" not in n]
    assert set(weights) <= set(same)
    start.unlink()
    done = program("validate", *QUICK, *flags[:2], f"--ckpt_path={best}")
    assert done.code == 0, done.err
    assert SignDetector.load_from_checkpoint(best).class_names == ["red", "green", "yellow"]


@pytest.mark.slow
def test_torchvisions_coco_detector_gives_the_classes_of_coco(tmp_path: Path) -> None:
    torch.manual_seed(3)
    source = fcos_resnet50_fpn(weights=None, weights_backbone=None, num_classes=91).state_dict()
    torch.save(source, tmp_path / "coco.pth")
    net = SignDetector(
        backbone="resnet50", channels=256, head_convs=4, classes=["stop sign", "speedlimit"],
        init_from=str(tmp_path / "coco.pth"), norm="frozen",
    )  # fmt: skip
    own = net.state_dict()
    number = FCOS_ResNet50_FPN_Weights.DEFAULT.meta["categories"].index("stop sign")
    assert torch.equal(own[ROWS + "weight"][0], source["head.classification_head.cls_logits.weight"][number])
    body = "backbone.body.layer3.2.conv1.weight"
    assert torch.equal(own["detector.network." + body], source[body])


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_backbone_alone(suffix: str, tmp_path: Path) -> None:
    made = build_fcos("resnet18", 2, channels=64).network.backbone.body.state_dict()
    source = {name: value.contiguous() for name, value in made.items()}
    source["fc.weight"] = torch.zeros(10, 512)
    path = tmp_path / f"resnet18.{suffix}"
    save_file(source, path) if suffix == "safetensors" else torch.save(source, path)
    net = SignDetector(backbone="resnet18", classes=["a", "b"], init_from=str(path))
    assert net.detector is not None
    own = net.detector.network.backbone.body.state_dict()
    assert all(torch.equal(own[n], source[n]) for n in own if "num_batches" not in n)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no file"),
        (b"not weights", "can be read"),
        ({"state_dict": {"other.weight": torch.zeros(2)}}, "none of its 1 tensors"),
        ({"state_dict": 3}, "can be read"),
        ([1, 2], "can be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(content: object, words: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(InputError, match=words) as error:
        model(["red"], init_from=str(path))
    assert str(path) in str(error.value)


def test_another_shape_is_said_to_be_one(saved: Path) -> None:
    with pytest.raises(InputError, match=r"does not fit.*head_convs"):
        SignDetector(channels=64, head_convs=1, classes=["red"], init_from=str(saved))
    with pytest.raises(InputError, match="does not fit"):
        SignDetector(channels=32, head_convs=2, classes=["red"], init_from=str(saved))


def test_code_in_a_file_does_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "ran",)  # type: ignore[return-value]

    torch.save({"state_dict": {}, "x": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(InputError, match="can be read"):
        model(["red"], init_from=str(tmp_path / "evil.pth"))
    assert not (tmp_path / "ran").exists()
