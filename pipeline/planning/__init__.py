"""What there is to do, and what it will cost."""
