"""Accounts as those who look after them make, change and delete them, and as their owners delete them."""
