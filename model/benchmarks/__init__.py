"""Benchmarks: each is a class as :mod:`.benchmark` describes it, and a YAML in ``manifests/benchmarks`` that names it.

``manifest`` (what the YAML says), ``benchmark`` (the seam), ``truth`` (what persons are measured against); the others
are benchmarks. Who measures whom with them is :mod:`pymaf_data.model.evaluation`'s business.
"""
