"""Parts of a dataset that each get their share of every class, in whole groups."""

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]

_STEPS = 500  # of the search, and as many again for each pair that is missing when it starts
_MOST_STEPS = 20_000
_PAIRS = 16  # missing pairs that a step may choose from
_TRIED = 400  # groups compared in a step
_REST = 10  # steps, at most and beyond the number of missing pairs, for which a group does not go back


def stratified(
    counts: Counts, images: Counts, shares: NDArray[np.float64], rng: np.random.Generator, first: bool = False
) -> Counts:
    """Divide groups so that each part gets its share of each class.

    Iterative stratification (Sechidis, Tsoumakas, Vlahavas 2011) on whole groups: the class with the fewest groups
    left comes first, and its groups, the largest first, go where most of its boxes are lacking. Then `repaired`
    brings classes to the parts that lack them.

    Args:
        counts: (G, C) boxes of each class in each group.
        images: (G,) images in each group.
        shares: (P,) share of each part, summing to 1; P is at most G.
        rng: decides between equals.
        first: part 0 is training, which a class is brought to before the others.

    Returns:
        (G,) int64, the part of each group.
    """
    lacking = shares[:, None] * counts.sum(0)  # (P, C) boxes still wanted
    room = shares * images.sum()  # (P,) images still wanted
    parts = np.full(len(counts), -1)
    present = counts > 0
    order = rng.permutation(len(counts))
    left = present.sum(0)
    while (left > 0).any():
        label = int(np.argmin(np.where(left > 0, left, np.iinfo(np.int64).max)))
        waiting = order[present[order, label] & (parts[order] < 0)]
        waiting = waiting[np.argsort(-counts[waiting, label], kind="stable")]
        for group in waiting:
            part = np.lexsort((-room, -lacking[:, label]))[0]
            parts[group] = part
            lacking[part] -= counts[group]
            room[part] -= images[group]
            left -= present[group]
    for group in order[parts[order] < 0]:
        parts[group] = np.argmax(room)
        room[parts[group]] -= images[group]
    return repaired(parts, present, images, shares, rng, first)


def repaired(
    parts: Counts,
    present: NDArray[np.bool_],
    images: Counts,
    shares: NDArray[np.float64],
    rng: np.random.Generator,
    first: bool = False,
) -> Counts:
    """Move groups between parts until each class is in each part, or as nearly so as a bounded search finds.

    What counts, in this order: no part is empty; pairs of a part and a class with at least P groups that lack each
    other; classes that are not in part 0, if `first`; parts that a class with fewer groups than P could still reach.
    Each step of a tabu search moves a group that brings a missing pair together, the one that costs least, and of
    these one that leaves the parts near to their shares. A step may part another pair, which a later step mends (so
    groups are exchanged, over several parts where need be); a group does not go back for a while. The best division met
    is the result, so it is never worse than the one given. To find a perfect one is to colour a hypergraph, which no
    known method does in bounded time: where nearly every group is bound by rare classes, the search may miss it.

    Args:
        parts: (G,) the part of each group.
        present: (G, C) which classes each group has.
        images: (G,) images in each group.
        shares: (P,) share of each part.
        rng: chooses pairs.
        first: part 0 is training.

    Returns:
        (G,) int64, the part of each group.
    """
    number = len(shares)
    whole = np.column_stack([present, np.ones(len(parts), bool)])  # the last column stands for "has a group"
    having = whole.sum(0)
    weights = _weights(having, number, first)
    parts = parts.copy()
    held = groups_in_parts(parts, whole, number)
    filled = np.bincount(parts, weights=images, minlength=number)
    target = shares * images.sum()
    resting: dict[tuple[int, int], int] = {}
    members: dict[int, Counts] = {}
    cost = best_cost = int(weights[held == 0].sum())
    best = parts.copy()
    budget = min(_MOST_STEPS, _STEPS * (1 + int(_open(held, having, first).sum())))
    for step in range(budget):
        pairs = np.argwhere(_open(held, having, first))
        if len(pairs) == 0:
            break
        pairs = pairs[rng.permutation(len(pairs))[:_PAIRS]]
        for label in set(pairs[:, 1].tolist()) - members.keys():
            members[label] = np.flatnonzero(whole[:, label])
        tried, goals = _candidates(pairs, members, parts, rng)
        sources = parts[tried]
        lost, won = weights * (held == 1), weights * (held == 0)
        change = np.where(whole[tried], lost[sources] - won[goals], 0).sum(1)
        free = np.array([resting.get(key, 0) for key in zip(tried.tolist(), goals.tolist(), strict=True)]) <= step
        free |= cost + change < best_cost
        if not free.any():
            continue
        tried, sources, goals, change = tried[free], sources[free], goals[free], change[free]
        gap, moved = filled - target, images[tried]
        strain = np.abs(gap[goals] + moved) - np.abs(gap[goals]) + np.abs(gap[sources] - moved) - np.abs(gap[sources])
        chosen = np.lexsort((strain * rng.random(len(strain)), change))[0]
        group, source, part = int(tried[chosen]), int(sources[chosen]), int(goals[chosen])
        held[source] -= whole[group]
        held[part] += whole[group]
        filled[source] -= images[group]
        filled[part] += images[group]
        parts[group] = part
        resting[group, source] = step + 1 + len(pairs) + int(rng.integers(_REST))
        cost += int(change[chosen])
        if cost < best_cost:
            best_cost, best = cost, parts.copy()
    return best


def _candidates(
    pairs: Counts, members: dict[int, Counts], parts: Counts, rng: np.random.Generator
) -> tuple[Counts, Counts]:
    """(K,) groups that could bring a class to a part that lacks it, and (K,) these parts."""
    tried, goals = [], []
    most = _TRIED // len(pairs)
    for part, label in pairs.tolist():
        some = members[label]
        some = some if len(some) <= most else rng.choice(some, most, replace=False)
        tried.append(some)
        goals.append(np.full(len(some), part))
    groups, wanted = np.concatenate(tried), np.concatenate(goals)
    return groups[parts[groups] != wanted], wanted[parts[groups] != wanted]


def groups_in_parts(parts: Counts, present: NDArray[np.bool_], number: int) -> Counts:
    """(P, C) groups of each class in each part."""
    return np.stack([present[parts == part].sum(0) for part in range(number)])


def _weights(having: Counts, number: int, first: bool) -> Counts:
    """(P, C + 1) what it costs that a part lacks a class; each level outweighs all of those below."""
    pairs = number * len(having)
    enough = (pairs + 1) * (len(having) + 1)
    weights = np.tile(np.where(having >= number, enough, 1), (number, 1))
    weights[:, -1] = enough * (pairs + 1)
    if first:
        weights[0] += pairs + 1
    return weights


def _open(held: Counts, having: Counts, first: bool) -> NDArray[np.bool_]:
    """(P, C + 1) pairs that lack each other: the class has a group to spare or, if `first`, is not in part 0."""
    lacking = held == 0
    wanted: NDArray[np.bool_] = lacking & ((~lacking).sum(0) < np.minimum(having, len(held)))
    if first:
        wanted[0] |= lacking[0] & (having > 0)
    return wanted
