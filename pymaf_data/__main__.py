"""``python -m pymaf_data``: the command line, for where its script is not on the path."""

from pymaf_data.cli import main

if __name__ == "__main__":
    main()
