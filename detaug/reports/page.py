"""The report as one file of HTML that needs nothing else: no script, no network, no font of its own."""

import math
from collections.abc import Sequence
from datetime import datetime
from importlib import metadata, resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from detaug.reports.part import Part


def report_page(
    title: str,
    verdict: Part,
    tiles: Sequence[tuple[str, str, str]],
    parts: Sequence[Part],
    notes: Sequence[str],
    unknown: str,
) -> str:
    """The report of one run.

    Args:
        title: the run's name.
        verdict: what stands first.
        tiles: the main numbers: name, value, interval.
        parts: all else, in order.
        notes: sentences on files that could not be used.
        unknown: a sentence on what is not known of the machine.
    """
    return _rendered(
        "report.html.j2", title=title, verdict=verdict, tiles=tiles, parts=parts, notes=notes, unknown=unknown
    )


def comparison_page(**shown: Any) -> str:
    """Runs side by side; see `detaug.reports.comparison`."""
    return _rendered("comparison.html.j2", **shown)


def _rendered(name: str, **shown: Any) -> str:
    """A template filled in; every word of the data is escaped."""
    environment = Environment(
        loader=PackageLoader("detaug.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["known"] = lambda value: not math.isnan(value)
    style = resources.files("detaug.reports").joinpath("templates", "style.css").read_text(encoding="utf-8")
    return environment.get_template(name).render(
        style=Markup(style),  # the package's own file
        version=metadata.version("detaug"),
        made=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        **shown,
    )
