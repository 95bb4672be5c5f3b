"""What can go wrong between pictures and a published adapter.

DvptError
└── TrainingError
    ├── DataNotFound      no data where it was looked for, and none to be had
    ├── DataUnusable      lists, classes or pictures that cannot be trained on
    ├── MethodUnsuitable  a method that does not go with the input, or cannot be published
    ├── Diverged          the loss is no number any more
    └── CheckpointDamaged a run directory that cannot be resumed
"""

from adapters.errors import DvptError


class TrainingError(DvptError):
    """Training cannot start or go on."""


class DataNotFound(TrainingError):
    """There is no data where it was looked for, and none to be had."""


class DataUnusable(TrainingError):
    """Lists, classes or pictures that cannot be trained on."""


class MethodUnsuitable(TrainingError):
    """A method that does not go with the input, or that no service can share a backbone with."""


class Diverged(TrainingError):
    """The loss is no number any more."""


class CheckpointDamaged(TrainingError):
    """A run directory that cannot be resumed."""
