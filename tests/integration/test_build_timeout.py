"""A build past S2I_BUILD_TIMEOUT ends, even while a cell ignores interrupts."""

import time

from support.cells import write_notebook

MODEL = """\
# %%
def predictor(x):
    return x
"""

STUBBORN = """\
# %%
import time

while True:
    try:
        time.sleep(60)
    except BaseException:
        pass
"""


def test_a_cell_that_ignores_interrupts_is_killed(nachlass, tmp_path):
    # The first build makes the environments, which would use up the timeout.
    assert nachlass("build", write_notebook(tmp_path / "a.ipynb", MODEL)).returncode == 0
    source = write_notebook(tmp_path / "repo" / "model.ipynb", MODEL + STUBBORN).parent
    started = time.monotonic()
    built = nachlass("build", source, "-e", "S2I_BUILD_TIMEOUT=10")
    assert time.monotonic() - started < 60
    assert built.returncode == 9, built.stderr
    assert (
        "error: model.ipynb, cell 2: the build exceeded S2I_BUILD_TIMEOUT (10 s) while running "
        "this cell; it ignored interrupts and was killed" in built.stderr
    )
    assert "    4 |     try:" in built.stderr
    assert not (source / ".nachlass" / "bundle").exists()
