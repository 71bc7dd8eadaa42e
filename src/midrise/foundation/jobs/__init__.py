"""Work that is done beside the requests, by the worker.

job.py      what a job is, and who does it
queue.py    asks for a job in the transaction of a change
worker.py   does jobs: those that are due, and those that were asked for
"""

from midrise.foundation.jobs.job import AnyHandler, Hopeless, Job, JobHandler, QueuedJob, Retries
from midrise.foundation.jobs.queue import PgQueuerJobs, forget_old_jobs

__all__ = [
    "AnyHandler",
    "Hopeless",
    "Job",
    "JobHandler",
    "PgQueuerJobs",
    "QueuedJob",
    "Retries",
    "forget_old_jobs",
]
