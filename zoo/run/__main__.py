"""`python -m zoo.run ...` is the `zoo` command."""

from zoo.run.cli import main

if __name__ == "__main__":
    main()
