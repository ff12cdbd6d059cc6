"""The data of a run: splits, augmented training batches, whole images for evaluation."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from pytorch_lightning import LightningDataModule
from pytorch_lightning.utilities import rank_zero_info, rank_zero_warn
from torch.utils.data import DataLoader, Dataset

from detaug.batches.augmenter import Augmenter
from detaug.batches.batch import Batch
from detaug.batches.broken import BrokenImages
from detaug.batches.dataset import LateLoader, SignDataset, WholeImages, collate, one_thread
from detaug.batches.mirroring import mirroring
from detaug.batches.packed import chosen_pack
from detaug.batches.parts import Parts, divided, division, fingerprint, require_same_division, split_codes, with_file
from detaug.batches.planned import PlannedBatch, PlannedSigns
from detaug.batches.shown import Shown
from detaug.batches.workers import starting
from detaug.draws.balance import Balance, rare_mask
from detaug.draws.neighbours import BLOCK
from detaug.draws.sampler import DrawSampler, ShareSampler
from detaug.errors import InputError
from detaug.readers.catalog import Catalog, Split
from detaug.readers.colours import Colours
from detaug.readers.read import read, reading
from detaug.render.gpu.limits import require_supported
from detaug.render.gpu.resident import ResidentImages
from detaug.render.pack import Pack
from detaug.scenes.recipe import Recipe
from detaug.waiting import waiting

Transferred = Batch | PlannedBatch

EVALUATIONS = {"sanity_check": "validate"}  # Lightning's stages that have another name here

_SIZE = 640

Format = Literal["auto", "voc", "coco", "yolo", "gtsdb", "tt100k", "mtsd", "lisa", "drawn", "images"]


class SignData(LightningDataModule):
    """Traffic signs, augmented for training and whole for evaluation.

    Args:
        root: the dataset's folder; the default is made by drawing.
        format: auto, voc, coco, yolo, gtsdb, tt100k, mtsd, lisa, drawn, or images for pictures to predict on.
        classes: a class table's file; without it a built-in table that knows the names.
        recipe: the augmentation.
        balance: how much more often images of rare classes are shown; null shows all equally often.
        rare: names of the rare classes; null takes those with under an eighth of the most frequent class's boxes.
        size: training canvas, its side or height and width in pixels; null is 640.
        eval_size: canvas of evaluation; null is `size`, or what the checkpoint was validated at if that is null too.
        batch_size: images per step and process.
        eval_batch_size: images per step of evaluation; null is `batch_size`.
        epoch_length: samples in an epoch; null is the number of training images.
        workers: worker processes; null is one per core but one, at most 8. With several devices they come from a server
            process, so a script of your own begins its work under `if __name__ == "__main__":`.
        cache_gb: memory for decoded images, in all worker processes of this rank together; null is unbounded.
        partners: where partners of mosaic and mixup come from. `any` draws them from all images; a mosaic then decodes
            four images where memory does not hold them. `block` draws them from the slot's own block of consecutive
            slots: about one decoding a sample, but a batch shows a quarter as many images, in other combinations.
        block: slots in such a block. It pays where `batch_size` is a multiple of it: a block that two batches share is
            decoded for each of them, unless one worker makes both. Each worker keeps the images of one block, up to
            4 MB each at a size of 640, whatever `cache_gb` says.
        pack: what `detaug pack` made, images at the sizes that rendering needs. `auto` uses one that lies beside the
            dataset for this size, null none, a FILE that one. Evaluation uses raw ones alone.
        seed: of splits, order and augmentation.
        splits: a file of image,split,group, as `detaug split` writes it, in place of the dataset's own splits.
        fold: K/N takes fold K of N grouped, stratified folds over training and validation together as validation.
        val_share: share of validation where the dataset has none.
        closing_share: share of the planned epochs, the last ones, without mosaic, mixup and paste.
        mix_until_epoch: the epoch from which these are off; null derives it from `closing_share`.
        probe: most training images that are evaluated beside validation, whole and unchanged, as an honest measure of
            what was learnt; never more than validation has. null or 0 for none.
        suspects: most training images in which, after the training, labels are looked for that may be wrong; 0 for
            none.
        on_bad_image: `skip` counts an image that cannot be decoded and shows another; `error` stops.
        gpu: training images stay decoded on the training device and are augmented there; workers only plan.
        resident_gb: memory of the device for these images; null is half of what a GPU has free.
    """

    def __init__(
        self,
        root: str = "data/drawn",
        format: Format = "auto",
        classes: str | None = None,
        recipe: Recipe = Recipe(),  # noqa: B008
        balance: Balance | None = None,
        rare: list[str] | None = None,
        size: int | tuple[int, int] | None = None,
        eval_size: int | tuple[int, int] | None = None,
        batch_size: int = 16,
        eval_batch_size: int | None = None,
        epoch_length: int | None = None,
        workers: int | None = None,
        cache_gb: float | None = 4.0,
        partners: Literal["any", "block"] = "any",
        block: int = BLOCK,
        pack: str | None = "auto",
        seed: int = 0,
        splits: str | None = None,
        fold: str | None = None,
        val_share: float = 0.2,
        closing_share: float = 0.15,
        mix_until_epoch: int | None = None,
        probe: int | None = 500,
        suspects: int = 1000,
        on_bad_image: Literal["skip", "error"] = "skip",
        gpu: bool = False,
        resident_gb: float | None = None,
    ) -> None:
        super().__init__()
        if gpu:
            require_supported(recipe)
        self.root, self.format, self.classes = root, format, classes
        self.recipe, self.balance, self.rare = recipe, balance, rare
        self.size = _canvas(_SIZE if size is None else size)
        self.eval_size = self.size if eval_size is None else _canvas(eval_size)
        self._eval_size_open = size is None and eval_size is None
        self.batch_size, self.eval_batch_size = batch_size, eval_batch_size or batch_size
        self.epoch_length = epoch_length
        self.workers = min(8, max(1, (os.cpu_count() or 2) - 1)) if workers is None else workers
        self.cache_gb, self.seed = cache_gb, seed
        self.partners: Literal["any", "block"] = partners
        self.block, self.pack = block, pack
        self.splits, self.fold, self.val_share = splits, fold, val_share
        self.closing_share, self.mix_until_epoch = closing_share, mix_until_epoch
        self.probe, self.suspects = probe or 0, suspects
        self.on_bad_image: Literal["skip", "error"] = on_bad_image
        self.broken = BrokenImages(root)
        self.shown = Shown()
        self.gpu, self.resident_gb = gpu, resident_gb
        self._resident: ResidentImages | None = None
        self._packs: dict[tuple[tuple[int, int], bool], Pack | None] = {}
        self._given: Catalog | None = None
        self._parts: Parts | None = None
        self._sampler: DrawSampler | None = None
        self._seen: tuple[Colours | None] | None = None
        self._ready: Augmenter | None = None
        self._learning = False
        self._training: dict[str, Any] = {}  # what a checkpoint says of the data it was trained on

    @property
    def parts(self) -> Parts:
        """The dataset and its splits; read once."""
        if self._parts is None:
            whole = self.given
            training = self.trainer is None or self.trainer.state.fn in (None, "fit")
            given = self.splits is not None
            self._parts = Parts(divided(whole, self.fold, self.val_share, self.seed, training, self._training, given))
        return self._parts

    @property
    def given(self) -> Catalog:
        """The dataset as it was read, not yet divided.

        Raises:
            InputError: it cannot be read.
        """
        if self._given is None:
            self._given = with_file(self._read(), self.splits, self.fold)
        return self._given

    def _read(self) -> Catalog:
        """Read the dataset, and say as what where the format was not told."""
        found = reading(self.root, self.format, self.classes)
        if self.format == "auto":
            rank_zero_info(f"{self.root}: read as {found.format}: {found.reason}")
        return found.catalog

    @property
    def catalog(self) -> Catalog:
        """The whole dataset with its splits."""
        return self.parts.whole

    @property
    def class_names(self) -> list[str]:
        """The dataset's class names, in label order."""
        return list(self.catalog.classes.names)

    @property
    def rare_names(self) -> list[str]:
        """The dataset's classes that were rare in training; without a checkpoint, those of its own training split.

        Raises:
            InputError: `rare` names what is no class of the dataset and was none of the training.
        """
        trained = self._training.get("rare")
        if trained is not None and (self.rare is None or set(self.rare) == set(trained)):
            return [n for n in self.class_names if n in trained]
        mask = rare_mask(self.part("train" if self.parts.has(Split.TRAIN) else "all"), self.rare)
        return [n for n, r in zip(self.class_names, mask, strict=True) if r]

    @property
    def training_boxes(self) -> dict[str, int]:
        """Boxes per class in training; without a checkpoint, in the dataset's own training split, if it has one."""
        trained: dict[str, int] | None = self._training.get("boxes")
        if trained is not None:
            return trained
        if not self.parts.has(Split.TRAIN):
            return {}
        return dict(zip(self.class_names, self.part("train").class_counts().tolist(), strict=True))

    def part(self, name: str) -> Catalog:
        """A split by name, or `all`."""
        return self.parts.part(name)

    def eval_catalog(self, stage: str) -> Catalog:
        """What the rows of the batches of `validate`, `test`, `predict`, `clean` or `suspects` name."""
        if stage not in ("clean", "suspects"):
            return self.parts.evaluated(stage)
        most = self.suspects if stage == "suspects" else min(self.probe, len(self.eval_catalog("validate")))
        return self.parts.some_training(stage, most, self.seed)

    @property
    def validated(self) -> tuple[str, ...]:
        """What the validation loaders show, in their order.

        In a training and for the scoring at its end also clean training images, and at its end those in which labels
        are looked for that may be wrong.
        """
        if not self._learning:
            return ("validate",)
        ended = self.trainer is not None and self.trainer.state.fn == "validate"
        sought = ended and self.suspects > 0
        return ("validate", *["clean"] * bool(self.probe), *["suspects"] * sought)

    def prepare_data(self) -> None:
        """Draw the default dataset if it is missing, measure what planning needs, keep donors; once per machine."""
        if self.format == "drawn" or (self.format == "auto" and not Path(self.root).exists()):
            if self.format != "drawn" and Path(self.root) != Path("data/drawn"):
                raise InputError(f"{self.root}: there is no such folder.")
            read(self.root, "drawn", self.classes)
        if self.trainer is not None and self.trainer.state.fn == "fit" and self.given.has_images:
            self._colours()
            if not self.gpu and self.recipe.paste is not None:
                self._ready = self.augmenter()

    def setup(self, stage: str) -> None:
        """Read the dataset; say what was wrong with it and what its class table allows."""
        findings = self.catalog.findings
        if findings:
            lost = sum(f.boxes_lost for f in findings), sum(f.images_lost for f in findings)
            rank_zero_warn(
                f"{self.root}: {len(findings)} findings, {lost[1]} of {self.catalog.images_in} images and {lost[0]} of "
                f"{self.catalog.boxes_in} boxes are not used; `detaug check {self.root}` lists them."
            )
        if stage == "fit":
            self._learning = True
            if not self.catalog.class_counts().any():
                raise InputError(f"{self.root}: no image has a box to learn from.")
            self._plan_mixing()

    def _plan_mixing(self) -> None:
        """Fix the epoch from which nothing is mixed; it is saved with the run."""
        if self.mix_until_epoch is None:
            planned = self.trainer.max_epochs if self.trainer is not None else None
            self.mix_until_epoch = round((planned or 10**6) * (1 - self.closing_share)) if planned != -1 else 10**6

    def augmenter(self) -> Augmenter:
        """The training samples."""
        return Augmenter(
            self.part("train"),
            self.recipe,
            self.size,
            self.seed,
            balance=self.balance,
            rare=self.rare,
            length=self.epoch_length,
            cache_bytes=self._cache_bytes(),
            on_bad_image=self.on_bad_image,
            colours=self._colours(),
            partners=self.partners,
            block=self.block,
            pack=self._pack(self.part("train"), self.size),
            bank=not self.gpu,
        )

    def _colours(self) -> Colours | None:
        """Light and sharpness of the training images, measured at the first training with pastes; others find them."""
        if self._seen is None:
            with waiting("Measuring light and sharpness", len(self.part("train"))) as watched:
                self._seen = (self.recipe.colours(self.part("train"), watched),)
        return self._seen[0]

    def _pack(self, catalog: Catalog, size: tuple[int, int], raw_only: bool = False) -> Pack | None:
        """The pack that these images are read from, if there is one; chosen and told of once for a size and form."""
        if (size, raw_only) not in self._packs:
            self._packs[size, raw_only] = chosen_pack(self.pack, catalog, size, raw_only)
        return self._packs[size, raw_only]

    def _cache_bytes(self) -> int | None:
        return None if self.cache_gb is None else int(self.cache_gb * 2**30 / max(1, self.workers))

    def train_dataloader(self) -> DataLoader[Any]:
        """Augmented batches; the sampler tells each worker epoch and place."""
        augmenter = self.augmenter() if self._ready is None else self._ready
        if (sentence := mirroring(augmenter)) is not None:
            rank_zero_info(sentence)
        if augmenter.solution is not None and (unreached := augmenter.solution.unreached):
            listed = "" if len(unreached) == 1 else f" ({len(unreached)} classes; `detaug exposure` lists them)"
            rank_zero_warn(f"data.balance is not reached for {unreached[0]}{listed}")
        world, rank = self._world()
        until = 10**6 if self.mix_until_epoch is None else self.mix_until_epoch
        self._sampler = DrawSampler(augmenter.order, self.batch_size, until, world, rank)
        if not self.gpu:
            return self._loader(SignDataset(augmenter), self._sampler, self.batch_size)
        planned = PlannedSigns(augmenter, self._on_device().broken)
        return self._loader(planned, self._sampler, self.batch_size, planned.collate)

    def _on_device(self) -> ResidentImages:
        """The training images in the memory of the device that trains, decoded before the first batch."""
        if self._resident is None:
            catalog = self.part("train")
            device = "cpu" if self.trainer is None else self.trainer.strategy.root_device
            threads = max(1, self.workers)
            self._resident = ResidentImages(
                catalog, self.size, device, self.resident_gb, self.on_bad_image, threads=threads,
                pack=self._pack(catalog, self.size),
            )  # fmt: skip
            self.broken.met({catalog.name(row) for row in self._resident.broken}, len(self.catalog))
        return self._resident

    def val_dataloader(self) -> DataLoader[Any] | list[DataLoader[Any]]:
        """Whole images of the validation split, each once over all ranks; more loaders where `validated` has more."""
        loaders = [self._eval_loader(stage) for stage in self.validated]
        return loaders if len(loaders) > 1 else loaders[0]

    def test_dataloader(self) -> DataLoader[Any]:
        """Whole images of the test split; of validation or of everything where there is none."""
        return self._eval_loader("test")

    def predict_dataloader(self) -> DataLoader[Any]:
        """The same images as for test."""
        return self._eval_loader("predict")

    def _eval_loader(self, stage: str) -> DataLoader[Any]:
        catalog = self.eval_catalog(stage)
        world, rank = self._world()
        cache = self._cache_bytes() if stage != "suspects" else 0  # each is shown once
        pack = self._pack(catalog, self.eval_size, raw_only=True)
        images = WholeImages(catalog, self.eval_size, cache, self.on_bad_image, pack)
        return self._loader(images, ShareSampler(len(catalog), world, rank), self.eval_batch_size)

    def _loader(
        self, dataset: Dataset[Any], sampler: Any, batch_size: int, joined: Callable[[Any], Any] = collate
    ) -> DataLoader[Any]:
        start: Callable[[int], None] | None = one_thread if self.workers else None
        return LateLoader(
            dataset,
            batch_size=batch_size,
            sampler=sampler,
            num_workers=self.workers,
            collate_fn=joined,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=self.workers > 0,
            worker_init_fn=start,
            multiprocessing_context=starting(self._world()[0]) if self.workers else None,
            generator=torch.Generator().manual_seed(self.seed),  # else each loader moves dropout's random numbers
        )

    def _world(self) -> tuple[int, int]:
        return (1, 0) if self.trainer is None else (self.trainer.world_size, self.trainer.global_rank)

    def close_mixing(self, epoch: int) -> None:
        """Switch mosaic, mixup and paste off from an epoch on."""
        self.mix_until_epoch = epoch
        if self._sampler is not None:
            self._sampler.mix_until_epoch = epoch

    def on_before_batch_transfer(self, batch: Transferred, dataloader_idx: int) -> Transferred:
        """Count what is shown, and images that could not be decoded; end the run where these are too many.

        Raises:
            InputError: more than 1 % of the images are broken; they are listed.
        """
        running = self.trainer.state.stage if self.trainer is not None else None
        stage = "train" if running is None else str(running.value)
        told = batch.batch if isinstance(batch, PlannedBatch) else batch
        if stage == "train":
            self.shown.add(told, len(self.class_names))
        if len(told.broken):
            stage = EVALUATIONS.get(stage, stage)
            shown = self.validated[dataloader_idx] if stage == "validate" else stage
            catalog = self.part("train") if stage == "train" else self.eval_catalog(shown)
            self.broken.met({catalog.name(r) for r in told.broken.tolist()}, len(self.catalog))
        return batch

    def on_after_batch_transfer(self, batch: Transferred, dataloader_idx: int) -> Batch:  # noqa: ARG002
        """Make the pictures of planned samples on the device that they are on now."""
        if not isinstance(batch, PlannedBatch):
            return batch
        return batch.rendered(self._on_device())

    def teardown(self, stage: str) -> None:
        """Give the memory back that the training images took."""
        if stage == "fit":
            self._resident = self._ready = None

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run must know, and what scoring must know of the training."""
        training = {
            "data": fingerprint(self.catalog),
            "fold": self.fold,
            "splits": None if self.splits is None else split_codes(self.catalog),
            "val_share": self.val_share,
            "seed": self.seed,
            "division": division(self.catalog),
            "rare": self.rare_names,
            "boxes": self.training_boxes,
            "eval_size": list(self.eval_size),
        }
        return {"mix_until_epoch": self.mix_until_epoch, "training": training}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the same closing epoch; score by what was rare in training, on images that were not learnt."""
        until = state_dict.get("mix_until_epoch")
        if until is not None:
            self.close_mixing(int(until))
        if self.trainer is not None and self.trainer.state.fn == "fit":
            require_same_division(dict(state_dict.get("training") or {}), self.catalog)
        elif self.trainer is not None:
            self._training = dict(state_dict.get("training") or {})
            if self._eval_size_open and "eval_size" in self._training:
                height, width = self._training["eval_size"]
                self.eval_size = (int(height), int(width))
            self._parts = None


def _canvas(size: int | tuple[int, int]) -> tuple[int, int]:
    height, width = (size, size) if isinstance(size, int) else size
    if height < 32 or width < 32:
        raise InputError(f"data.size is at least 32 pixels a side, not {height}x{width}.")
    return int(height), int(width)
