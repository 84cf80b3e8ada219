"""Recipes: the whole road in one file."""
