import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

from nachlass_builder.execution import kernel as kernels
from nachlass_builder.execution.execute import CodeError, Execution, executed
from nachlass_builder.execution.kernel_process import IN_KERNEL, kernel_environment
from nachlass_builder.foundation.credentials import redact
from nachlass_builder.foundation.errors import ExecutionError, TimeLimitError
from nachlass_builder.foundation.process import Deadline
from nachlass_builder.foundation.progress import Progress
from nachlass_builder.notebook.notebook import read_notebook
from support.cells import write_notebook
from support.project import TESTS

pytestmark = pytest.mark.starts_programs


def make_environment(folder, *requirements):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    if requirements:
        pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
        subprocess.run([*pip, *requirements], check=True)
    return python


@pytest.fixture(scope="session")
def training_python(shared):
    folder, made = shared / "training", shared / "training-made"
    with FileLock(shared / "training.lock"):
        if not made.exists():
            make_environment(folder, "ipykernel")
            made.touch()
    return folder / "bin/python"


@pytest.fixture
def execution(tmp_path, training_python, monkeypatch):
    """Yield a function that creates an execution; check that it leaves no temporary files."""
    root, temporary, home = (tmp_path / name for name in ("rép o", "t", "home"))
    for folder in (root, temporary, home):
        folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "DISPLAY": ":0"}

    def make(text, *, cell_timeout_s=None, build_timeout_s=None, python=training_python):
        write_notebook(root / "model.ipynb", text)
        return Execution(
            notebook=read_notebook(root, "model.ipynb"),
            python=python,
            root=root,
            cwd=root,
            environment=environment,
            cell_timeout_s=cell_timeout_s,
            deadline=Deadline.after(build_timeout_s),
            progress=Progress(quiet=True),
        )

    yield make
    for folder in (temporary, home):
        assert list(folder.iterdir()) == []
    assert not list(root.rglob("__pycache__"))


def run(execution):
    with executed(execution):
        pass
    cells = execution.notebook.node.cells
    return [cell.get("outputs") for cell in cells]


def refuse(execution, kind=ExecutionError):
    with pytest.raises(kind) as caught, executed(execution):
        pytest.fail("the cells ran")
    return caught.value


def text_of(outputs):
    return "".join(output.get("text", "") for output in outputs)


def test_cells_run_as_in_jupyter(execution):
    made = execution("""
# %% markdown
Words
# %%

# %%
import os, sys, locale, helpers
print(helpers.VALUE, os.getcwd() == str(helpers.HERE), locale.getpreferredencoding(), "é")
print("not a failure", file=sys.stderr)
# %%
%%time
import asyncio
# %%
await asyncio.sleep(0)
files = !ls
def say(name):
    !echo hello {name}; cat
say(files[0])
# %% tags=raises-exception
1 / 0
# %% tags=skip-execution
raise RuntimeError
# %%
(len(In), "DISPLAY" in os.environ, os.environ["MPLBACKEND"].endswith("inline"))
""")
    (made.root / "random.py").write_text("raise RuntimeError('not me')")
    (made.root / "helpers.py").write_text(
        "from pathlib import Path\nVALUE, HERE = 7, Path(__file__).parent"
    )
    outputs = run(made)
    assert text_of(outputs[2]) == "7 True UTF-8 é\nnot a failure\n"
    assert text_of(outputs[4]).strip() == "hello helpers.py"
    assert outputs[5][0].ename == "ZeroDivisionError"
    assert outputs[6] == []
    assert outputs[7][0].data["text/plain"] == "(6, False, True)"
    counts = [cell.get("execution_count") for cell in made.notebook.node.cells]
    assert counts == [None, None, 1, 2, 3, 4, None, 5]
    assert made.notebook.node.metadata.language_info.name == "python"


