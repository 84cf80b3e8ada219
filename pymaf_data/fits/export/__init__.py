"""The chosen fits of a store in the files that others' trainers read: a module for each format, ``members(rows)``.

    pymaf-data export-fits STORE --to spin OUT.npz

Every file also says what its format has no place for, see :mod:`pymaf_data.fits.exported`.
"""
