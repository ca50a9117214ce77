"""`python -m evstore` is the `evstore` command."""

from evstore.cli import command

if __name__ == "__main__":
    command()
