"""PyMAF."""
