"""With what a run was made: its data, settings, versions, machine and time."""

from datetime import timedelta
from typing import Any

from detaug.errors import InputError
from detaug.reports.run_files import RunFiles

Rows = tuple[tuple[str, str], ...]


def facts(run: RunFiles) -> Rows:
    """Names and values, as text."""
    metrics, environment = run.metrics or {}, run.environment or {}
    rows: list[tuple[str, Any]] = [
        ("Run folder", str(run.folder)),
        ("Dataset", metrics.get("root") or run.setting("data", "root")),
        ("Scored on", f"{metrics['images']} images of {metrics.get('split')}" if "images" in metrics else None),
        ("Weights", metrics.get("checkpoint")),
        ("Seed", run.setting("seed_everything")),
        ("Seed of the data", run.setting("data", "seed")),
        ("Backbone", run.setting("model", "backbone")),
        ("Began", environment.get("began")),
        ("Ended", environment.get("ended")),
        ("Took", _lasted(environment.get("seconds"))),
        *_machine(environment.get("machine")),
        *_pairs(environment.get("versions")),
    ]
    return tuple((name, str(value)) for name, value in rows if value not in (None, ""))


def unknown(run: RunFiles) -> str:
    """A sentence on what is not known of the machine; empty where all is."""
    return "" if run.environment else "Versions, machine and time are not known: this run has no environment.json."


def configuration(run: RunFiles) -> str:
    """The configuration as it was saved.

    Raises:
        InputError: there is none.
    """
    if run.config_text is None:
        raise InputError("The configuration is not known: this run has no config.yaml.")
    return run.config_text


def _lasted(seconds: Any) -> str | None:
    return str(timedelta(seconds=round(seconds))) if isinstance(seconds, int | float) else None


def _machine(found: Any) -> list[tuple[str, Any]]:
    if not isinstance(found, dict):
        return []
    accelerators = found.get("accelerators")
    return [
        ("System", found.get("system")),
        ("Processor", f"{found.get('processor')}, {found.get('cores')} cores"),
        ("Accelerators", ", ".join(map(str, accelerators)) if isinstance(accelerators, list) else None),
    ]


def _pairs(found: Any) -> list[tuple[str, Any]]:
    return list(found.items()) if isinstance(found, dict) else []
