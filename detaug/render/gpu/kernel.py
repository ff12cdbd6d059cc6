"""The GPU renderer as one Triton kernel: each pixel gathers from all layers of its scene, in painter's order.

Boxes to be painted over need the mean of what is painted round them, so a small kernel works out their tints first.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from detaug.render.gpu.packing import PackedScenes
from detaug.render.gpu.resident import ResidentImages

BLOCK = (16, 32, 8)  # rows and columns of canvas pixels of a program, and its warps
_RING = 128  # pixels round an erased box that are looked at together


@triton.jit
def _rint(x):
    """Round half to even, for numbers far below 2 ** 22."""
    return (x + 12582912.0) - 12582912.0


@triton.jit
def _within(x, low, high):
    return tl.minimum(tl.maximum(x, low), high)


@triton.jit
def _mixed(one, other, share):
    return one + (other - one) * share


@triton.jit
def _sampled(arena, places, way, code, x, y):
    """Red, green and blue between the four nearest cells of a layer, and how far the pixel lies within it."""
    u = tl.load(way) * x + tl.load(way + 1) * y + tl.load(way + 2)
    v = tl.load(way + 3) * x + tl.load(way + 4) * y + tl.load(way + 5)
    low_x, low_y, high_x, high_y = tl.load(code + 2), tl.load(code + 3), tl.load(code + 4), tl.load(code + 5)
    step = tl.load(code + 6)
    wide, high = (high_x - low_x + step - 1) // step, (high_y - low_y + step - 1) // step
    cover = _within(tl.minimum(u + 0.5, wide - u + 0.5), 0.0, 1.0)
    cover *= _within(tl.minimum(v + 0.5, high - v + 0.5), 0.0, 1.0)
    # A patch may ask for what lies far outside; beyond one cell all is the same.
    u, v = _within(u - 0.5, -1.0, wide.to(tl.float32)), _within(v - 0.5, -1.0, high.to(tl.float32))
    column, row = tl.floor(u), tl.floor(v)
    share_x, share_y = u - column, v - row
    left = _within(column.to(tl.int32), 0, wide - 1) * step + low_x
    right = _within(column.to(tl.int32) + 1, 0, wide - 1) * step + low_x
    top = _within(row.to(tl.int32), 0, high - 1) * step + low_y
    bottom = _within(row.to(tl.int32) + 1, 0, high - 1) * step + low_y
    picture = places + 2 * tl.load(code)
    base, stride = arena + tl.load(picture), tl.load(picture + 1).to(tl.int32)
    zero = tl.zeros_like(left)
    r0, g0, b0, r1, g1, b1 = zero, zero, zero, zero, zero, zero
    r2, g2, b2, r3, g3, b3 = zero, zero, zero, zero, zero, zero
    for k in range(step * step):
        above = tl.minimum(top + k // step, high_y - 1) * stride
        below = tl.minimum(bottom + k // step, high_y - 1) * stride
        near, far = tl.minimum(left + k % step, high_x - 1), tl.minimum(right + k % step, high_x - 1)
        p0, p1 = tl.load(base + above + near), tl.load(base + above + far)
        p2, p3 = tl.load(base + below + near), tl.load(base + below + far)
        r0, g0, b0 = r0 + (p0 & 255), g0 + ((p0 >> 8) & 255), b0 + ((p0 >> 16) & 255)
        r1, g1, b1 = r1 + (p1 & 255), g1 + ((p1 >> 8) & 255), b1 + ((p1 >> 16) & 255)
        r2, g2, b2 = r2 + (p2 & 255), g2 + ((p2 >> 8) & 255), b2 + ((p2 >> 16) & 255)
        r3, g3, b3 = r3 + (p3 & 255), g3 + ((p3 >> 8) & 255), b3 + ((p3 >> 16) & 255)
    part = 1.0 / (step * step).to(tl.float32)
    red = _mixed(
        _mixed(_rint(r0 * part), _rint(r1 * part), share_x),
        _mixed(_rint(r2 * part), _rint(r3 * part), share_x),
        share_y,
    )
    green = _mixed(
        _mixed(_rint(g0 * part), _rint(g1 * part), share_x),
        _mixed(_rint(g2 * part), _rint(g3 * part), share_x),
        share_y,
    )
    blue = _mixed(
        _mixed(_rint(b0 * part), _rint(b1 * part), share_x),
        _mixed(_rint(b2 * part), _rint(b3 * part), share_x),
        share_y,
    )
    return red, green, blue, cover


@triton.jit
def _alpha(edge, kind, x, y):
    """A patch's opacity, as `coverage.depth` and `blend.alpha` have it."""
    x, y = x - tl.load(edge + 1), y - tl.load(edge + 2)
    if (kind == 2) | (kind == 4):
        a, b, c, d = tl.load(edge + 3), tl.load(edge + 4), tl.load(edge + 5), tl.load(edge + 6)
        u, v = a * x + b * y, c * x + d * y
        radius = tl.maximum(tl.sqrt(u * u + v * v), 1e-6)
        slope_x, slope_y = (u * a + v * c) / radius, (u * b + v * d) / radius
        inside = (1 - radius) / tl.sqrt(slope_x * slope_x + slope_y * slope_y)
    else:
        inside = tl.load(edge + 3) * x + tl.load(edge + 4) * y - tl.load(edge + 5)
        for side in range(1, 8):
            at = edge + 3 + 3 * side
            inside = tl.minimum(inside, tl.load(at) * x + tl.load(at + 1) * y - tl.load(at + 2))
    z = inside * tl.load(edge)
    share = _within(z + 0.5, 0.0, 1.0)
    if kind >= 3:
        share = tl.sigmoid(1.5957691216057308 * (z + 0.044715 * z * z * z))
    return share


