"""What readers and operators ask of the consumers, and how who answers is found."""
