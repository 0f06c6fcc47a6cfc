"""The `nachlass` command."""

from nachlass_builder.cli.main import main

if __name__ == "__main__":
    main()
