"""One YAML for each benchmark: its protocol, its units, where its truth comes from, what was published."""
