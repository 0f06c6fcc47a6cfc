"""The `nachlass` command. Builder environment."""

from nachlass_builder.cli import main

if __name__ == "__main__":
    main()
