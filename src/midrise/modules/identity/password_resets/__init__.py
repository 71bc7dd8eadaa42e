"""New passwords for those who forgot theirs."""
