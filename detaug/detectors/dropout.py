"""Dropout in a detector's head."""

from torch import nn

from detaug.errors import InputError

ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.SiLU, nn.GELU, nn.Hardswish, nn.Mish)
KINDS: dict[str, type[nn.Module]] = {"channel": nn.Dropout2d, "element": nn.Dropout}


def place_dropout(head: nn.Module, rate: float, kind: str = "channel") -> int:
    """Put dropout after the activation of each convolution block of a head, in place.

    An activation at index i of a block becomes the pair (activation, dropout) at the same index, so the names of the
    weights stay as they were and a checkpoint loads with any rate. `channel` drops whole feature maps, which
    neighbouring pixels cannot fill in for each other (Tompson et al., 2015, "Efficient Object Localization Using
    Convolutional Networks"); `element` drops single values (Srivastava et al., 2014).

    Args:
        head: a module whose convolution blocks are `nn.Sequential`.
        rate: the share that is dropped, at least 0 and below 1; 0 places nothing.
        kind: `channel` or `element`.

    Returns:
        How many dropout layers were placed.

    Raises:
        InputError: a rate outside [0, 1) or another kind.

    >>> block = nn.Sequential(nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU())
    >>> place_dropout(block, 0.1), place_dropout(block, 0.0)
    (2, 0)
    """
    if not 0 <= rate < 1:
        raise InputError(f"dropout: expected a rate of at least 0 and below 1, got {rate}.")
    if kind not in KINDS:
        raise InputError(f"dropout_kind: expected {' or '.join(KINDS)}, got {kind!r}.")
    if rate == 0:
        return 0
    blocks = [m for m in head.modules() if isinstance(m, nn.Sequential)]
    places = [(b, i) for b in blocks for i, layer in enumerate(b) if isinstance(layer, ACTIVATIONS)]
    for block, i in places:
        block[i] = nn.Sequential(block[i], KINDS[kind](rate))
    return len(places)
