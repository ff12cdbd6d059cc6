"""A part of the report: its heading with what is below it, or why nothing is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from detaug.errors import InputError

DASH = "\N{EN DASH}"  # stands where there is no value


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the page.

    Attributes:
        key: its name in the page's addresses, and which of the template's forms it takes.
        title: its heading.
        content: what the form shows; None where there is nothing to show.
        absent: why there is nothing.
    """

    key: str
    title: str
    content: Any = None
    absent: str = ""


def part(key: str, title: str, make: Callable[[], Any]) -> Part:
    """Make one part of the page. Whatever is wrong with its files, the other parts are still made.

    Args:
        key: see `Part`.
        title: its heading.
        make: gives the content; an `InputError` says why there is none.
    """
    try:
        return Part(key, title, make())
    except InputError as error:
        return Part(key, title, absent=str(error))
    except Exception as error:  # a run's files may hold anything, and one of them must not cost the whole report
        return Part(key, title, absent=f"This part could not be made ({type(error).__name__}: {error}).")


def share(value: Any) -> str:
    """A share with three digits; a dash where there is none.

    >>> share(0.5), share(None)
    ('0.500', '–')
    """
    return f"{value:.3f}" if isinstance(value, int | float) and value == value else DASH
