"""The keys that sign access tokens, the same on every instance."""
