"""Average precision as COCO measures it, in original pixels."""

import math
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from faster_coco_eval import COCO
from faster_coco_eval.core.faster_eval_api import COCOeval_faster
from numpy.typing import NDArray

from detaug.measures.truth import Found, GroundTruth, xywh

ALL, SMALL, MEDIUM, LARGE = range(4)
NAN = math.nan


@dataclass(frozen=True, slots=True)
class ClassMetrics:
    """One class.

    Attributes:
        ap: mean over the IoU thresholds 0.50 to 0.95; NaN where the scored images hold no box of the class.
        ap50: at IoU 0.50.
        boxes: annotated boxes, crowds left out.
    """

    ap: float
    ap50: float
    boxes: int


@dataclass(frozen=True, slots=True)
class Metrics:
    """COCO's numbers, 0 to 1; NaN where the scored images have no box to find.

    Attributes:
        images: how many were scored.
        ap: average precision, mean over IoU thresholds 0.50 to 0.95 and over the classes that occur.
        ap50: at IoU 0.50.
        ap75: at IoU 0.75.
        small: boxes below 32 x 32 pixels.
        medium: boxes from there to 96 x 96 pixels.
        large: boxes above.
        ar100: average recall with at most 100 detections an image.
        rare: mean of `ap` over the rare classes that occur.
        common: mean of `ap` over the other classes that occur.
        classes: each class by name.
    """

    images: int
    ap: float
    ap50: float
    ap75: float
    small: float
    medium: float
    large: float
    ar100: float
    rare: float
    common: float
    classes: dict[str, ClassMetrics]

    def plain(self) -> dict[str, Any]:
        """The numbers as JSON can hold them: NaN becomes None."""

        def clean(value: Any) -> Any:
            if isinstance(value, dict):
                return {k: clean(v) for k, v in value.items()}
            return None if isinstance(value, float) and math.isnan(value) else value

        return {k: clean(v) for k, v in asdict(self).items()}


def score(truth: GroundTruth, found: Found, names: Sequence[str], rare: Collection[str] = ()) -> Metrics:
    """Compare what was found with what is there (Lin et al., 2014; faster-coco-eval computes it).

    Only images that occur in `found.rows` are scored, at most 100 detections each. Classes without a box in them are
    NaN and left out of every mean.

    Args:
        truth: the evaluated catalog's boxes; `found.rows` are its rows.
        found: detections, labels into `names`.
        names: the data's class names.
        rare: names of the rare classes.

    Returns:
        The metrics; a set with boxes but without detections scores 0.
    """
    scored = truth.take(found.rows)
    boxes = np.bincount(scored.labels[~scored.crowd], minlength=len(names))
    if boxes.sum() == 0:
        nothing = {name: ClassMetrics(NAN, NAN, 0) for name in names}
        return Metrics(len(scored), NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, nothing)
    precision, recall = _accumulate(scored, found, len(names))
    by_class = [mean(precision[:, :, i, ALL]) for i in range(len(names))]
    is_rare = [name in rare for name in names]
    classes = {
        name: ClassMetrics(by_class[i], mean(precision[0, :, i, ALL]), int(boxes[i])) for i, name in enumerate(names)
    }
    return Metrics(
        images=len(scored),
        ap=mean(precision[:, :, :, ALL]),
        ap50=mean(precision[0, :, :, ALL]),
        ap75=mean(precision[5, :, :, ALL]),
        small=mean(precision[:, :, :, SMALL]),
        medium=mean(precision[:, :, :, MEDIUM]),
        large=mean(precision[:, :, :, LARGE]),
        ar100=mean(recall[:, :, ALL]),
        rare=mean(_or_absent([ap for ap, r in zip(by_class, is_rare, strict=True) if r])),
        common=mean(_or_absent([ap for ap, r in zip(by_class, is_rare, strict=True) if not r])),
        classes=classes,
    )


def mean(values: NDArray[np.float64]) -> float:
    """Mean of what is not -1, COCO's mark for absent; NaN where all is absent.

    >>> mean(np.array([0.5, -1.0, 1.0])), mean(np.array([-1.0]))
    (0.75, nan)
    """
    present = values[values > -1]
    return float(np.mean(present)) if present.size else NAN


def _or_absent(values: list[float]) -> NDArray[np.float64]:
    return np.nan_to_num(np.array(values, np.float64), nan=-1.0)


def _accumulate(truth: GroundTruth, found: Found, classes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Precision (10 IoU thresholds, 101 recalls, C, 4 areas) and recall (10, C, 4), -1 where a class is absent."""
    images = np.arange(1, len(truth) + 1)
    reference = COCO()
    reference.dataset = {
        "images": [{"id": i} for i in images.tolist()],
        "categories": [{"id": i + 1, "name": str(i)} for i in range(classes)],
        "annotations": _annotations(truth, np.repeat(images, np.diff(truth.starts))),
    }
    reference.createIndex()
    results = Found(np.arange(len(found)), found.boxes, found.scores, found.labels, found.starts)
    evaluation = COCOeval_faster(
        reference, reference.loadRes(results.coco(images)), "bbox", print_function=_silent, extra_calc=False
    )
    evaluation.evaluate()
    evaluation.accumulate()
    most = evaluation.params.maxDets.index(100)
    precision, recall = evaluation.eval["precision"], evaluation.eval["recall"]
    return np.asarray(precision)[:, :, :, :, most], np.asarray(recall)[:, :, :, most]


def _annotations(truth: GroundTruth, images: NDArray[np.int64]) -> list[dict[str, Any]]:
    boxes = xywh(truth.boxes)
    columns = (images, truth.labels + 1, boxes, boxes[:, 2] * boxes[:, 3], truth.crowd.astype(int))
    values = zip(*(c.tolist() for c in columns), strict=True)
    return [
        {"id": n, "image_id": i, "category_id": c, "bbox": b, "area": a, "iscrowd": crowd}
        for n, (i, c, b, a, crowd) in enumerate(values, start=1)
    ]


def _silent(*_: Any) -> None:
    """The evaluation prints nothing."""
