"""Trainings here and now, whose records are not kept."""

from models.data.loading import Dataset
from models.records import Record
from models.runs.making import to_record
from models.specs import RunSpec
from models.training.loop import Training


def trained(spec: RunSpec, dataset: Dataset) -> Record:
    """The record of a run that is trained now."""
    training = Training(spec, dataset)
    list(training.epochs())
    return to_record(training, dataset)
