"""What the commands share: printing, and asking."""
