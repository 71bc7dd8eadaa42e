"""API keys: how a person's programs call, and what they may do."""
