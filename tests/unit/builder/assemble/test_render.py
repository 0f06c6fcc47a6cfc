"""Executed notebooks look the same in every build."""

import nbformat
from nbformat.v4 import new_code_cell, new_notebook, new_output

from nachlass_builder.assemble.render import write_executed


def stream(name, text):
    return new_output("stream", name=name, text=text)


def shown(folder, *outputs):
    folder.mkdir()
    book = new_notebook(cells=[new_code_cell("f()", id="a", outputs=[*outputs])])
    write_executed(book, folder, "notebook", lambda text: text)
    (cell,) = nbformat.read(folder / "notebook.ipynb", 4).cells
    return [output.get("text", output.output_type) for output in cell.outputs]


def test_output_between_two_displays_is_ordered_by_stream(tmp_path):
    display = new_output("display_data", data={"text/plain": "1"})
    written = [stream("stdout", "a\n"), stream("stderr", "warned\n"), stream("stdout", "b\n")]
    first = shown(tmp_path / "1", *written, display, stream("stderr", "again\n"))
    assert first == ["a\nb\n", "warned\n", "display_data", "again\n"]
    other = shown(
        tmp_path / "2", written[1], written[0], written[2], display, stream("stderr", "again\n")
    )
    assert other == first
    assert (tmp_path / "1/notebook.html").read_text() == (tmp_path / "2/notebook.html").read_text()
