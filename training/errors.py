"""What can go wrong between pictures and a published adapter.

DvptError
└── TrainingError
    ├── DataNotFound      no data where it was looked for, and none to be had
    ├── DataUnusable      lists, classes or pictures that cannot be trained on
    ├── OptionsUnusable   options, or a file of them, that cannot be read or had together
    ├── MethodUnsuitable  a method that does not go with the input, or cannot be published
    ├── Diverged          the loss, a feature, or a trained value, is no number any more
    ├── NotWritten        a file that could not be written whole, for a full disk or a missing right
    ├── OutOfMemory       host or device have less memory than is needed
    ├── RunInUse          another process is at work in the run directory
    └── CheckpointDamaged a run directory that cannot be resumed
"""

from adapters.errors import DvptError


class TrainingError(DvptError):
    """Training cannot start or go on."""


class DataNotFound(TrainingError):
    """There is no data where it was looked for, and none to be had."""


class DataUnusable(TrainingError):
    """Lists, classes or pictures that cannot be trained on."""


class OptionsUnusable(TrainingError):
    """Options, or a file of them, that cannot be read or cannot be had together."""


class MethodUnsuitable(TrainingError):
    """A method that does not go with the input, or that no service can share a backbone with."""


class Diverged(TrainingError):
    """The loss, a feature, or a trained value, is no number any more."""


class NotWritten(TrainingError):
    """A file could not be written whole: the disk is full, or the right is missing."""


class OutOfMemory(TrainingError):
    """The host or the device has less memory than the run needs."""


class RunInUse(TrainingError):
    """Another process is at work in the run directory."""


class CheckpointDamaged(TrainingError):
    """A run directory that cannot be resumed."""
