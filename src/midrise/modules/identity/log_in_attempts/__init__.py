"""Log-in attempts: guesses at passwords and codes, counted so that guessing gets nowhere."""
