"""E-mail addresses: whether they are verified, and how they change."""