def test_a_failing_cell_is_reported_with_its_line_and_the_users_module(execution):
    made = execution("""
# %% tags=skip-execution
x
# %%
def outer():
    import helpers
    helpers.inner()
# %%

y = 1
outer()
""")
    (made.root / "helpers.py").write_text("def inner():\n    open(__file__ + '.csv')\n")
    error = refuse(made)
    assert str(error.place) == "model.ipynb, cell 3, line 2"
    assert error.message == (
        "FileNotFoundError: [Errno 2] No such file or directory: 'helpers.py.csv'"
    )
    assert "model.ipynb, cell 2, line 3, in outer" in error.details
    assert "helpers.py, line 2, in inner\n    open(__file__ + '.csv')" in error.details


@pytest.mark.parametrize(
    ("source", "message", "line"),
    [
        ("x = 1\nimport sys\nsys.exit(0)", "SystemExit: 0", 3),
        ("x = 1\nexit()", "SystemExit: the cell ends the kernel", 2),
        ("input('name? ')", "StdinNotImplementedError: ", 1),
        ("import os\nos._exit(3)", "the kernel process exited with status 3", None),
        (
            "import os\nos.kill(os.getpid(), 9)",
            "the kernel was killed by signal 9, most likely",
            None,
        ),
        ("import os\nos.abort()", "the kernel process crashed: signal 6 (SIGABRT)", None),
        ("%%capture\nx = 1\n1 / 0", "ZeroDivisionError: division by zero", 3),
        (
            "get_ipython().showtraceback((ValueError, ValueError('hidden'), None))",
            "ValueError: hid",
            None,
        ),
    ],
)
def test_cells_that_do_not_finish_are_reported(execution, source, message, line):
    error = refuse(execution(f"# %%\npass\n# %%\n{source}\n# %%\n'never'"))
    assert error.message.startswith(message)
    assert (error.place.cell, error.place.line) == (2, line)
    assert source.splitlines()[-1] in error.details


def test_open_is_the_builtin_even_after_a_reset(execution):
    check = "import io\nassert open is io.open"
    run(execution(f"# %%\n{check}\n# %%\n%reset -f\n{check}"))
    error = refuse(execution("# %%\ndata = 1\nopen('absent.csv')"))
    assert error.details == "  1 | data = 1\n> 2 | open('absent.csv')"


def test_a_failed_cell_shows_no_password(execution):
    source = 'def get(url):\n    raise OSError(f"no {url}")\nget("https://ada:s3cret@host/x")'
    text = str(refuse(execution(f"# %%\n{source}")))
    assert "s3cret" not in text
    assert text.count("https://***@host/x") == 4


def test_a_kernel_that_dies_between_cells_is_detected(execution):
    later = "import os, threading\nthreading.Timer(0.1, os._exit, (4,)).start()"
    made = execution(f"# %%\n{later}\n# %%\nimport time\ntime.sleep(30)")
    assert refuse(made).message == "the kernel process exited with status 4"


@pytest.mark.parametrize(
    ("source", "line"),
    [("import time\ntime.sleep(60)", 2), ("import asyncio\n\nawait asyncio.sleep(60)", 3)],
)
def test_a_slow_cell_is_interrupted(execution, source, line):
    error = refuse(execution(f"# %%\n{source}", cell_timeout_s=0.5), TimeLimitError)
    assert error.message == "the cell exceeded S2I_CELL_TIMEOUT (0.5 s)"
    assert error.place.line == line
    assert "S2I_CELL_TIMEOUT" in error.remedy


def test_a_cell_that_ignores_interrupts_is_killed_with_its_children(execution, monkeypatch):
    monkeypatch.setattr(kernels, "INTERRUPT_PAUSES_S", (0.2, 0.2))
    made = execution(
        """
# %%
import signal, subprocess
signal.signal(signal.SIGINT, signal.SIG_IGN)
child = subprocess.Popen(["sh", "-c", "trap '' INT; sleep 60"])
stray = subprocess.Popen(["sleep", "60"], start_new_session=True)
open("pids", "w").write(f"{child.pid} {stray.pid}")
while True:
    pass
""",
        build_timeout_s=3,
    )
    error = refuse(made, TimeLimitError)
    assert error.message == (
        "the build exceeded S2I_BUILD_TIMEOUT (3 s) while running this cell; "
        "it ignored interrupts and was killed"
    )
    assert str(error.place) == "model.ipynb, cell 1"
    assert not any(is_alive(int(pid)) for pid in (made.root / "pids").read_text().split())


