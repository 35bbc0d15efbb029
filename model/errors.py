"""Errors of the trainer. Each message names the thing, the value and what was expected.

TrainerError
├── DataError        a source file or data set cannot be used as it is
├── SplitError       too few users to hold some out
├── TrainingError    training cannot go on: the loss is no longer a number, or grows without end
├── CheckpointError  a checkpoint cannot be gone on with
├── RanksError       several processes cannot train together
└── ContinuationError  a bundle cannot be trained further
"""


class TrainerError(Exception):
    """Anything that goes wrong between a source file and a bundle."""


class DataError(TrainerError):
    """A source file or a data set cannot be used as it is."""


class SplitError(TrainerError):
    """There are too few users to hold some of them out."""


class TrainingError(TrainerError):
    """Training cannot go on."""


class ContinuationError(TrainerError):
    """A bundle cannot be trained further: the message says what does not fit."""


class CheckpointError(TrainerError):
    """A checkpoint is damaged, or of another training."""


class RanksError(TrainerError):
    """Several processes cannot train together: they cannot meet, have lost one of them, or are of different trainings."""
