"""The run's settings, as knobs are turned from them."""

from collections.abc import Mapping
from typing import Any

from detaug.learning.diagnosis.verdict import Knob

# What the program takes where a configuration says nothing.
USUAL: dict[str, Any] = {
    "model.backbone": "mobilenetv3_small_100",
    "model.channels": 64,
    "model.dropout": 0.1,
    "model.pretrained": False,
    "model.freeze": "none",
    "model.learning_rate": 2e-3,
    "model.weight_decay": 0.05,
    "model.l1": 0.0,
    "model.warmup_share": 0.05,
    "data.closing_share": 0.15,
    "trainer.check_val_every_n_epoch": 1,
}

# Backbones by how much they can learn, smallest first.
LADDERS = (
    ("mobilenetv3_small_100", "mobilenetv3_large_100", "resnet18", "resnet34", "resnet50", "resnet101"),
    ("vit_tiny_patch16_224", "vit_small_patch16_224", "vit_base_patch16_224"),
    ("convnext_tiny", "convnext_small", "convnext_base"),
    ("efficientnet_b0", "efficientnet_b2", "efficientnet_b4"),
)


class Current:
    """Settings by dotted names, from a nested mapping as in `config.yaml`."""

    def __init__(self, settings: Mapping[str, Any] | None) -> None:
        self.settings = settings or {}

    def get(self, name: str) -> Any:
        """The setting's value; the program's usual one where it is not given, else None."""
        value: Any = self.settings
        for part in name.split("."):
            if not isinstance(value, Mapping) or part not in value:
                return USUAL.get(name)
            value = value[part]
        return value

    def number(self, name: str) -> float:
        """The setting as a number; 0 where it has none."""
        value = self.get(name)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0

    def chance_of(self, operation: str) -> float:
        """With which probability the recipe applies an operation; 0 where it is off."""
        if self.get(f"data.recipe.{operation}") is None:
            return 0.0
        return self.number(f"data.recipe.{operation}.p")

    def callback(self, ending: str) -> Mapping[str, Any] | None:
        """The settings of the first callback whose class name ends so; None where there is none."""
        for callback in self.get("trainer.callbacks") or []:
            if isinstance(callback, Mapping) and str(callback.get("class_path", "")).endswith(ending):
                return dict(callback.get("init_args") or {})
        return None

    def backbone(self, step: int) -> str | None:
        """The backbone one step larger (1) or smaller (-1); None where none is known."""
        name = self.get("model.backbone")
        ladder = next((ladder for ladder in LADDERS if name in ladder), ())
        at = ladder.index(name) + step if ladder else -1
        return ladder[at] if 0 <= at < len(ladder) else None

    def raised(self, name: str, value: float, why: str) -> list[Knob]:
        """A knob that raises a setting, where it is lower by more than a hundredth."""
        return [Knob(f"--{name} {_plain(value)}", why)] if self.number(name) < 0.99 * value else []

    def lowered(self, name: str, value: float, why: str) -> list[Knob]:
        """A knob that lowers a setting, where it is higher by more than a hundredth."""
        return [Knob(f"--{name} {_plain(value)}", why)] if self.number(name) > 1.01 * value else []


def _plain(value: float) -> str:
    """A number without a tail of digits."""
    return f"{value:.3g}"
