"""Models that need system libraries, for a wheel or from `apt.txt`."""

import pytest

from support.cells import write_notebook
from support.containers import needs_containers, second_stage
from support.elf_files import elf_bytes
from support.wheels import make_wheel

pytestmark = needs_containers

READ_ONLY = ("--user", "12345:0", "--read-only", "--tmpfs", "/tmp")
BOOSTER = "lightgbm/lib/lib_lightgbm.so needs libgomp.so.1"
CELLS = """\
# %%
requirements = ["lightgbm", "numpy"]
import ctypes
import lightgbm
import numpy as np
# %%
rows = np.arange(200.0).reshape(100, 2)
settings = {"verbosity": -1, "min_data_in_leaf": 1, "num_threads": 1}
booster = lightgbm.train(settings, lightgbm.Dataset(rows, rows[:, 0] > 100), 5)
# %%
def environment_of_odbc():
    handle = ctypes.c_void_p()
    return ctypes.CDLL("libodbc.so.2").SQLAllocHandle(1, None, ctypes.byref(handle))
# %%
def predictor(x):
    return [environment_of_odbc(), round(float(booster.predict([x])[0]), 3)]
samples = [[0, 1], [190, 191]]
"""


NATIVE = """\
# %%
requirements = ["native"]
import ctypes
# %%
def predictor(x):
    import native
    return bool(ctypes.CDLL(x))
samples = ["libgomp.so.1", "libodbc.so.2"]
"""


@pytest.fixture
def source(tmp_path):
    write_notebook(tmp_path / "boosted/model.ipynb", CELLS)
    (tmp_path / "boosted/apt.txt").write_text("# ODBC's driver manager\nunixodbc\n")
    return tmp_path / "boosted"


def check(engine, image):
    with engine.container(image, *READ_ONLY) as running:
        (status, low), (_, high) = (running.predict(row) for row in ([0, 1], [190, 191]))
        assert status == 200
        assert low[0] == high[0] == 0
        assert low[1] < high[1]


def test_the_small_image_has_the_libraries_that_the_model_loads(
    engine, builder, source, tag, environ
):
    made = engine.nachlass_image(source, tag, "--builder", builder, environ=environ)
    output = made.stdout + made.stderr
    assert made.returncode == 0, output
    assert f"unpacked libgomp1: {BOOSTER}" in output
    check(engine, tag)
    installed = ("dpkg-query", "-W", "-f", "${Package}\n", "libgomp1", "unixodbc")
    assert engine.run("podman", "run", "--rm", "--pull=never", tag, *installed).returncode == 0


def test_the_s2i_image_and_the_second_image_have_the_libraries(
    engine, project_images, tmp_path, tag
):
    """The user of s2i's build cannot install packages; the wheel is a small one."""
    builder, runtime = project_images
    source, first = tmp_path / "native", f"{tag}-first"
    write_notebook(source / "model.ipynb", NATIVE)
    (source / "apt.txt").write_text("unixodbc\n")
    files = {"native.py": "", "native_libs/libnative.so": elf_bytes(needed=["libgomp.so.1"])}
    make_wheel(source / "wheels", "native", files=files)
    built = engine.s2i_build(first, tmp_path / "first", source, builder)
    assert "unpacked libgomp1: native_libs/libnative.so needs libgomp.so.1" in built.stderr
    assert "unpacked from apt.txt: unixodbc" in built.stderr
    (tmp_path / "second").mkdir()
    (tmp_path / "second/Dockerfile").write_text(second_stage(runtime, first))
    engine.build(tag, tmp_path / "second", "--layers=false")
    for image in (first, tag):
        with engine.container(image, *READ_ONLY) as running:
            assert running.predict("libodbc.so.2") == (200, True)
            assert running.predict("libgomp.so.1") == (200, True)
    sizes = [engine.inspect(name)["Size"] for name in (runtime, tag, first)]
    assert sizes == sorted(sizes)


def test_an_unknown_package_in_apt_txt_fails_the_build(engine, builder, source, tag, environ):
    (source / "apt.txt").write_text("unixodbc\nno-such-package-anywhere\n")
    made = engine.nachlass_image(source, tag, "--builder", builder, environ=environ)
    assert made.returncode == 12
    assert "Unable to locate package no-such-package-anywhere" in made.stdout + made.stderr
    assert not engine.has(tag)
