"""Passwords as their owners change them."""
