"""What the GPU renderer cannot do: refused by name, never skipped."""

from detaug.errors import InputError
from detaug.scenes.recipe import Recipe
from detaug.scenes.scene import Blend, Scene


def unsupported(recipe: Recipe) -> list[str]:
    """The recipe's settings that ask for what only the CPU renderer does.

    >>> from detaug.scenes.effects import Effects
    >>> unsupported(Recipe(effects=Effects(chances={"rain": 0.1, "jpeg": 0.0})))
    ['effects.chances.rain']
    """
    found = []
    if recipe.paste is not None and recipe.paste.p > 0 and recipe.paste.blend.get("poisson", 0) > 0:
        found.append("paste.blend.poisson")
    if recipe.effects is not None and recipe.effects.p > 0:
        found += [f"effects.chances.{name}" for name, chance in recipe.effects.chances.items() if chance > 0]
    return found


def require_supported(recipe: Recipe) -> None:
    """Refuse a recipe that the GPU renderer cannot follow.

    Raises:
        InputError: it cannot; the settings to change are named.
    """
    if found := unsupported(recipe):
        settings = ", ".join(f"recipe.{name}" for name in found)
        raise InputError(
            f"data.gpu cannot render {settings}: set them to 0 (or recipe.effects to null), or leave data.gpu."
        )


def require_renderable(scene: Scene) -> None:
    """Refuse a scene to which an operation of the user's own gave what no setting names.

    Raises:
        InputError: it has an effect or a Poisson edge.
    """
    if scene.effects:
        raise InputError(f"data.gpu cannot render the effect {scene.effects[0].name!r} of a scene.")
    if (scene.blend == Blend.POISSON).any():
        raise InputError("data.gpu cannot render a paste with a Poisson edge.")