def test_output_is_limited(execution):
    outputs = run(
        execution("""
# %%
for i in range(3):
    print("\\r", i, end="", flush=True)
print()
print("x" * 3_000_000)
# %%
from IPython.display import HTML, clear_output
for i in range(4):
    clear_output(wait=True)
    print(i, "y" * 500_000)
HTML("z" * 20_000_000)
""")
    )
    assert outputs[0][0].text.startswith(" 2\nxxx")
    assert len(outputs[0][0].text) < 1_100_000
    assert "[the rest of this cell's text was cut" in outputs[0][0].text[-200:]
    assert outputs[1][0].text.startswith("3 y")
    assert outputs[1][1].data["text/plain"].startswith("[20,0")


def test_hidden_code_runs_in_the_live_kernel(execution):
    with executed(execution("# %%\nx = 1\n# %%\nx + 1")) as kernel:
        kernel.run("assert x == 1 and _ == 2 and len(In) == 3; print('y' * 10**6)", doing="looking")
        with pytest.raises(CodeError, match="KeyError: 'k', while looking") as caught:
            kernel.run("{}['k']", doing="looking")
        assert (caught.value.ename, caught.value.evalue) == ("KeyError", "'k'")
        assert "line 1" in caught.value.traceback
        with pytest.raises(ExecutionError, match="exited with status 5, while looking"):
            kernel.run("import os; os._exit(5)", doing="looking")


def test_hidden_code_respects_the_deadline(execution):
    with executed(execution("# %%\nimport time")) as kernel:
        kernel.deadline = Deadline.after(0.3)
        with pytest.raises(TimeLimitError, match="while looking"):
            kernel.run("time.sleep(60)", doing="looking")
        with pytest.raises(TimeLimitError, match="while looking"):
            kernel.run("pass", doing="looking")


def test_a_failed_kernel_start_is_explained(execution, tmp_path):
    python = make_environment(tmp_path / "empty")
    error = refuse(execution("# %%\n1", python=python))
    assert error.message == "the kernel did not start"
    assert "No module named ipykernel_launcher" in error.details


def test_the_kernel_dies_with_the_builder(tmp_path, training_python):
    root = tmp_path / "root"
    write_notebook(
        root / "model.ipynb",
        "# %%\nimport os\nopen('pid', 'w').write(str(os.getpid()))\nx = 10 ** (10 ** 9)",
    )
    temporary = tmp_path / "t"
    temporary.mkdir()
    code = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_execute import *
root = Path({str(root)!r})
run(Execution(read_notebook(root, "model.ipynb"), Path({str(training_python)!r}), root, root,
    {{}}, None, Deadline(), Progress(quiet=True)))
"""
    environment = {
        **os.environ,
        "TMPDIR": str(temporary),
        "PYTHONPATH": str(TESTS),
    }
    with subprocess.Popen([sys.executable, "-c", code], env=environment) as builder:
        assert becomes(lambda: (root / "pid").exists() and (root / "pid").read_text(), 20)
        builder.kill()
    assert becomes(lambda: not is_alive(int((root / "pid").read_text())), 2)
    assert becomes(lambda: not list(temporary.iterdir()), 2)


def test_the_output_of_cells_is_the_same_in_every_run(execution):
    text = """\
