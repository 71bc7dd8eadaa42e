"""Tokens that are mailed to people: who has one reads the mail of that address."""
