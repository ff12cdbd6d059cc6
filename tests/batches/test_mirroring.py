"""What the run says of mirroring."""

from dataclasses import replace

import numpy as np
import pytest

from detaug.batches.augmenter import Augmenter
from detaug.batches.mirroring import mirrored_shares, mirroring
from detaug.classes import NEVER, ClassTable
from detaug.scenes.flip import Flip
from detaug.scenes.mosaic import Mosaic
from detaug.scenes.recipe import Recipe
from tests.scenes.painted import TABLE, world

CATALOG = world(images=200)


@pytest.mark.parametrize("p", [0.5, 1.0])
def test_shares_follow_the_table_and_the_setting(p: float) -> None:
    shares = mirrored_shares(Augmenter(CATALOG, Recipe(flip=Flip(p=p)), size=160))
    for name, rule in zip(TABLE.names, TABLE.mirror.tolist(), strict=True):
        assert (shares[name] == 0) == (rule == NEVER)
    alone = replace(CATALOG, classes=replace(TABLE, mirror=np.arange(8, dtype=np.int32)))
    shares = mirrored_shares(Augmenter(alone, Recipe(mosaic=Mosaic(p=0.5), flip=Flip(p=p)), size=160))
    assert all(abs(share - p) < 0.15 for share in shares.values())
    assert abs(sum(shares.values()) / len(shares) - p) < 0.05


def test_the_sentence_names_what_is_never_mirrored() -> None:
    said = mirroring(Augmenter(CATALOG, Recipe(flip=Flip()), size=160))
    assert said is not None
    assert "never: round, stop." in said
    assert "plate " in said
    plain = replace(CATALOG, classes=ClassTable.plain(TABLE.names))
    assert "allows no class" in str(mirroring(Augmenter(plain, Recipe(flip=Flip()), size=160)))
    assert mirroring(Augmenter(CATALOG, Recipe(), size=160)) is None
    assert mirroring(Augmenter(CATALOG, Recipe(flip=Flip(p=0)), size=160)) is None
