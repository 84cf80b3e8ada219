"""Recipes: the whole pipeline in one file."""
