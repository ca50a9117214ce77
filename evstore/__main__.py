"""`python -m evstore` is the `evstore` command."""

from evstore.cli import main

if __name__ == "__main__":
    main()
