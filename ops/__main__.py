"""`python -m ops`: the `blueprint` command where its script is not on PATH."""

from ops.cli import main

if __name__ == "__main__":
    main()
