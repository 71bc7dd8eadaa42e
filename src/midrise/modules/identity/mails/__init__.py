"""The mails that people get about their accounts."""
