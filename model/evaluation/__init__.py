"""Measuring: a checkpoint or a source of fits, on benchmarks.

``options`` (what may be chosen), ``views`` (what a network sees), ``subjects`` (whose bodies are measured), ``run``
(from names to results). What a benchmark is: :mod:`pymaf_data.model.benchmarks`; results as files:
:mod:`pymaf_data.runs.evaluations`.
"""
