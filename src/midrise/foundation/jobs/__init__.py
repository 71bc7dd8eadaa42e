"""Work that is done beside the requests, by the worker."""

from midrise.foundation.jobs.job import Job

__all__ = ["Job"]
