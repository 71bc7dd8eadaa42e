"""What the topology says when it can't do what was asked."""


class Refused(Exception):
    """Why something can't be started or changed, in one sentence for the person who asked for it."""


class CannotStart(Refused):
    """A program of the topology ended, or didn't become ready in time, while it was being started."""
