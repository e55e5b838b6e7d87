"""`python -m espalier.app.client.cli` is the command line."""

from espalier.app.client.cli import main

if __name__ == "__main__":
    main()
