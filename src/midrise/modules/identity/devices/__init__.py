"""Devices: where a person is logged in, and how to be logged in there no more."""
