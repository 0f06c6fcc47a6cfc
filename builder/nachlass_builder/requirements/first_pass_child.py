"""Child process of the first pass: computes one variable from a few cells.

It runs in a clean interpreter with the standard library only.

Arguments: the variable's name, and the file to write the answer to. Standard
input holds, in base64, a pickle of [(cell number, ast.Module), ...], made by
the builder with the same Python. The answer is JSON: {"value": ...}, or
{"error": text, "cell": number or null, "line": number or null}.
"""

import ast
import base64
import json
import os
import pickle
import sys


def main(name: str, answer: str) -> None:
    """Run the cells and write the answer."""
    cells: list[tuple[int, ast.Module]] = pickle.loads(base64.b64decode(sys.stdin.read()))  # noqa: S301
    found = outcome(name, cells)
    try:
        text = json.dumps(found, default=plain)
    except (TypeError, ValueError) as error:
        text = json.dumps({"error": f"its value is not a list: {error}", "cell": None})
    # Written last: a missing file shows that a cell ended the process.
    with open(answer, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(text)


def outcome(name: str, cells: list[tuple[int, ast.Module]]) -> dict[str, object]:
    """Return the value of the variable, or what went wrong and where."""
    sys.argv[1:] = []
    # A notebook can import the modules beside it.
    sys.path.insert(0, os.getcwd())  # noqa: PTH109
    namespace: dict[str, object] = {"__name__": "__main__"}
    for number, tree in cells:
        try:
            exec(compile(tree, f"<cell {number}>", "exec"), namespace)  # noqa: S102
        except BaseException as error:  # noqa: BLE001 - SystemExit too is the cell's failure
            text = f"{type(error).__name__}: {error}"
            return {"error": text, "cell": number, "line": line_of(error, number)}
    if name not in namespace:
        return {"error": f"`{name}` is not defined after the cells have run", "cell": None}
    return {"value": namespace[name]}


def line_of(error: BaseException, number: int) -> int | None:
    """Return the line of the cell at which the error was raised."""
    line, traceback = None, error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == f"<cell {number}>":
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line


def plain(value: object) -> object:
    """Convert a value without a JSON form: sets become lists, anything else its text."""
    return list(value) if isinstance(value, set | frozenset) else str(value)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
