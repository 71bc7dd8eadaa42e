"""The values of the configuration, each under its key."""
