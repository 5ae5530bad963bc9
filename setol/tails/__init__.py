"""Where the tail of a spectrum begins, and what law it follows."""
