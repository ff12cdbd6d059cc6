"""The diagnosis of constructed trainings: states, sentences, knobs, classes known by heart."""

import inspect
import json
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest

from benchmarks.verdicts import FAMILIES, confusion
from detaug.errors import InputError
from detaug.learning.diagnosis import History, PerClass, State, Thresholds, judge, memorised
from detaug.learning.diagnosis.current import USUAL
from detaug.learning.diagnosis.curves import noise, trend
from detaug.learning.diagnosis.per_class import wilson
from tests.learning import exponentials
from tests.running import program

QUICK = Thresholds(copies=1)
PLAIN = {"recipe": dict.fromkeys(("mosaic", "affine", "colour", "paste"))}


def history(state: State, count: int = 20, sigma: float = 0.003, **more: Any) -> History:
    """A training of a state, validated each epoch."""
    rng = np.random.default_rng(0)
    clean, val = exponentials.MAKERS[state](np.arange(1, count + 1) / count, rng)
    clean, val = (c * np.exp(sigma * rng.normal(size=count)) for c in (clean, val))
    return History.of(np.arange(count), val, clean, **{"chance_loss": exponentials.CHANCE, **more})


def test_nothing_is_too_short() -> None:
    verdict = judge(History.of([], []))
    assert (verdict.state, verdict.best_epoch, verdict.since_epoch) == ("too_short", None, None)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_each_state_is_recognised(family: str) -> None:
    """Few of each here; `python -m benchmarks.verdicts` takes many, and asks for 95 %."""
    for state, said in confusion(FAMILIES[family], 40, seed=2).items():
        assert said[state] >= 35, (state, said)


@pytest.mark.parametrize("state", exponentials.MAKERS)
def test_a_clear_case_of_each_state(state: State) -> None:
    verdict = judge(history(state))
    assert verdict.state == state
    assert verdict.confidence > 0.9
    assert 0 < len(verdict.knobs) <= 5 or state == "still_learning"
    assert json.loads(json.dumps(verdict.as_json(), allow_nan=False))["state"] == state


def test_the_verdict_does_not_change_with_the_unit_of_the_loss() -> None:
    for state in exponentials.MAKERS:
        one = history(state)
        other = replace(
            one, val_loss=1000 * one.val_loss, clean_loss=1000 * one.clean_loss, chance_loss=1000 * one.chance_loss
        )
        assert judge(one, QUICK).sentence.split()[:4] == judge(other, QUICK).sentence.split()[:4]
        assert judge(one, QUICK).state == judge(other, QUICK).state


def test_the_sentence_names_the_epoch_and_both_changes() -> None:
    epochs = np.arange(30)
    val = np.where(epochs < 10, 2.0 - 0.1 * epochs, 1.0 + 0.01 * (epochs - 10))
    verdict = judge(History.of(epochs, val, 2.0 - 0.06 * epochs))
    assert verdict.state == "overfitting"
    assert verdict.best_epoch == 10
    assert verdict.since_epoch is not None
    assert abs(verdict.since_epoch - 10) <= 1
    assert f"Since epoch {verdict.since_epoch} " in verdict.sentence
    assert " fell by " in verdict.sentence
    assert " rose by " in verdict.sentence


def test_a_loss_that_is_no_number_diverges_but_a_validation_that_did_not_run_does_not() -> None:
    good = history("healthy", val_ap=[0.5] * 20)
    missing, gap = good.val_loss.copy(), good.val_ap.copy()
    missing[7] = gap[7] = np.nan
    assert judge(replace(good, val_loss=missing, val_ap=gap), QUICK).state == "healthy"
    assert judge(replace(good, val_loss=missing), QUICK).since_epoch == 7
    assert judge(replace(good, val_loss=missing), QUICK).state == "diverging"
    missing[7] = np.inf
    assert judge(replace(good, val_loss=missing, val_ap=gap), QUICK).state == "diverging"


