"""The specification of the store and the JSON Schemas of the records, as package data."""
