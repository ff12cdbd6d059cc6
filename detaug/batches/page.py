"""How training samples are made, as a recipe's name, a recipe file or a page of `configs/` says it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from detaug.draws.balance import Balance
from detaug.draws.neighbours import BLOCK
from detaug.errors import InputError
from detaug.scenes.recipe import Recipe, built


@dataclass(frozen=True, slots=True)
class Page:
    """A recipe and what a training page says beside it; None is what it does not say.

    Attributes:
        recipe: what is done to the images.
        balance: how much more often images of rare classes are shown.
        rare: names of the classes to paste.
        size: canvas height and width in pixels.
        partners: where partners come from, `any` or `block`.
        block: slots in a block.
    """

    recipe: Recipe
    balance: Balance | None = None
    rare: tuple[str, ...] | None = None
    size: tuple[int, int] | None = None
    partners: str = "any"
    block: int = BLOCK


def read_page(name: str) -> Page:
    """A built-in recipe by its name, or a file: a recipe, or a training page with `data: recipe:`.

    Raises:
        InputError: there is no such recipe or file, or it holds something that is no setting.
    """
    path = Path(name)
    if not path.is_file():
        if path.suffix or len(path.parts) != 1:
            raise InputError(f"{name}: there is no such recipe file.")
        return Page(Recipe.builtin(name))
    data = _data(path)
    return Page(Recipe.from_yaml(path)) if data is None else _page(name, data)


def _data(path: Path) -> Any:
    """What a training page says of the data; None for any other file, whose faults `Recipe.from_yaml` names."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: the recipe is not text in UTF-8.") from error
    except (OSError, yaml.YAMLError):
        return None
    return content.get("data") if isinstance(content, dict) else None


def _page(name: str, data: Any) -> Page:
    settings = data.get("recipe") if isinstance(data, dict) else None
    if not isinstance(settings, dict):
        raise InputError(f"{name}: data.recipe takes operations by name, not {settings!r}.")
    # A saved run names every field; own operations need the training program to be built.
    settings = {key: value for key, value in settings.items() if key != "extra" or value}
    balance, rare, size = data.get("balance"), data.get("rare"), data.get("size")
    if not isinstance(balance, dict | None):
        raise InputError(f"{name}: data.balance takes settings by name or null, not {balance!r}.")
    if rare is not None and not (isinstance(rare, list) and all(isinstance(n, str) for n in rare)):
        raise InputError(f"{name}: data.rare takes a list of class names or null, not {rare!r}.")
    block = data.get("block", BLOCK)
    if type(block) is not int:
        raise InputError(f"{name}: data.block takes a number of slots, not {block!r}.")
    return Page(
        recipe=built(Recipe, settings, name, "data.recipe."),
        balance=None if balance is None else built(Balance, balance, name, "data.balance."),
        rare=None if rare is None else tuple(rare),
        size=None if size is None else _canvas(name, size),
        partners=str(data.get("partners", "any")),
        block=block,
    )


def _canvas(name: str, size: Any) -> tuple[int, int]:
    sides = [size, size] if isinstance(size, int) else size
    if not (isinstance(sides, list) and len(sides) == 2 and all(type(s) is int and s >= 32 for s in sides)):
        raise InputError(f"{name}: data.size takes a side or height and width, at least 32 pixels, not {size!r}.")
    return sides[0], sides[1]
