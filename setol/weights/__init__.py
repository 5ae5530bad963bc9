"""What needs the weights themselves: the only part of the theory that loads torch."""
