"""How often each class is really mirrored: the class table and an image's other signs decide, not the setting alone."""

import numpy as np

from detaug.batches.augmenter import Augmenter
from detaug.classes import NEVER

SCENES = 200


def mirrored_shares(augmenter: Augmenter, scenes: int = SCENES) -> dict[str, float]:
    """The share of visible objects that stand mirrored, for each class seen; from plans alone, no image is read.

    Args:
        augmenter: the training samples.
        scenes: how many of the first epoch's scenes to plan.
    """
    catalog = augmenter.catalog
    seen, turned = np.zeros(len(catalog.classes)), np.zeros(len(catalog.classes))
    draws = (augmenter.draw(0, slot) for slot in range(min(scenes, len(augmenter))))
    for scene, visible in augmenter.recipe.planned(draws, augmenter.stage):
        objects = visible.objects
        labels = catalog.labels[scene.origin[objects]]
        flipped = np.linalg.det(scene.matrix[:, :2, :2])[scene.layer[objects]] < 0
        np.add.at(seen, labels, 1)
        np.add.at(turned, labels, flipped)
    return {n: float(turned[i] / seen[i]) for i, n in enumerate(catalog.classes.names) if seen[i]}


def mirroring(augmenter: Augmenter) -> str | None:
    """One sentence on what flip does with this dataset; None if it is off."""
    if augmenter.recipe.flip is None or augmenter.recipe.flip.p == 0:
        return None
    table = augmenter.catalog.classes
    never = [n for n, rule in zip(table.names, table.mirror, strict=True) if rule == NEVER]
    if len(never) == len(table):
        return "The class table allows no class to be mirrored, so flip leaves every image with a sign as it is."
    shares = mirrored_shares(augmenter)
    named = ", ".join(f"{n} {s:.0%}" for n, s in shares.items() if n not in never)
    return f"Mirrored share by class, in planned scenes: {named or 'none seen'}; never: {', '.join(never) or 'none'}."
