"""A transport without a socket, and a manual clock."""

import asyncio


class Clock:
    """A clock that only the test advances."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


class Transport(asyncio.Transport):
    """Records the calls; `client_reads` is whether the client reads."""

    def __init__(self):
        super().__init__()
        self.sent, self.ended, self.unsent = b"", [], 0
        self.is_reading = True
        self.client_reads = True
        self.connection = None

    def write(self, data):
        if self.client_reads:
            self.sent += data
        else:
            self.unsent += len(data)
            self.connection.pause_writing()

    def pause_reading(self):
        assert self.is_reading
        self.is_reading = False

    def resume_reading(self):
        assert not self.is_reading
        self.is_reading = True

    def get_write_buffer_size(self):
        return self.unsent

    def can_write_eof(self):
        return True

    def write_eof(self):
        self.ended.append("eof")

    def close(self):
        self.ended.append("close")

    def abort(self):
        self.ended.append("abort")

    def get_extra_info(self, name, default=None):
        return default
