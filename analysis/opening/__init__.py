"""Results folders opened with SQL."""