# %%
import warnings
warnings.warn("of a cell")
# %%
print({"one", "two", "three"}, (lambda: 0).__code__.co_filename)
"""
    shown = []
    for _ in range(2):
        made = execution(text)
        with executed(made) as kernel:
            kernel.run("assert True", doing="looking")
            code = "import json; from nachlass_kernel.cells import cell_files\n"
            file = kernel.folder / "files"
            kernel.run(f"{code}open({str(file)!r}, 'w').write(json.dumps(cell_files()))", doing="x")
            files = json.loads(file.read_text())
        shown.append(([cell.outputs for cell in made.notebook.node.cells], files))
    first, second = shown
    assert first == second
    assert sorted(files.values()) == [1, 2]
    assert all(name.startswith("/tmp/ipykernel/model.ipynb/") for name in files)
    assert sorted(files, key=files.get)[1] in text_of(first[0][1])


def test_the_environment_of_a_kernel():
    base = {
        "PATH": "/usr/bin",
        "SHELL": "/usr/bin/fish",
        "PYTHONPATH": "/theirs",
        "JUPYTER_PATH": "/theirs",
        "DISPLAY": ":0",
        "VIRTUAL_ENV": "/theirs",
        "PYTHONHASHSEED": "7",
    }
    python, folder = Path("/venv/bin/python"), Path("/private")
    environment = kernel_environment(base, python, folder, [Path("/root/src")])
    assert environment["PATH"] == "/private/bin:/venv/bin:/usr/bin"
    assert environment["PYTHONPATH"] == f"{IN_KERNEL}:/root/src"
    assert environment["LC_ALL"] == "C.UTF-8"
    assert environment["PYTHONHASHSEED"] == "7"
    del base["PYTHONHASHSEED"]
    assert kernel_environment(base, python, folder, [])["PYTHONHASHSEED"] == "0"
    assert not {"SHELL", "DISPLAY", "JUPYTER_PATH", "VIRTUAL_ENV"} & environment.keys()


def test_pip_installs_nothing(execution):
    made = execution("""
# %%
!pip install ipykernel
%pip install -q --upgrade pip
# %%
import pip, subprocess, sys
name = "no-such-distribution"
subprocess.run([sys.executable, "-m", "pip", "install", f"{name}==1.0"])
""")
    error = refuse(made)
    assert "already in the lock: ipykernel" in text_of(made.notebook.node.cells[0].outputs)
    assert str(error.place) == "model.ipynb, cell 2, line 3"
    assert error.message == (
        "pip cannot install no-such-distribution==1.0: "
        "the environment is locked before the cells run"
    )
    assert error.remedy == 'add ["no-such-distribution", "1.0"] to `requirements`'


@pytest.mark.parametrize(
    ("words", "missing"),
    [
        ("-qU packaging", []),
        ("packaging>=1 --no-deps --index-url https://example.org/simple", []),
        ("packaging==1.0", []),  # the lock has a higher version, which wins
        ("packaging==999", ['["packaging", "999"]']),
        ("absent[extra]>=1 also-absent", ['"absent[extra]>=1"', '["also-absent"]']),
        ("absent;python_version<'3'", []),
        ("git+https://example.org/a.git#egg=absent", ['"absent @ git+https://example.org/a.git"']),
        (
            "git+https://u:p4ss@host/own.git@a/ref#egg=other",
            ['"other @ git+https://***@host/own.git@a/ref"'],
        ),
        ("git+https://u:p4ss@host/not-own.git", ['"its name @ git+https://***@host/not-own.git"']),
        ("git+https://u:p4ss@host/own.git git+https://HOST/own@a/ref", []),
        ("https://u:p4ss@host/file?a=1&token=p4ss", []),
        ("https://host/file?a=2&token=p4ss", ['"its name @ https://host/file?a=2&token=***"']),
        ("-e . ./project", ['"its name @ ./project"']),
        ("-rrequirements.txt", ['"absent>=2"']),
    ],
)
def test_pip_compares_its_arguments_with_the_installed_packages(tmp_path, words, missing):
    (tmp_path / "requirements.txt").write_text("packaging # yes\n-r more.txt\n")
    (tmp_path / "more.txt").write_text(f"absent \\\n  >=2 --hash=sha256:{'0' * 64}\n")
    write_distribution(tmp_path / "site", "own", "https://host/own.git")
    write_distribution(tmp_path / "site", "archive", "https://host/file?a=1")
    record = tmp_path / "missing"
    path = os.pathsep.join([str(IN_KERNEL), str(tmp_path / "site")])
    environment = {"PYTHONPATH": path, "NACHLASS_PIP_MISSING": str(record)}
    command = [sys.executable, "-m", "pip", "install", *words.split()]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    lines = record.read_text().splitlines() if record.exists() else []
    assert [json.loads(line)["remedy"] for line in lines] == missing
    assert done.returncode == (1 if missing else 0), done.stderr
    assert "p4ss" not in done.stdout + done.stderr + "".join(lines)


def write_distribution(site, name, url):
    folder = site / f"{name}-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (folder / "direct_url.json").write_text(json.dumps({"url": url}))


@pytest.mark.parametrize(
    "text",
    [
        "git+https://u:p@host/x.git and http://token@host, 'https://u:p@a'",
        "git+ssh://git@host/x.git ssh://ada@host ssh://ada:p@host https://git@host",
        "https://host/x?a=1&sig=abc&api_key=1#egg=x",
    ],
)
def test_pip_and_the_builder_redact_alike(text):
    spec = importlib.util.spec_from_file_location("links", IN_KERNEL / "pip/nachlass_links.py")
    links = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(links)
    assert links.redacted(text) == redact(text, ()) != text


def test_pip_names_the_line_of_a_link_with_a_password(execution):
    error = refuse(
        execution("""
