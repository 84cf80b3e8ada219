"""Measuring: a checkpoint or a source of fits, on benchmarks.

    options, whom         what may be chosen, and whom that names
    views, subjects       what a network sees; whose bodies are measured
    measure, bootstrap    values of persons, figures, intervals
    drawn                 bodies that are kept to be looked at
    result, compare, run  one subject on one benchmark, two of them, all that was asked for
    table, card           results for a reader

What a benchmark is: :mod:`pymaf_data.model.benchmarks`; results as files: :mod:`pymaf_data.runs.evaluations`.
"""