@triton.jit
def _painted(arena, places, way, gain, edge, codes, first, last, red, green, blue, x, y, x1, y1, x2, y2):
    """What is seen at pixel centres x, y, all inside x1 y1 x2 y2, after the layers from `first` to before `last`."""
    for layer in range(first, last):
        code = codes + layer * 11
        left, top, right, bottom = tl.load(code + 7), tl.load(code + 8), tl.load(code + 9), tl.load(code + 10)
        if (left < x2) & (right > x1) & (top < y2) & (bottom > y1):
            kind = tl.load(code + 1)
            r, g, b, share = _sampled(arena, places, way + layer * 6, code, x, y)
            if kind > 0:
                light = gain + layer * 3
                r = tl.minimum(_rint(_rint(r) * tl.load(light)), 255.0)
                g = tl.minimum(_rint(_rint(g) * tl.load(light + 1)), 255.0)
                b = tl.minimum(_rint(_rint(b) * tl.load(light + 2)), 255.0)
                share = _alpha(edge + layer * 27, kind, x, y)
            share = tl.where((x > left) & (x < right) & (y > top) & (y < bottom), share, 0.0)
            red, green, blue = (
                _rint(_mixed(red, r, share)),
                _rint(_mixed(green, g, share)),
                _rint(_mixed(blue, b, share)),
            )
    return red, green, blue


@triton.jit
def _erased(erased, tints, first, last, red, green, blue, x, y):
    """What is seen after the boxes from `first` to before `last` are painted over."""
    for box in range(first, last):
        at = erased + box * 4
        inside = (x > tl.load(at)) & (y > tl.load(at + 1)) & (x < tl.load(at + 2)) & (y < tl.load(at + 3))
        red = tl.where(inside, tl.load(tints + box * 3), red)
        green = tl.where(inside, tl.load(tints + box * 3 + 1), green)
        blue = tl.where(inside, tl.load(tints + box * 3 + 2), blue)
    return red, green, blue


@triton.jit
def _tint_kernel(
    arena,
    places,
    way,
    gain,
    edge,
    codes,
    layers,
    erasures,
    groups,
    erased,
    colour,
    tints,
    height,
    width,
    RING: tl.constexpr,
):
    """For one scene: the colour of each erased box, in order, as a later one may lie beside an earlier one."""
    scene = tl.program_id(0)
    ground = colour + scene * 15 + 12
    for group in range(tl.load(groups + scene), tl.load(groups + scene + 1)):
        first = tl.load(erasures + group)
        for box in range(first, tl.load(erasures + group + 1)):
            at = erased + box * 4
            x1, y1, x2, y2 = tl.load(at), tl.load(at + 1), tl.load(at + 2), tl.load(at + 3)
            left, top = tl.maximum(x1 - 1, 0), tl.maximum(y1 - 1, 0)
            right, bottom = tl.minimum(x2 + 1, width), tl.minimum(y2 + 1, height)
            count = (right - left) * (bottom - top)
            r_sum, g_sum, b_sum, number = 0.0, 0.0, 0.0, 0.0
            for start in range(0, count, RING):
                place = start + tl.arange(0, RING)
                column, row = left + place % (right - left), top + place // (right - left)
                within = (column >= x1) & (column < x2) & (row >= y1) & (row < y2)
                ring = (place < count) & (within == 0)
                some = tl.max(ring.to(tl.int32), 0)
                if some > 0:
                    x, y = column + 0.5, row + 0.5
                    red, green, blue = x * 0 + tl.load(ground), x * 0 + tl.load(ground + 1), x * 0 + tl.load(ground + 2)
                    red, green, blue = _painted(
                        arena,
                        places,
                        way,
                        gain,
                        edge,
                        codes,
                        tl.load(layers + group),
                        tl.load(layers + group + 1),
                        red,
                        green,
                        blue,
                        x,
                        y,
                        left,
                        top,
                        right,
                        bottom,
                    )
                    red, green, blue = _erased(erased, tints, first, box, red, green, blue, x, y)
                    r_sum += tl.sum(tl.where(ring, red, 0.0), 0)
                    g_sum += tl.sum(tl.where(ring, green, 0.0), 0)
                    b_sum += tl.sum(tl.where(ring, blue, 0.0), 0)
                    number += tl.sum(ring.to(tl.float32), 0)
            tl.store(tints + box * 3, _rint(r_sum / number))
            tl.store(tints + box * 3 + 1, _rint(g_sum / number))
            tl.store(tints + box * 3 + 2, _rint(b_sum / number))
            tl.debug_barrier()  # the next box reads it


