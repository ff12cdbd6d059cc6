"""Which pack a run reads its images from, and what is said of it."""

from pytorch_lightning.utilities import rank_zero_info, rank_zero_warn

from detaug.errors import InputError
from detaug.readers.catalog import Catalog
from detaug.render.pack import Pack, beside

AUTO = "auto"


def chosen_pack(asked: str | None, catalog: Catalog, size: tuple[int, int], raw_only: bool) -> Pack | None:
    """The pack for a canvas; how many images are read from their files all the same is said in one sentence.

    Args:
        asked: `auto` for one that lies beside the dataset, None for none, or a file.
        catalog: the images that are to be read.
        size: the canvas, height and width.
        raw_only: whether JPEGs will not do, and a file for another canvas is simply not used: the canvas of evaluation
            may differ from that of training.

    Raises:
        InputError: the file cannot be used, is for another canvas, or holds no image of this dataset.
    """
    if asked is None or not catalog.has_images:
        return None
    if asked == AUTO:
        pack, refused = beside(catalog.root, size, raw_only)
        for sentence in refused:
            rank_zero_warn(sentence)
    else:
        pack = Pack(asked)
        if raw_only and (pack.size != size or not pack.is_raw):
            return None
        pack.of(catalog, size)  # refuses another canvas
    if pack is None:
        return None
    unused, absent = pack.missing(catalog)
    if asked != AUTO and absent == len(catalog):
        raise InputError(f"{asked}: this pack holds none of the {absent} images of {catalog.root} that are to be read.")
    form = "raw" if pack.is_raw else f"JPEG, quality {pack.table.quality}"
    use = "evaluation" if raw_only else "training"
    rank_zero_info(f"{pack.path}: the images of {use}, for {size[0]}x{size[1]}, come from this pack ({form})")
    if unused:
        rank_zero_warn(
            f"{pack.path}: {unused} of {len(catalog)} images of {use} are read from their files, since they are not in "
            f"the pack or changed since; `detaug pack {catalog.root} --size {size[0]}x{size[1]}` again brings it up to "
            "date."
        )
    return pack
