"""Credentials: what people prove by that they are who they say, wherever they have to."""
