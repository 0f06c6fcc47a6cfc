"""Keeps the output of running cells, within limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nbclient import NotebookClient
from nbformat import NotebookNode

from nachlass_builder.execution.kernel import Kernel

TEXT_LIMIT = 2**20
"""Characters of text kept per cell."""
RICH_LIMIT = 2**24
"""Characters of figures and tables kept per cell."""
LINE_LIMIT = 2**16
"""Characters of an unfinished line that later text may still overwrite."""
CUT = "(limit 1 MiB of text and 16 MiB of figures per cell)"
OUTPUT_TIMEOUT_S = 30
"""How long to wait for the remaining output of a finished cell."""


@dataclass
class CellOutput:
    """The output of a running cell: streams joined, lines overwritten, all within limits."""

    text_left: int = TEXT_LIMIT
    rich_left: int = RICH_LIMIT
    stream: NotebookNode | None = None
    pieces: list[str] = field(default_factory=list)
    line: str = ""

    def keep(self, outputs: list[NotebookNode], new: NotebookNode) -> None:
        """Apply the limits to the output just appended."""
        if len(outputs) == 1:  # the first, or the first after clear_output()
            self.text_left, self.rich_left = TEXT_LIMIT, RICH_LIMIT
        if new.output_type == "stream":
            before = outputs[-2] if len(outputs) > 1 else None
            if before is not None and before is self.stream and before.name == new.name:
                outputs.pop()
            else:
                self.close()
                self.stream = new
            self._write(new.text)
        else:
            self.close()
            self._limit_rich(new)

    def close(self) -> None:
        """Finish the open stream."""
        if self.stream is not None:
            self._store(self.line)
            self.stream.text = "".join(self.pieces)
        self.stream, self.pieces, self.line = None, [], ""

    def _write(self, text: str) -> None:
        lines, newline, rest = text.rpartition("\n")
        if newline:
            self._store(self.line + lines + newline)
            self.line = ""
        self.line = _overwritten(self.line + rest)
        if len(self.line) > LINE_LIMIT:
            self._store(self.line)
            self.line = ""

    def _store(self, text: str) -> None:
        if not text or self.text_left < 0:
            return
        if "\r" in text:
            text = "\n".join(_overwritten(line.removesuffix("\r")) for line in text.split("\n"))
        self.text_left -= len(text)
        if self.text_left < 0:
            text = text[: self.text_left] + f"\n[the rest of this cell's text was cut {CUT}]\n"
        self.pieces.append(text)

    def _limit_rich(self, new: NotebookNode) -> None:
        if "data" not in new:
            return
        size = sum(len(str(value)) for value in new.data.values())
        if size > self.rich_left:
            new.data.clear()
            new.data["text/plain"] = f"[{size:,} characters left out {CUT}]"
        else:
            self.rich_left -= size


def _overwritten(line: str) -> str:
    """Return a line as a terminal shows it after carriage returns; keep one at its end."""
    return line[line.rfind("\r", 0, -1) + 1 :]


class CellClient(NotebookClient):
    """An nbclient client with output limits, which keeps the last cell's reply."""

    def __init__(self, kernel: Kernel, notebook: NotebookNode) -> None:
        super().__init__(
            notebook, km=kernel.manager, record_timing=False, iopub_timeout=OUTPUT_TIMEOUT_S
        )
        self.kernel = kernel
        self.kc = kernel.channels
        self.on_cell_executed = self._remember
        self.reply: dict[str, Any] = {}
        self.kept = CellOutput()

    def process_message(
        self, msg: dict[str, Any], cell: NotebookNode, cell_index: int
    ) -> NotebookNode | None:
        """Handle a message of the running cell."""
        try:
            return super().process_message(msg, cell, cell_index)
        finally:
            self.kernel.notice_reply()  # an Output widget may have answered the message

    def output(
        self,
        outs: list[NotebookNode],
        msg: dict[str, Any],
        display_id: str | None,
        cell_index: int,
    ) -> NotebookNode | None:
        """Append an output to the cell's outputs, within the limits."""
        new = super().output(outs, msg, display_id, cell_index)
        if new is not None:
            self.kept.keep(outs, new)
        return new

    async def run_cell(self, index: int) -> None:
        """Execute a cell of the notebook."""
        self.reply, self.kept = {}, CellOutput()
        try:
            await self.async_execute_cell(self.nb.cells[index], index)
        finally:
            self.kept.close()

    def _remember(self, *, execute_reply: dict[str, Any], **_: object) -> None:
        self.reply = execute_reply["content"]