# %%
print("pip install what?")
link = "git+https://ada:s3cret@host/x.git"
!pip install {link}
""")
    )
    assert error.place.line == 2
    assert "s3cret" not in str(error)
    assert error.remedy == 'add "its name @ git+https://***@host/x.git" to `requirements`'


@pytest.mark.parametrize(
    ("words", "status", "output"),
    [
        ("--version", 0, "pip of nachlass"),
        ("list", 0, "packaging "),
        ("freeze", 0, "packaging=="),
        ("show packaging", 0, "Name: packaging"),
        ("show absent", 1, "not found: absent"),
        ("uninstall -y packaging", 1, "`uninstall` is not available"),
    ],
)
def test_pip_supports_read_only_commands(words, status, output):
    command = [sys.executable, "-P", "-m", "pip", *words.split()]
    environment = {"PYTHONPATH": str(IN_KERNEL)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert output in done.stdout + done.stderr


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # The process that adopts an orphan may be slow to reap it.
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def becomes(condition, within_s):
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def interruptible():
    """Handle Ctrl-C even if a shell started the tests in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_ends_the_kernel(execution):
    made = execution(
        "# %%\nimport os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(60)"
    )
    wait = 'while [ ! -s "$0" ]; do sleep 0.05; done; kill -INT "$1"'
    press = ["sh", "-c", wait, made.root / "pid", str(os.getpid())]
    with subprocess.Popen(press), pytest.raises(KeyboardInterrupt):
        run(made)
    assert not is_alive(int((made.root / "pid").read_text()))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_only_shown_warnings_are_reported(execution, capsys):
    outputs = run(
        execution(
            "# %%\nimport logging, warnings\n\n"
            "with warnings.catch_warnings(record=True) as caught:\n"
            '    warnings.warn("recorded")\nassert len(caught) == 1\n'
            'with warnings.catch_warnings():\n    warnings.simplefilter("ignore")\n'
            '    warnings.warn("ignored")\n'
            "# %%\n%%capture\n"
            'def f():\n    warnings.warn("captured")\nf()\n'
            "# %%\nlogging.captureWarnings(True)\n"
            'warnings.warn("logged")\nlogging.captureWarnings(False)\n'
            '# %%\nwarnings.warn("shown")\nwarnings.warn("shown")\n'
        )
    )
    warnings = [
        line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")
    ]
    assert warnings == [
        "warning: model.ipynb, cell 2, line 3: UserWarning: captured",
        "warning: model.ipynb, cell 4, line 1: UserWarning: shown",
    ]
    assert text_of(outputs[0]) == text_of(outputs[1]) == ""
    assert text_of(outputs[3]).count("UserWarning: shown") == 2


def test_warnings_before_a_failure_are_reported(execution, capsys):
    refuse(execution("# %%\nimport warnings\nwarnings.warn('made by another version')\n1 / 0"))
    assert "cell 1, line 2: UserWarning: made by another version" in capsys.readouterr().err
