"""What the job says, on a terminal: the output topics read back, a board of windows and events."""
