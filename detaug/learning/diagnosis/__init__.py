"""Whether a training under- or overfits, said from its curves, and what to turn next. NumPy alone."""

from detaug.learning.diagnosis.history import History, PerClass
from detaug.learning.diagnosis.judging import judge
from detaug.learning.diagnosis.per_class import Memorised, memorised
from detaug.learning.diagnosis.verdict import Knob, State, Thresholds, Verdict

__all__ = ["History", "Knob", "Memorised", "PerClass", "State", "Thresholds", "Verdict", "judge", "memorised"]
