"""`detaug pack`: all images at the sizes that rendering needs, in one file that every worker maps."""

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

import cv2

from detaug.batches.page import read_page
from detaug.commands.words import read_words, size, whole
from detaug.errors import InputError
from detaug.readers.shelf import clock, folders, token
from detaug.render.pack import file_name
from detaug.render.pack_build import GB, Built, Wanted, build, cores
from detaug.render.pack_file import JPEG, RAW, raw_bytes
from detaug.waiting import waiting

AUTO = "auto"
MOST = 32 * GB  # bytes of a raw pack that nobody asked for by name


def add(commands: Any, data: argparse.ArgumentParser) -> None:
    """Take up the command."""
    command = commands.add_parser(
        "pack", parents=[data], help="decode a dataset once, into one file that trainings read",
        description="Every image of every split at the sizes that samples of this size are drawn from. Trainings find "
        "the pack beside the dataset by themselves. A build that was stopped goes on where it was; one that is there "
        "is brought up to date.",
    )  # fmt: skip
    add = command.add_argument
    add("--size", type=size, metavar="S", help="canvas, a side or HxW; the page's or 640 by default")
    add("--recipe", metavar="PAGE", help="a page such as configs/X.yaml, for its size")
    kinds = (
        f"raw pixels, the same as from files, or JPEGs at a tenth of that; auto takes raw up to {MOST // GB} GB and "
    )
    add("--as", dest="kind", choices=(AUTO, RAW, JPEG), default=AUTO, help=kinds + "half of the free disk")
    add("--quality", type=_quality, default=95, metavar="Q", help="of the JPEGs, 1 to 100; 95 by default")
    add("--out", type=Path, metavar="FILE", help="where; beside the dataset's index by default")
    add("--threads", type=_threads, default=cores(), metavar="N", help="that decode; all cores by default, at most 16")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Make the pack, or finish it."""
    page = None if args.recipe is None else read_page(args.recipe)
    canvas = args.size or (page.size if page is not None else None) or (640, 640)
    cv2.setNumThreads(1)
    with waiting("Reading", quiet=args.format == "drawn"):
        catalog = read_words(args)
    folder = _folder(catalog.root, args.out)
    needed = int(raw_bytes(catalog.sizes, canvas).sum())
    kind = args.kind
    if kind == AUTO:
        kind = RAW if needed <= min(MOST, shutil.disk_usage(folder).free // 2) else JPEG
    quality = args.quality if kind == JPEG else 0
    path = args.out or folder / file_name(canvas, kind, quality)
    wanted = Wanted(catalog, canvas, kind, quality, None if args.out else token(folder))
    try:
        with waiting("Packing", len(catalog)) as watched:
            built = build(wanted, path, args.threads, watched)
    except KeyboardInterrupt:
        print(f"{path}: stopped; the same command goes on from here.", file=sys.stderr)
        return 130
    print(_said(path, built, kind))
    return 0


def _folder(root: Path, out: Path | None) -> Path:
    """Where the pack will lie.

    Raises:
        InputError: no place beside the dataset can be written, or there is no such folder.
    """
    if out is not None:
        if out.is_dir() or not out.absolute().parent.is_dir():
            raise InputError(f"{out}: --out takes the name of a file in a folder that is there.")
        return out.absolute().parent
    for folder in folders(root):
        if clock(folder) is not None:
            return folder
    raise InputError(f"{root}: neither this folder nor the user's cache can be written; name a file with --out.")


def _said(path: Path, built: Built, kind: str) -> str:
    count = len(built.pack)
    form = "raw pixels" if kind == RAW else f"JPEGs of quality {built.pack.table.quality}"
    height, width = built.pack.size
    begin = "" if built.made else "up to date already, "
    text = f"{path}: {begin}{count - built.broken} images for samples of {height}x{width} as {form}, "
    text += f"{built.pack.bytes / 1e9:.2f} GB"
    extras = [
        f"{number} {what}"
        for number, what in (
            (built.broken, "left out, since they cannot be decoded"),
            (built.resumed, "from the build that was stopped"),
            (built.reused, "copied from the older pack"),
        )
        if number
    ]
    return "; ".join([text, *extras])


def _quality(text: str) -> int:
    return whole(text, 1, 100)


def _threads(text: str) -> int:
    return whole(text, 1, 256)