def test_a_loss_far_above_chance_diverges_whatever_its_noise() -> None:
    good = history("healthy")
    wild = good.val_loss * 0 + good.chance_loss * np.array([1.1, 2.0, 150, 9, 4, 1200, 1300, 500, 1400, 170] * 2)
    blown = judge(replace(good, val_loss=wild, clean_loss=wild), QUICK)
    assert (blown.state, blown.since_epoch) == ("diverging", 12)
    assert "4 times" in blown.sentence
    assert [knob.setting.split()[0] for knob in blown.knobs]
    one = np.append(good.val_loss[:-1], 50 * good.chance_loss)  # once is an accident
    assert "times what knowing" not in judge(replace(good, val_loss=one), QUICK).sentence
    unknown = replace(good, val_loss=wild, clean_loss=wild, chance_loss=np.nan)
    assert "times what knowing" not in judge(unknown, QUICK).sentence


def test_validating_the_best_weights_again_adds_no_point() -> None:
    once = history("overfitting")
    columns = {name: np.append(getattr(once, name), getattr(once, name)[9]) for name in ("val_loss", "clean_loss")}
    again = History.of(np.arange(21), columns["val_loss"], columns["clean_loss"], chance_loss=once.chance_loss)
    assert judge(again, QUICK).sentence == judge(once, QUICK).sentence


def test_a_jump_where_mixing_ends_is_no_trend() -> None:
    flat = history("healthy", count=24)
    drop = np.where(flat.epoch >= 20, 0.9, 1.0)
    fallen = replace(flat, val_loss=flat.val_loss * drop, clean_loss=flat.clean_loss * drop)
    assert judge(fallen, QUICK).state == "still_learning"
    assert judge(replace(fallen, closing_epoch=20), QUICK).state == "healthy"


def test_without_a_clean_loss_only_a_rising_validation_is_overfitting() -> None:
    risen = history("overfitting")
    rising = History.of(risen.epoch, np.linspace(1, 1.5, 20) + 0.5 * np.exp(-risen.epoch), train_loss=risen.clean_loss)
    flat = History.of(risen.epoch, 1 + 0.5 * np.exp(-risen.epoch / 2), train_loss=risen.clean_loss)
    assert judge(rising, QUICK).state == "overfitting"
    assert judge(flat, QUICK).state == "healthy"
    assert any("cannot be judged" in reason for reason in judge(flat, QUICK).reasons)


def test_a_frozen_training_underfits() -> None:
    constant = History.of(range(10), [2.2] * 10, [2.2] * 10, clean_ap50=[0.0] * 10)
    verdict = judge(constant, QUICK, {"model": {"learning_rate": 1e-8}})
    assert verdict.state == "underfitting"


def test_a_slow_training_underfits_and_is_told_to_take_larger_steps() -> None:
    loss = np.linspace(2.2, 2.0, 10)
    verdict = judge(History.of(range(10), loss, loss, chance_loss=2.2), QUICK, {"model": {"learning_rate": 1e-5}})
    assert verdict.state == "underfitting"
    assert verdict.knobs[0].setting == "--model.learning_rate 0.0001"


def test_knobs_go_from_what_is_set() -> None:
    plain = judge(history("overfitting"), QUICK, {"data": PLAIN, "model": {"dropout": 0.2, "pretrained": True}})
    settings = [knob.setting for knob in plain.knobs]
    assert "--data.recipe.mosaic.p 0.5" in settings[0]
    assert "--model.dropout 0.4" in settings
    assert not any("pretrained" in setting for setting in settings)
    stops = {"callbacks": [{"class_path": "pytorch_lightning.callbacks.EarlyStopping", "init_args": {"patience": 3}}]}
    strong = {name: {"p": 0.9} for name in ("mosaic", "affine", "colour", "paste")}
    model = {"dropout": 0.5, "weight_decay": 0.3, "pretrained": True, "freeze": "backbone", "l1": 1e-5}
    done = judge(history("overfitting"), QUICK, {"data": {"recipe": strong}, "model": model, "trainer": stops})
    assert done.knobs == ()
    capacity = judge(history("underfitting"), QUICK, {"model": {"backbone": "resnet18"}})
    assert "--model.backbone resnet34" in [knob.setting for knob in capacity.knobs]
    ended = judge(history("still_learning"), QUICK, {"trainer": {"max_epochs": 20}})
    assert ended.knobs[0].setting == "--trainer.max_epochs 32"
    patient = {"max_epochs": 50, "callbacks": stops["callbacks"]}
    stopped = judge(history("still_learning", val_ap=[0.5, *[0.4] * 19]), QUICK, {"trainer": patient})
    assert stopped.knobs[0].setting == "patience: 6"
    running = judge(history("still_learning"), QUICK, {"trainer": {"max_epochs": 50}})
    assert running.knobs == ()


