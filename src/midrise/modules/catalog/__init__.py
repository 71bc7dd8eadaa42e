"""The catalogue: what is for sale."""
