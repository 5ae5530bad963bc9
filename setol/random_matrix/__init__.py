"""Laws of random matrices: what a spectrum would look like had the network learned nothing."""
