"""Parts of the backbone that do not learn, or not from the start."""

import re
from collections.abc import Sequence
from itertools import pairwise

import torch.distributed as dist
from torch import nn
from torch.nn import Parameter

from detaug.errors import InputError
from detaug.measures.gather import processes, running

_STAGE = re.compile(r"(?:blocks|stages?|layers?|features|s)[._]?\d+(?=[._]|$)")  # timm's and torchvision's names


class Freezing:
    """Which parts of a backbone learn in which epoch.

    Frozen weights have no gradient, and their modules are in evaluation mode, so that batch statistics stay too. All
    weights are in the optimiser's groups from the start: a group that came later would not be known to OneCycleLR and
    LambdaLR. Without a gradient the optimiser neither moves nor decays them.

    Args:
        body: the backbone, without the feature pyramid.
        freeze: `none`, `backbone`, or the number of stages from the image on; the first stage is the stem.
        unfreeze_epochs: from the first of them on the part of the frozen stages nearest to the head learns too, from
            the last on all. The frozen stages are divided into as many parts, as equal as can be.

    Raises:
        InputError: there are not so many stages, or epochs that do not rise.
    """

    def __init__(self, body: nn.Module, freeze: str | int, unfreeze_epochs: Sequence[int] = ()) -> None:
        frozen = _frozen(body, freeze)
        epochs = list(unfreeze_epochs)
        if epochs and not frozen:
            raise InputError(f"model.unfreeze_epochs {epochs} has nothing to unfreeze: model.freeze is {freeze}.")
        if epochs != sorted(set(epochs)) or any(e < 1 for e in epochs):
            raise InputError(f"model.unfreeze_epochs: expected rising epochs from 1 on, got {epochs}.")
        if len(epochs) > len(frozen):
            raise InputError(f"model.unfreeze_epochs has {len(epochs)} epochs, but {len(frozen)} stages are frozen.")
        self._epochs = epochs
        self._parts = [_joined(part) for part in _divided(frozen[::-1], max(1, len(epochs)))] if frozen else []
        self._epoch = 0

    @property
    def _held(self) -> list["Part"]:
        """The parts that are frozen now."""
        return self._parts[sum(e <= self._epoch for e in self._epochs) :]

    def begin(self, epoch: int) -> bool:
        """Freeze and unfreeze as it is in an epoch; whether anything has changed."""
        held = self._held
        self._epoch = epoch
        thawed = held[: len(held) - len(self._held)]
        for part in self._parts:
            part.learn(part not in self._held)
        for part in thawed:
            part.train(True)
        self.hold()
        return bool(thawed)

    @property
    def words(self) -> str:
        """What is frozen now."""
        weights = sum(len(part.weights) for part in self._held)
        return f"{weights} of the backbone's weight tensors are frozen" if weights else "the whole backbone learns"

    def hold(self) -> None:
        """Put what is frozen into evaluation mode; to be called after every `train()` of the network."""
        for part in self._held:
            part.train(False)

    def share_gradients(self) -> None:
        """Give all processes the mean gradient of what was unfrozen: DDP only knows what learnt at the start."""
        if not running():
            return
        for part in self._parts[: len(self._parts) - len(self._held)]:
            for weight in part.weights:
                if weight.grad is not None:
                    dist.all_reduce(weight.grad)
                    weight.grad /= processes()


class Part:
    """Weights and modules that are frozen together.

    Args:
        weights: the parameters.
        modules: the modules, those inside of others too.
    """

    def __init__(self, weights: list[Parameter], modules: list[nn.Module]) -> None:
        self.weights, self.modules = weights, modules

    def learn(self, learning: bool) -> None:
        """Whether the weights learn."""
        for weight in self.weights:
            weight.requires_grad_(learning)

    def train(self, mode: bool) -> None:
        """Training or evaluation mode."""
        for module in self.modules:
            module.training = mode


def stages(body: nn.Module) -> list[Part]:
    """A backbone's stages from the image on; the stem is the first, what follows the last one belongs to it.

    They are told by timm's and torchvision's names, such as `blocks.3`, `stages_1` and `layer2`.
    """
    place: dict[str, int] = {}
    found: list[Part] = [Part([], [])]

    def stage(name: str) -> Part:
        match = _STAGE.match(name)
        if match is not None and match.group() not in place:
            place[match.group()] = len(found)
            found.append(Part([], []))
        return found[-1 if match is None else place[match.group()]]

    for name, weight in body.named_parameters():
        stage(name).weights.append(weight)
    owner = {id(w): part for part in found for w in part.weights}
    for module in body.modules():
        # A module belongs where its weights do, with all that is inside; one that holds several stages, to none.
        holders = {id(owner[id(w)]): owner[id(w)] for w in module.parameters()}
        if len(holders) == 1:
            next(iter(holders.values())).modules.extend(module.modules())
    return [part for part in found if part.weights]


def _frozen(body: nn.Module, freeze: str | int) -> list[Part]:
    if freeze == "none" or freeze == 0:
        return []
    parts = stages(body)
    if freeze == "backbone":
        return parts
    if not isinstance(freeze, int) or isinstance(freeze, bool) or freeze < 0:
        raise InputError(f"model.freeze: expected none, backbone or a number of stages, got {freeze!r}.")
    if len(parts) == 1:
        raise InputError(f"model.freeze {freeze}: this backbone's stages cannot be told apart; take none or backbone.")
    if freeze > len(parts):
        raise InputError(f"model.freeze {freeze}: the backbone has {len(parts)} stages, the stem among them.")
    return parts[:freeze]


def _divided(parts: list[Part], count: int) -> list[list[Part]]:
    bounds = [round(i * len(parts) / count) for i in range(count + 1)]
    return [parts[a:b] for a, b in pairwise(bounds)]


def _joined(parts: list[Part]) -> Part:
    return Part([w for part in parts for w in part.weights], [m for part in parts for m in part.modules])
