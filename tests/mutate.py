"""Mutation tests: change decision-making modules, and list the changes that no unit test detects.

    make mutate
    make mutate MODULES="slim/decide metrics/drift"

mutmut changes one operator, number, word, argument or branch at a time and runs the unit tests
of the module's room that reach the changed function. Results stay in .mutants/ROOM.
Not changed: annotations, decorated functions (our properties), code outside functions, and
strings with spaces, which are messages for people.
"""

import ast
import json
import os
import shutil
import sys
import time
import traceback
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile

PROJECT = Path(__file__).parent.parent
LINKED = (
    "builder/nachlass_builder",
    "service",
    "service/nachlass_service",
    "tests",
    "docs",
    "pyproject.toml",
)
RESULTS = PROJECT / ".mutants"
FOUND = "found.json"
MIN_SHARE = 0.9
# A test failed, pytest failed, or it timed out; anything else does not count as detected.
KILLED = {1, 3, 24, -24, 36, 152, 255, -9, -11}
MODULES = {
    "builder/foundation": "settings text_file",
    "builder/notebook": "bindings choose_notebook find_names",
    "builder/source": "parameters",
    "builder/requirements": "cell_requirements declared pip_options project_files requirement"
    " requirement_hashes requirements requirements_txt shell_line typed_values unmet",
    "builder/packages": "explain_resolution locked_hashes pip_configuration pip_settings resolve"
    " resolver",
    "builder/proof": "proof",
    "builder/slim": "decide memory references training",
    "builder/monitoring": "rules template",
    "service/base": "settings",
    "service/bundle": "agreement jsonable strict_json",
    "service/metrics": "drift families history inputs metrics predictions requests series"
    " shared_counters",
    "service/scoring": "admission bounded_json form interrupter pace request_body rows"
    " sample_schema scheduler stride",
    "service/proof": "prove score",
    "service/batches": "columns csv decoded_size json_lines limits",
    "service/http": "body_budget head router",
}
# Modules that may stay below MIN_SHARE, and why.
EXCUSED: dict[str, str] = {
    "service/bundle/strict_json": "its code paths differ only in speed",
}
SETTINGS = """[mutmut]
source_paths=
    nachlass_builder
    nachlass_service
only_mutate=
    {files}
also_copy=
    docs
pytest_add_cli_args=
    -m
    not starts_programs
pytest_add_cli_args_test_selection=
    tests/unit/{room}
timeout_multiplier=10
"""


class Reached:
    """The functions that a test reaches, in mutmut's format, including forked processes."""

    def __init__(self):
        self._file = TemporaryFile(buffering=0)  # noqa: SIM115 - open until the process ends
        self._written = set()

    def add(self, name):
        if name not in self._written:
            self._written.add(name)
            self._file.write(f"{name}\n".encode())

    def __iter__(self):
        self._file.seek(0)
        return iter(set(self._file.read().decode().split()))

    def clear(self):
        self._written.clear()
        self._file.seek(0)
        self._file.truncate()


def prepare(room, modules):
    """Create the layout that mutmut expects: both packages, the tests, and its settings."""
    folder = RESULTS / room
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # The builder looks for the service's source next to itself.
    for path in LINKED:
        (folder / Path(path).name).symlink_to(PROJECT / path)
    files = "\n    ".join(source_of(room, module) for module in modules)
    (folder / "setup.cfg").write_text(SETTINGS.format(files=files, room=room))
    return folder


def source_of(room, module):
    package, name = room.split("/")
    return f"nachlass_{package}/{name}/{module}.py"


def mutate(room, modules):
    """Return each module's number of mutants and its survivors; needs a separate process."""
    os.chdir(prepare(room, modules))
    with Path("log").open("w") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    # On import, mutmut reads the settings of the current folder.
    from mutmut.__main__ import _run
    from mutmut.mutation.mutators import mutation_operators, operator_string
    from mutmut.state import state

    state()._stats = Reached()

    def change_word(node):
        return () if " " in getattr(node, "value", " ") else islice(operator_string(node), 1)

    mutation_operators[:] = [
        (kind, change_word if change is operator_string else change)
        for kind, change in mutation_operators
    ]
    _run([], len(os.sched_getaffinity(0)))
    return [survivors_of(source_of(room, module)) for module in modules]


