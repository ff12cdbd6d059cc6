"""The GPU renderer in torch alone, for any device: slower than the kernel, and what the kernel is tested against.

The k-th layers of all scenes are laid together, as one list of the pixels in their windows.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from detaug.render.gpu.packing import ELLIPSE, SOFT_ELLIPSE, SOFT_POLYGON, TILE, PackedScenes
from detaug.render.gpu.resident import ResidentImages

_MOST = 1 << 20  # canvas pixels, over all opacity groups, that are painted together
_BLEND = 1.00001  # OpenCV divides a blend by its weights and this little more


def paint(packed: PackedScenes, images: ResidentImages) -> Tensor:
    """(B, 3, H, W) uint8, the pictures of packed scenes on the images' device."""
    height, width = packed.size
    groups = packed.groups.tolist()
    made, first = [], 0
    while first < len(packed):
        last = first + 1
        while last < len(packed) and (groups[last + 1] - groups[first]) * height * width <= _MOST:
            last += 1
        made.append(_finished(_painted(packed, images, first, last), packed, images, first))
        first = last
    return torch.cat(made)


def _painted(packed: PackedScenes, images: ResidentImages, first: int, last: int) -> Tensor:
    """(scenes, H, W, 3) float32, whole grey levels: the layers of some scenes, all groups mixed."""
    height, width = packed.size
    groups, layers = packed.groups[first : last + 1].tolist(), packed.layers.tolist()
    start = groups[0]
    fill = packed.colour[first:last, 12:].repeat_interleave(packed.groups[first : last + 1].diff(), 0)
    canvas = fill[:, None, None].expand(-1, height, width, -1).contiguous()
    flat = canvas.view(-1, 3)
    steps = packed.codes[:, 6].tolist()
    rounds: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for group in range(start, groups[-1]):
        for place, layer in enumerate(range(layers[group], layers[group + 1])):
            rounds.setdefault((place, steps[layer]), []).append((layer, group - start))
    for (_, step), laid in sorted(rounds.items()):
        _lay(flat, packed, images, step, *torch.tensor(laid, device=images.device).T)
    _erase(canvas, packed, start)
    mixed = canvas[[group - start for group in groups[:-1]]]
    for scene, (group, end) in enumerate(pairwise(groups)):
        for top in range(group + 1, end):
            share = packed.opacity[top]
            mixed[scene] = torch.round(mixed[scene] * (1 - share) + canvas[top - start] * share)
    return mixed


@dataclass(frozen=True, slots=True, eq=False)
class _Pixels:
    """P canvas pixels: x and y of their centres (P,), and the layer of each (P,)."""

    x: Tensor
    y: Tensor
    layer: Tensor


def _lay(flat: Tensor, packed: PackedScenes, images: ResidentImages, step: int, layer: Tensor, group: Tensor) -> None:
    """Lay layers of one step, each over another canvas, over `flat` (canvases * H * W, 3)."""
    height, width = packed.size
    window = packed.codes[layer, 7:].long()
    wide, areas = window[:, 2] - window[:, 0], (window[:, 2:] - window[:, :2]).prod(1)
    owner = torch.repeat_interleave(areas)
    place = torch.arange(len(owner), device=owner.device) - (areas.cumsum(0) - areas)[owner]
    column = place % wide[owner] + window[owner, 0]
    row = place // wide[owner] + window[owner, 1]
    where = (group[owner] * height + row) * width + column
    pixels = _Pixels(column + 0.5, row + 0.5, layer[owner])
    seen, share = _sampled(packed, images, pixels, step)
    patch = (packed.codes[pixels.layer, 1] != TILE).nonzero()[:, 0]
    own = _Pixels(pixels.x[patch], pixels.y[patch], pixels.layer[patch])
    seen[patch] = torch.round(torch.round(seen[patch]) * packed.gain[own.layer]).clamp(0, 255)
    share[patch] = _alpha(packed, own)
    mixed = seen * share[:, None] + flat[where] * (1 - share[:, None])
    mixed[patch] /= _BLEND
    flat[where] = torch.round(mixed)


