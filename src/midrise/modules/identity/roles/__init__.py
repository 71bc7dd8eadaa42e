"""Roles: sets of permissions with a name."""