@triton.jit
def _paint_kernel(
    out,
    arena,
    places,
    noise,
    way,
    gain,
    edge,
    codes,
    layers,
    erasures,
    opacity,
    groups,
    erased,
    tints,
    colour,
    curves,
    sigma,
    field,
    normal,
    height,
    width,
    pool_rows,
    pool_columns,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    NORMALISED: tl.constexpr,
):
    """ROWS x COLUMNS pixels of one scene, from its layers to the numbers that a network takes."""
    scene = tl.program_id(1)
    across = tl.cdiv(width, COLUMNS)
    left, top = tl.program_id(0) % across * COLUMNS, tl.program_id(0) // across * ROWS
    column, row = left + tl.arange(0, COLUMNS)[None, :], top + tl.arange(0, ROWS)[:, None]
    on_canvas = (column < width) & (row < height)
    x, y = column + 0.5 + row * 0.0, row + 0.5 + column * 0.0
    ground = colour + scene * 15 + 12
    red, green, blue = x * 0, x * 0, x * 0
    for group in range(tl.load(groups + scene), tl.load(groups + scene + 1)):
        r, g, b = x * 0 + tl.load(ground), x * 0 + tl.load(ground + 1), x * 0 + tl.load(ground + 2)
        first, last = tl.load(layers + group), tl.load(layers + group + 1)
        box = left, top, left + COLUMNS, top + ROWS
        r, g, b = _painted(arena, places, way, gain, edge, codes, first, last, r, g, b, x, y, *box)
        r, g, b = _erased(erased, tints, tl.load(erasures + group), tl.load(erasures + group + 1), r, g, b, x, y)
        share = tl.load(opacity + group)
        red, green, blue = (
            _rint(_mixed(red, r, share)),
            _rint(_mixed(green, g, share)),
            _rint(_mixed(blue, b, share)),
        )
    strength = tl.load(sigma + scene)
    pool_row, pool_column = tl.load(field + scene * 2) + row, tl.load(field + scene * 2 + 1) + column
    for channel in tl.static_range(3):
        matrix = colour + scene * 15 + channel * 4
        value = tl.load(matrix) * red + tl.load(matrix + 1) * green + tl.load(matrix + 2) * blue + tl.load(matrix + 3)
        level = _within(tl.floor(value + 0.5), 0.0, 255.0).to(tl.int32)
        level = tl.load(curves + scene * 256 + level).to(tl.float32)
        if strength != 0:
            at = (channel * pool_rows + pool_row) * pool_columns + pool_column
            level = _within(level + _rint(tl.load(noise + at, on_canvas, 0.0) * strength), 0.0, 255.0)
        to = out + (scene.to(tl.int64) * 3 + channel) * height * width + row * width + column
        if NORMALISED:
            level = (level - tl.load(normal + channel)) / tl.load(normal + 3 + channel)
            tl.store(to, level.to(out.dtype.element_ty), on_canvas)
        else:
            tl.store(to, level.to(tl.int32).to(tl.uint8), on_canvas)


def paint(
    packed: PackedScenes,
    images: ResidentImages,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    dtype: torch.dtype,
    block: tuple[int, int, int] = BLOCK,
) -> Tensor:
    """(B, 3, H, W) of uint8, or less `mean` and over `std` for another dtype.

    Args:
        packed: the scenes, on the images' device.
        images: what they show.
        mean: of each channel, in grey levels.
        std: likewise.
        dtype: of the result.
        block: rows and columns of canvas pixels of a program, powers of two, and its warps.
    """
    (height, width), device = packed.size, images.device
    rows, columns, warps = block
    out = torch.empty((len(packed), 3, height, width), dtype=dtype, device=device)
    tints = torch.empty((len(packed.erased), 3), device=device)
    arena = images.arena.view(torch.int32)
    layers: tuple[Any, ...] = (packed.way, packed.gain, packed.edge, packed.codes, packed.layers, packed.erasures)
    normal = tints if dtype == torch.uint8 else torch.tensor((*mean, *std), device=device)
    with torch.cuda.device_of(out):  # Triton starts on the current device, whatever the tensors say
        if len(packed.erased):
            boxes = (packed.groups, packed.erased, packed.colour, tints)
            _tint_kernel[(len(packed),)](
                arena, images.places, *layers, *boxes, height, width, RING=_RING, enable_fp_fusion=True
            )
        _paint_kernel[(triton.cdiv(height, rows) * triton.cdiv(width, columns), len(packed))](
            *(out, arena, images.places, images.noise, *layers, packed.opacity, packed.groups, packed.erased, tints),
            *(packed.colour, packed.curves, packed.sigma, packed.field, normal),
            *(height, width, images.noise.shape[1], images.noise.shape[2]),
            ROWS=rows,
            COLUMNS=columns,
            NORMALISED=dtype != torch.uint8,
            num_warps=warps,
            enable_fp_fusion=True,
        )
    return out