def _sampled(packed: PackedScenes, images: ResidentImages, pixels: _Pixels, step: int) -> tuple[Tensor, Tensor]:
    """(P, 3) grey levels between the four nearest cells of each pixel's layer, and (P,) how far it lies within it."""
    way, codes = packed.way[pixels.layer], packed.codes[pixels.layer].long()
    first, stride = images.places[codes[:, 0]].T
    taps, shares, cover = [], [], torch.ones_like(pixels.x)
    for axis, (low, high) in enumerate(((codes[:, 2], codes[:, 4]), (codes[:, 3], codes[:, 5]))):
        a, b, c = way[:, 3 * axis : 3 * axis + 3].T
        at = a * pixels.x + b * pixels.y + c
        cells = (high - low + step - 1) // step
        cell = torch.floor(at - 0.5)
        shares.append(at - 0.5 - cell)
        cover = cover * torch.minimum(at + 0.5, cells - at + 0.5).clamp(0, 1)
        near = [torch.minimum((cell.long() + i).clamp(min=0), cells - 1) * step + low for i in (0, 1)]
        taps.append([[torch.minimum(n + k, high - 1) for k in range(step)] for n in near])
    (left, right), (top, bottom) = taps
    x, y = (share[:, None] for share in shares)

    def cell_mean(columns: list[Tensor], rows: list[Tensor]) -> Tensor:
        total = torch.zeros((len(x), 3), device=x.device)
        for row in rows:
            for column in columns:
                total += images.arena[first + row * stride + column, :3]
        return torch.round(total / step**2)

    above = cell_mean(left, top) * (1 - x) + cell_mean(right, top) * x
    below = cell_mean(left, bottom) * (1 - x) + cell_mean(right, bottom) * x
    return above * (1 - y) + below * y, cover


def _alpha(packed: PackedScenes, pixels: _Pixels) -> Tensor:
    """(P,) opacity of patches, as `coverage.depth` and `blend.alpha` have it."""
    edge, kind = packed.edge[pixels.layer], packed.codes[pixels.layer, 1]
    x, y = pixels.x - edge[:, 1], pixels.y - edge[:, 2]
    sides = edge[:, 3:].view(-1, 8, 3)
    polygon = (sides[..., 0] * x[:, None] + sides[..., 1] * y[:, None] - sides[..., 2]).amin(1)
    a, b, c, d = edge[:, 3:7].T
    u, v = a * x + b * y, c * x + d * y
    radius = torch.hypot(u, v).clamp(min=1e-6)
    ellipse = (1 - radius) / torch.hypot((u * a + v * c) / radius, (u * b + v * d) / radius)
    z = torch.where((kind == ELLIPSE) | (kind == SOFT_ELLIPSE), ellipse, polygon) * edge[:, 0]
    gaussian = torch.sigmoid((8 / torch.pi) ** 0.5 * (z + 0.044715 * z**3))
    return torch.where(kind >= SOFT_POLYGON, gaussian, (z + 0.5).clamp(0, 1))


def _erase(canvas: Tensor, packed: PackedScenes, start: int) -> None:
    """Paint boxes over in the mean of the pixels round them, one after the other."""
    height, width = packed.size
    begins, boxes = packed.erasures.tolist(), packed.erased.tolist()
    for group in range(len(canvas)):
        for x1, y1, x2, y2 in boxes[begins[start + group] : begins[start + group + 1]]:
            inside = canvas[group, y1:y2, x1:x2]
            around = canvas[group, max(y1 - 1, 0) : min(y2 + 1, height), max(x1 - 1, 0) : min(x2 + 1, width)]
            ring = around.sum((0, 1), dtype=torch.float64) - inside.sum((0, 1), dtype=torch.float64)
            inside[:] = torch.round(ring / (around[..., 0].numel() - inside[..., 0].numel())).float()


def _finished(mixed: Tensor, packed: PackedScenes, images: ResidentImages, first: int) -> Tensor:
    """(scenes, 3, H, W) uint8 after colour, curve and noise."""
    (height, width), count = packed.size, len(mixed)
    matrix = packed.colour[first : first + count, :12].view(-1, 3, 4, 1, 1)
    red, green, blue = mixed.permute(3, 0, 1, 2)[:, :, None]
    image = matrix[:, :, 0] * red + matrix[:, :, 1] * green + matrix[:, :, 2] * blue + matrix[:, :, 3]
    levels = torch.floor(image + 0.5).clamp(0, 255).long()
    made = packed.curves[first : first + count].float().gather(1, levels.view(count, -1)).view_as(image)
    for scene, sigma in enumerate(packed.sigma[first : first + count].tolist()):
        if sigma:
            top, left = packed.field[first + scene].tolist()
            made[scene] += torch.round(images.noise[:, top : top + height, left : left + width] * sigma)
    return made.clamp(0, 255).to(torch.uint8)
