"""The judged trainings: how each is set up, and what it should therefore be called; fixed before any was run."""

from dataclasses import dataclass

from benchmarks.judged.data import Data
from detaug.learning.diagnosis import State

Settings = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """One training.

    Attributes:
        name: of its row.
        data: its images.
        expected: the state that its set-up leads to; empty where none is claimed.
        why: what leads to it.
        settings: of train.py, beside `full.yaml`.
        epochs: how many, of 200 samples, or of 120 where images are few.
        seed: of weights, order and augmentation.
        begins_with: the set-up whose weights it begins with.
    """

    name: str
    data: Data
    expected: tuple[State, ...]
    why: str
    settings: Settings = ()
    epochs: int = 16
    seed: int = 0
    begins_with: str | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two trainings on the same images, as many steps long, of which the second should have the smaller gap."""

    wide: str
    narrow: str


PLAIN = ("--config", "configs/plain.yaml")  # no augmentation and no balance
BARE = (*PLAIN, "--model.dropout", "0", "--model.weight_decay", "0")
SHORT = ("--data.epoch_length", "120", "--trainer.check_val_every_n_epoch", "2")  # for a few images
CONSTANT = ("--model.final_share", "1", "--data.closing_share", "0")
UNBOUND = ("--trainer.gradient_clip_val", "null", "--model.warmup_share", "1", "--data.closing_share", "0")

SIGNS, DRAWN = Data(source="signs"), Data(source="drawn", seed=1)
SIGNS_30, DRAWN_30 = Data(source="signs", train=30, seed=2), Data(source="drawn", train=30, seed=3)
SIGNS_ONE, DRAWN_ONE = Data(source="signs", one_class=True), Data(source="drawn", seed=4, one_class=True)

_FEW = "so few images, seen a hundred times, with nothing against learning them by heart"
_SLOW = "at a learning rate near zero nothing is learnt"
_EARLY = "the learning rate never falls, and the training ends long before the loss does"
_GENTLE = "what an earlier training learnt, at a twentieth of its learning rate: little is left to learn or to forget"
_FAST = "the learning rate rises to fifty times what is usual or more, and nothing clips the gradients"
_FASTER = "the same to thousands of times what is usual; put in after the two before had been seen not to diverge"
_PAIRED = "so few images are too few for any recipe; what is claimed is a smaller gap than without it"

SETUPS = (
    Setup(name="few_signs", data=SIGNS_30, expected=("overfitting",), why=_FEW, settings=(*BARE, *SHORT), epochs=32),
    Setup(
        name="few_drawn", data=DRAWN_30, expected=("overfitting",), why=_FEW, settings=(*BARE, *SHORT), epochs=32,
        seed=1,
    ),
    Setup(
        name="few_signs_large", data=Data(source="signs", train=20, seed=5), expected=("overfitting",), why=_FEW,
        settings=(*BARE, *SHORT, "--model.backbone", "mobilenetv3_large_100"), epochs=16, seed=2,
    ),
    Setup(
        name="few_drawn_one", data=Data(source="drawn", train=25, seed=6, one_class=True), expected=("overfitting",),
        why=_FEW, settings=(*BARE, *SHORT), epochs=32, seed=3,
    ),
    Setup(name="few_signs_full", data=SIGNS_30, expected=(), why=_PAIRED, settings=SHORT, epochs=32),
    Setup(name="few_drawn_full", data=DRAWN_30, expected=(), why=_PAIRED, settings=SHORT, epochs=32, seed=1),
    Setup(
        name="early_signs_one", data=SIGNS_ONE, expected=("still_learning",), why=_EARLY, settings=CONSTANT, epochs=20,
        seed=4
    ),
    Setup(
        name="early_drawn_one", data=DRAWN_ONE, expected=("still_learning",), why=_EARLY, settings=CONSTANT, epochs=20,
        seed=5
    ),
    Setup(
        name="early_signs", data=SIGNS, expected=("still_learning",), why=_EARLY, settings=CONSTANT, epochs=10, seed=6
    ),
    Setup(
        name="slow_signs", data=SIGNS, expected=("underfitting",), why=_SLOW,
        settings=("--model.learning_rate", "1e-6"), epochs=10, seed=7,
    ),
    Setup(
        name="slow_drawn", data=DRAWN, expected=("underfitting",), why=_SLOW,
        settings=(*PLAIN, "--model.learning_rate", "1e-6"), epochs=10, seed=8,
    ),
    Setup(
        name="decay_signs", data=SIGNS, expected=("underfitting",), why="each step takes four fifths of every weight",
        settings=("--model.weight_decay", "400"), epochs=12, seed=9,
    ),
    Setup(
        name="l1_drawn", data=DRAWN, expected=("underfitting",), why="L1 pulls at weights harder than the loss does",
        settings=("--model.l1", "0.1"), epochs=12, seed=10,
    ),
    Setup(
        name="dropout_signs", data=SIGNS, expected=("underfitting",), why="the head sees three of its 64 channels",
        settings=("--model.dropout", "0.95"), epochs=12, seed=11,
    ),
    Setup(
        name="frozen_drawn", data=DRAWN, expected=("underfitting",), why="the backbone's random weights never change",
        settings=("--model.freeze", "backbone"), epochs=12, seed=12,
    ),
    Setup(
        name="fast_signs", data=SIGNS, expected=("diverging",), why=_FAST,
        settings=(*UNBOUND, "--model.learning_rate", "0.2"), seed=13,
    ),
    Setup(
        name="fast_drawn", data=DRAWN, expected=("diverging",), why=_FAST,
        settings=(*UNBOUND, "--model.learning_rate", "0.1"), seed=14,
    ),
    Setup(
        name="faster_signs", data=SIGNS, expected=("diverging",), why=_FASTER,
        settings=(*UNBOUND, "--model.learning_rate", "50"), epochs=10, seed=20,
    ),
    Setup(
        name="faster_drawn", data=DRAWN, expected=("diverging",), why=_FASTER,
        settings=(*UNBOUND, "--model.learning_rate", "20"), epochs=10, seed=21,
    ),
    Setup(
        name="easy_signs", data=Data(source="signs", val=150, easy=True), expected=("suspicious",),
        why="validation is copies of those training images that are easiest", epochs=12, seed=15,
    ),
    Setup(
        name="jitter_drawn", data=Data(source="drawn", val=150, seed=7, one_class=True, jitter=0.3),
        expected=("suspicious",),
        why="training boxes lie beside their signs, those of validation do not", epochs=12, seed=16,
    ),
    Setup(
        name="short_drawn", data=DRAWN, expected=("too_short",), why="three validations show no trend", epochs=3,
        seed=17,
    ),
    Setup(
        name="gentle_signs_one", data=SIGNS_ONE, expected=("healthy",), why=_GENTLE,
        settings=("--model.learning_rate", "1e-4"), epochs=12, seed=18, begins_with="early_signs_one",
    ),
    Setup(
        name="gentle_drawn_one", data=DRAWN_ONE, expected=("healthy",), why=_GENTLE,
        settings=("--model.learning_rate", "1e-4"), epochs=12, seed=19, begins_with="early_drawn_one",
    ),
)  # fmt: skip
PAIRS = (Pair("few_signs", "few_signs_full"), Pair("few_drawn", "few_drawn_full"))