@pytest.mark.slow
def test_the_program_takes_every_knob() -> None:
    knobs = [knob for state in exponentials.MAKERS for knob in judge(history(state), QUICK, {"data": PLAIN}).knobs]
    flags = [word for knob in knobs for word in knob.setting.split() if knob.setting.startswith("--")]
    assert len(flags) > 20
    done = program("fit", *flags, "--print_config")
    assert done.code == 0, done.err
    assert "ClosingEarlyStopping" in done.out


def test_usual_settings_are_the_programs() -> None:
    from detaug.batches.datamodule import SignData
    from detaug.learning.module import SignDetector

    for name, value in USUAL.items():
        part, _, key = name.partition(".")
        if part != "trainer":
            made = {"model": SignDetector, "data": SignData}[part]
            assert inspect.signature(made).parameters[key].default == value, name


def test_noise_and_trend_are_right_on_lines() -> None:
    rng = np.random.default_rng(3)
    x = np.cumsum(rng.integers(1, 4, 400)).astype(float)
    assert noise(x, np.exp(-x / 300) + 0.02 * rng.normal(size=400)) == pytest.approx(0.02, rel=0.2)
    covered = 0
    for _ in range(400):
        y = 5 - 0.3 * x[:12] + 0.1 * rng.normal(size=12)
        found = trend(x[:12], y, 0.1, np.zeros(12, bool))
        covered += abs(found.change + 0.3 * (x[11] - x[0])) < 1.96 * found.error
    assert 0.94 < covered / 400 < 1.0


def test_memorised_classes_are_rare_first_and_few_boxes_prove_nothing() -> None:
    names = ["often", "rare", "one box", "weak", "fine", "absent"]
    classes = PerClass.of(
        names,
        clean_ap=[0.9, 0.95, 0.95, 0.4, 0.9, None],
        val_ap=[0.3, 0.2, 0.0, 0.1, 0.85, 0.1],
        clean_boxes=[200, 30, 5, 100, 100, 0],
        val_boxes=[60, 20, 1, 50, 50, 10],
        train_boxes=[900, 40, 5, 300, 300, 0],
    )
    known = memorised(classes)
    assert [found.name for found in known] == ["rare", "often"]
    assert "AP 0.95" in known[0].sentence
    verdict = judge(history("overfitting", classes=classes), QUICK)
    assert verdict.memorised == ("rare", "often")
    assert any(reason.startswith("rare is known by heart") for reason in verdict.reasons)


def test_the_interval_of_a_share_covers() -> None:
    rng = np.random.default_rng(4)
    for count, share in ((10, 0.5), (30, 0.9), (100, 0.2)):
        found = rng.binomial(count, share, 2000) / count
        low, high = wilson(found, np.full(2000, float(count)), 1.96)
        assert 0.92 < np.mean((low <= share) & (share <= high)) < 0.99


def test_wrong_input_is_named() -> None:
    with pytest.raises(InputError, match="rise strictly"):
        History.of([1, 1], [1.0, 2.0])
    with pytest.raises(InputError, match="val_loss: expected 2 values, got 1"):
        History.of([1, 2], [1.0])
    with pytest.raises(InputError, match="material is above 0"):
        Thresholds(material=0)
    assert set(exponentials.MAKERS) | {"too_short"} == set(get_args(State))
