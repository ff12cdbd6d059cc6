"""With what and on what machine a run was made, and how long it took."""

import json
import os
import platform
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from detaug.writing import write_whole

PACKAGES = (
    "detaug", "torch", "torchvision", "pytorch-lightning", "timm", "albumentations", "opencv-python-headless", "numpy",
)  # fmt: skip


def write_environment(folder: Path) -> None:
    """Write `environment.json` into a run's folder: versions, machine, begin and end.

    The run began when its `config.yaml` was written.
    """
    config = folder / "config.yaml"
    ended = datetime.now(UTC)
    began = datetime.fromtimestamp(config.stat().st_mtime, UTC) if config.is_file() else None
    content = {
        "versions": {"python": platform.python_version(), **versions()},
        "machine": machine(),
        "began": began and began.isoformat(timespec="seconds"),
        "ended": ended.isoformat(timespec="seconds"),
        "seconds": began and round((ended - began).total_seconds()),
    }
    write_whole(folder / "environment.json", json.dumps(content, indent=2).encode())


def versions() -> dict[str, str]:
    """The versions of the packages that a result depends on."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """The system, its processor and, where torch is loaded, its accelerators."""
    torch = sys.modules.get("torch")
    cuda = torch is not None and torch.cuda.is_available()
    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "accelerators": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if cuda else [],  # type: ignore[union-attr]
    }
