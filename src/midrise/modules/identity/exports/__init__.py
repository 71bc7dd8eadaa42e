"""What is stored of a person, given to that person."""
