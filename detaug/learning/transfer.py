"""Beginning with weights that were learnt elsewhere, from a file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models.detection import FCOS_ResNet50_FPN_Weights

from detaug.errors import InputError

CLASS_LAYER = "cls_logits"
_PLACES = {
    "detector.": "a checkpoint of detaug",
    "detector.network.": "torchvision's FCOS",
    "detector.network.backbone.body.": "the backbone alone",
}


@dataclass(frozen=True, slots=True)
class Transfer:
    """What was taken from a file.

    Attributes:
        source: what the file holds, in words.
        tensors: how many weights and statistics were taken whole.
        classes: names of the classes whose outputs were taken; the others begin anew.
    """

    source: str
    tensors: int
    classes: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The same for people."""
        heads = f"class outputs of {', '.join(self.classes)}" if self.classes else "no class outputs"
        return f"{self.source}: {self.tensors} tensors taken, and {heads}"


@torch.no_grad()
def begin_with(model: nn.Module, class_names: Sequence[str], path: str) -> Transfer:
    """Put a file's weights into a model whose `detector` is an `Fcos`.

    The file is a checkpoint of detaug, the state dict of torchvision's FCOS (the classes of COCO are then known by
    torchvision's names), or of a backbone alone, as `.pth` or `.safetensors`. Only tensors and plain values are read
    from it. The last layer of the classification is taken class by class where the names agree; all else must fit.

    Args:
        model: is changed.
        class_names: of its classes, in label order.
        path: the file.

    Raises:
        InputError: the file cannot be read, or does not fit this model.
    """
    content = _read(path)
    given = {str(name): value for name, value in content.get("state_dict", content).items() if _is_tensor(value)}
    own = model.state_dict()
    prefix = _place(given, own, path)
    source = {_named(name, prefix): value for name, value in given.items()}
    wanted = [name for name in own if name.startswith(prefix) and not name.endswith("num_batches_tracked")]
    whole = [name for name in wanted if CLASS_LAYER not in name]
    missing = [n for n in whole if n not in source or source[n].shape != own[n].shape]
    if missing:
        raise InputError(
            f"{path}: {_PLACES[prefix]} does not fit this model, {len(missing)} of {len(whole)} tensors differ, first "
            f"{missing[0].removeprefix('detector.')}; model.backbone, channels, head_convs and norm must be the same."
        )
    for name in whole:
        own[name].copy_(source[name])
    rows = _same_classes(class_names, _class_names(content, prefix))
    layers = [name for name in wanted if CLASS_LAYER in name and name in source]
    for name in layers:
        for ours, theirs in rows.values():
            own[name][ours].copy_(source[name][theirs])
    return Transfer(f"{path}, {_PLACES[prefix]}", len(whole), tuple(rows) if layers else ())


def _read(path: str) -> Mapping[str, Any]:
    if not Path(path).is_file():
        raise InputError(f"model.init_from: there is no file {path}.")
    try:
        content = load_file(path) if path.endswith(".safetensors") else torch.load(path, "cpu", weights_only=True)
    except Exception as error:  # torch meets bytes that are no weights with errors of every class
        raise InputError(f"{path}: this is no file of weights that can be read.") from error
    if not isinstance(content, dict) or not isinstance(content.get("state_dict", {}), dict):
        raise InputError(f"{path}: this is no file of weights that can be read.")
    return content


def _is_tensor(value: object) -> bool:
    return isinstance(value, Tensor)


def _place(given: Mapping[str, Tensor], own: Mapping[str, Tensor], path: str) -> str:
    """The prefix in our model that the file's names belong under: the one where the most names meet."""
    met = {prefix: sum(_named(name, prefix) in own for name in given) for prefix in _PLACES}
    best = max(met, key=lambda prefix: met[prefix])
    if met[best] == 0:
        raise InputError(f"{path}: none of its {len(given)} tensors has a name that this model knows.")
    return best


def _named(name: str, prefix: str) -> str:
    """A file's name as it is in our model; a checkpoint of detaug has the same names."""
    return name if prefix == "detector." else prefix + name


def _class_names(content: Mapping[str, Any], prefix: str) -> Sequence[str]:
    if prefix == "detector.network.":
        names: Sequence[str] = FCOS_ResNet50_FPN_Weights.DEFAULT.meta["categories"]
        return names
    classes = content.get("classes")
    return list(classes.get("names") or ()) if isinstance(classes, dict) else ()


def _same_classes(ours: Sequence[str], theirs: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Our and their label of each class that both know by the same name."""
    place = {name: i for i, name in enumerate(theirs)}
    return {name: (i, place[name]) for i, name in enumerate(ours) if name in place}
