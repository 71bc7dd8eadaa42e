"""The command `midrise`, also as `python -m midrise`."""

from midrise.cli import app


def main() -> None:
    app(prog_name="midrise")


if __name__ == "__main__":
    main()