def mutate_and_end(room, modules):
    """Write the results of `mutate`, and exit: its threads and pipes would block a pool."""
    status = 1
    try:
        found = mutate(room, modules)
        Path(FOUND).write_text(json.dumps(found))
        status = 0
    except BaseException:  # noqa: BLE001 - printed to the log
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def survivors_of(source):
    """Return the number of mutants, and the survivors as (line, old, new)."""
    found = json.loads(Path("mutants", f"{source}.meta").read_text())["exit_code_by_key"]
    lines = first_lines(Path(source).read_text())
    left = [name for name, code in found.items() if code not in KILLED]
    return len(found), sorted(change_of(name, source, lines) for name in left)


def first_lines(code):
    """Return the first line of each function, by mutmut's name for it."""
    tree = ast.parse(code)
    lines = {f"x_{top.name}": top.lineno for top in tree.body if isinstance(top, ast.FunctionDef)}
    for top in tree.body:
        if isinstance(top, ast.ClassDef):
            for part in top.body:
                if isinstance(part, ast.FunctionDef):
                    above = len(part.decorator_list)
                    lines[f"xǁ{top.name}ǁ{part.name}"] = part.lineno - above
    return lines


def change_of(name, source, lines):
    from mutmut.mutation.diff_apply import get_diff_for_mutant

    _, _, hunk, *changed = get_diff_for_mutant(name, path=source).splitlines()
    function = name.rpartition(".")[2].partition("__mutmut_")[0]
    above = next(number for number, line in enumerate(changed) if line[0] != " ")
    line = lines[function] + int(hunk.split()[1].split(",")[0][1:]) - 1 + above
    old = " ".join(line[1:].strip() for line in changed if line[0] == "-")
    new = " ".join(line[1:].strip() for line in changed if line[0] == "+")
    return line, old, new


def wanted(names):
    """Return the modules of these names, or all, by room."""
    known = {
        room: [f"{room.split('/')[1]}/{module}" for module in modules.split()]
        for room, modules in MODULES.items()
    }
    unknown = set(names) - {name for room in known.values() for name in room}
    if unknown:
        sys.exit(f"not in MODULES: {', '.join(sorted(unknown))}")
    return {
        room: [name.split("/")[1] for name in modules if name in names or not names]
        for room, modules in known.items()
        if not names or set(modules) & set(names)
    }


def main():
    print(f"{'module':36} mutants killed survived share", flush=True)
    low, named = [], []
    for room, modules in wanted(sys.argv[1:]).items():
        started = time.monotonic()
        if (child := os.fork()) == 0:
            mutate_and_end(room, modules)
        if os.waitpid(child, 0)[1]:
            sys.exit(f"mutmut failed for {room}: see {RESULTS / room / 'log'}")
        found = json.loads((RESULTS / room / FOUND).read_text())
        for module, (total, survivors) in zip(modules, found, strict=True):
            name, killed = f"{room}/{module}", total - len(survivors)
            share = killed / max(1, total)
            row = f"{name:36} {total:7} {killed:6} {len(survivors):8} {share:5.1%}"
            print(row, EXCUSED.get(name, ""), flush=True)
            named += [(name, *survivor) for survivor in survivors]
            low += [name] if share < MIN_SHARE and name not in EXCUSED else []
        print(f"    {room}: {time.monotonic() - started:.0f} s", flush=True)
    for name, line, old, new in named:
        print(f"{name}.py:{line}\n    - {old}\n    + {new}")
    if low:
        sys.exit(f"below {MIN_SHARE:.0%}: {', '.join(low)}")


if __name__ == "__main__":
    main()
