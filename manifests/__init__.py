"""One YAML manifest per data set, as package data."""
