"""A replay that shows its work: what it found and why, as one page and as pictures."""
