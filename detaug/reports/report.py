"""Makes a run's `report.html` from the files in its folder."""

from pathlib import Path

import numpy as np

from detaug.errors import InputError
from detaug.measures.analysis import Analysis, analyse
from detaug.reports.about_part import configuration, facts, unknown
from detaug.reports.exposure_part import exposures
from detaug.reports.mistakes_part import worst
from detaug.reports.page import report_page
from detaug.reports.part import Part, part
from detaug.reports.run_curves import curves_of
from detaug.reports.run_data import RunData, run_data
from detaug.reports.run_files import RunFiles, read_run
from detaug.reports.samples_part import samples, suspects
from detaug.reports.scores_part import class_rows, confused, mistakes, precision_curves, sizes, tiles
from detaug.reports.training_part import loss_curves, verdict
from detaug.reports.training_part import precision_curves as precision_over_epochs
from detaug.writing import write_whole

FILE = "report.html"


def write_report(run: Path, root: Path | None = None, out: Path | None = None) -> Path:
    """Write a run's report; what a file is missing for is left out, with a sentence that says so.

    Args:
        run: the run's folder.
        root: where its dataset lies now; None is where it lay then.
        out: the file; None is `report.html` in the run's folder.

    Returns:
        The file.

    Raises:
        InputError: there is no such run folder, or the file cannot be written.
    """
    files = read_run(run)
    target = run / FILE if out is None else out
    page = _page(files, root)
    try:
        write_whole(target, page.encode("utf-8", "replace"))
    except OSError as error:
        raise InputError(f"{target}: the report cannot be written ({error.strerror}).") from error
    return target


def _page(run: RunFiles, root: Path | None) -> str:
    logged = part("logged", "", lambda: curves_of(run)).content
    data, analysis, fault = _analysed(run, root)

    def there() -> tuple[RunData, Analysis]:
        if data is None or analysis is None:
            raise InputError(fault)
        return data, analysis

    classes = part("classes", "Average precision by class", lambda: class_rows(run, analysis))
    parts = (
        part("curves", "Training", lambda: loss_curves(logged) + precision_over_epochs(logged)),
        classes,
        part("precision", "Precision and recall", lambda: [precision_curves(there()[1], classes.content or ())]),
        part("sizes", "By size", lambda: [sizes(run)]),
        part("confusion", "Confusion", lambda: confused(there()[1])),
        part("errors", "Errors by type", lambda: mistakes(there()[1])),
        part("exposure", "What training was shown", lambda: exposures(run)),
        part("samples", "Augmented samples", lambda: samples(run, there()[0])),
        part("mistakes", "The worst mistakes", lambda: worst(*there())),
        part("suspects", "Suspicious labels", lambda: suspects(run, there()[0])),
        part("config", "Configuration", lambda: configuration(run)),
        part("facts", "This run", lambda: facts(run)),
    )
    judged = part("verdict", "Verdict", lambda: verdict(run))
    return report_page(run.title, judged, tiles(run, analysis), parts, run.notes, unknown(run))


def _analysed(run: RunFiles, root: Path | None) -> tuple[RunData | None, Analysis | None, str]:
    """The run's dataset and what went wrong there, or why they are not known."""

    def made() -> tuple[RunData, Analysis]:
        data = run_data(run, root)
        rare = (run.metrics or {}).get("rare_classes") or ()
        return data, analyse(data.evaluated, data.found, rare, np.random.default_rng(0))

    tried: Part = part("data", "", made)
    return (*tried.content, "") if tried.content is not None else (None, None, tried.absent)
