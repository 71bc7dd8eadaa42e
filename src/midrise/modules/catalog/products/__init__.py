"""What is for sale: its names, its price, its state, and how much of it there is."""
