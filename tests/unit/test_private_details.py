"""Undocumented details of other projects that Nachlass relies on: one check for each.

A detail is an undocumented attribute or behaviour, a class that is subclassed beyond its
documented hooks, or the wording of another program. When a check fails, a new version has
changed the detail: the message names the change and the file to update.
"""

import ast
import asyncio
import functools
import inspect
import io
import json
import os
import pickletools
import re
import subprocess
import sys
import sysconfig
import threading
import typing
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import metadata
from pathlib import Path
from types import CodeType, SimpleNamespace

import cloudpickle
import httptools
import pytest
import uv
import zmq.asyncio
from gunicorn import config as gunicorn_config
from gunicorn import sock as gunicorn_sock
from gunicorn import util as gunicorn_util
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer
from gunicorn.glogging import Logger
from gunicorn.workers.base import Worker
from ipykernel import zmqshell
from IPython.core import compilerop, interactiveshell
from IPython.core.magics import execution
from IPython.utils.text import LSString, SList
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from pip._internal.cli.parser import ConfigOptionParser
from pip._internal.commands import create_command
from pip._internal.req.req_file import preprocess
from pip._internal.utils.misc import strtobool
from prometheus_client import exposition, utils

from nachlass_builder.notebook import notebook
from nachlass_builder.packages import environment, resolver, uv_lock, uv_program
from nachlass_service.bundle import model
from support.project import PROJECT
from support.wheels import make_wheel

BUILDER, SERVICE = "builder/nachlass_builder", "service/nachlass_service"
KERNEL = f"{BUILDER}/execution/in_kernel/nachlass_kernel"


@dataclass(frozen=True)
class Detail:
    """A detail of `project`; `sign` is the text in the file that refers to it."""

    project: str
    what: str
    used_in: str
    sign: str
    holds: Callable[[], object]

    def broken(self) -> str | None:
        """Describe the change and the file that relies on it; None if nothing has changed."""
        try:
            why = None if self.holds() else "this is no longer true"
        except Exception as error:  # noqa: BLE001 - any exception in a check is a change
            why = f"{type(error).__name__}: {error}"
        return why and f"{self.project}: {self.what}; {self.used_in} relies on it; now: {why}"


DETAILS: list[Detail] = []


def relies_on(project, what, used_in, sign):
    """Add a check to the table: a function that returns whether the detail still holds."""

    def add(holds):
        DETAILS.append(Detail(project, what, used_in, sign, holds))
        return holds

    return add


# cloudpickle


@relies_on(
    "cloudpickle",
    "Pickler.dispatch_table can be changed and has the reducer of code",
    f"{KERNEL}/code_places.py",
    "dispatch_table",
)
def cloudpickle_dispatch_table():
    table = cloudpickle.Pickler.dispatch_table
    table[CodeType] = reduce = table[CodeType]
    return reduce(compile("0", "f", "exec"))[0] is CodeType


@relies_on(
    "cloudpickle",
    "pickles name _builtin_type for code and subimport for modules",
    f"{BUILDER}/slim/references.py",
    '"_builtin_type"',
)
def cloudpickle_names():
    names = {"__name__": "__main__"}
    exec("import json\ndef f(): return json", names)
    steps = pickletools.genops(cloudpickle.dumps(names["f"]))
    texts = {argument for _step, argument, _at in steps if isinstance(argument, str)}
    return {"_builtin_type", "CodeType", "subimport"} <= texts


@relies_on(
    "cloudpickle",
    "Pickler._function_getnewargs gives a function's code, and paths among a module's globals",
    f"{KERNEL}/module_paths.py",
    "_function_getnewargs",
)
def cloudpickle_module_globals():
    code, names, *_ = cloudpickle.Pickler(io.BytesIO())._function_getnewargs(inspect.getsource)
    return isinstance(code, CodeType) and "__file__" in names


@relies_on(
    "cloudpickle",
    "classes are pickled with ids from _get_or_create_tracker_id, stored by class and by id",
    f"{KERNEL}/class_ids.py",
    "_get_or_create_tracker_id",
)
def cloudpickle_class_ids():
    made = type("Made", (), {"__module__": "__main__"})
    name = cloudpickle.cloudpickle._get_or_create_tracker_id(made)
    known = cloudpickle.cloudpickle._DYNAMIC_CLASS_TRACKER_BY_CLASS[made] == name
    by_id = cloudpickle.cloudpickle._DYNAMIC_CLASS_TRACKER_BY_ID[name] is made
    other = type("Other", (), {"__module__": "__main__"})
    tracked = cloudpickle.cloudpickle._lookup_class_or_track("an id", other) is other
    return known and by_id and tracked and name.encode() in cloudpickle.dumps(made)


@relies_on(
    "cloudpickle",
    "_DYNAMIC_CLASS_TRACKER_BY_ID is where a class that is loaded again is looked up",
    "service/nachlass_service/bundle/model.py",
    "_DYNAMIC_CLASS_TRACKER_BY_ID",
)
def cloudpickle_known_classes():
    pickled = cloudpickle.dumps(type("Made", (), {"__module__": "__main__"}))
    first = cloudpickle.loads(pickled)
    same = cloudpickle.loads(pickled) is first
    cloudpickle.cloudpickle._DYNAMIC_CLASS_TRACKER_BY_ID.clear()
    return same and cloudpickle.loads(pickled) is not first


# CPython


@relies_on(
    "CPython",
    "functools._lru_cache_wrapper(function, maxsize, typed, _CacheInfo) makes a cache",
    f"{KERNEL}/reducers.py",
    "functools._CacheInfo",
)
def cpython_lru_cache():
    cached = functools._lru_cache_wrapper(abs, 3, False, functools._CacheInfo)
    assert type(functools.lru_cache(abs)) is functools._lru_cache_wrapper
    return (cached(-1), cached.cache_info()) == (1, functools._CacheInfo(0, 1, 3, 1))


@relies_on(
    "CPython",
    "a function of functools.singledispatch keeps dispatch_cache.clear as _clear_cache",
    f"{KERNEL}/reducers.py",
    "WeakKeyDictionary.clear",
)
def cpython_dispatch_cache():
    clear = functools.singledispatch(abs)._clear_cache
    return clear.__func__ is weakref.WeakKeyDictionary.clear


@relies_on(
    "CPython",
    "json.JSONDecoder.scan_once is made by json.scanner.make_scanner from these options",
    f"{KERNEL}/reducers.py",
    '"make_scanner"',
)
def cpython_scanner():
    options = "strict object_hook object_pairs_hook parse_float parse_int parse_constant".split()
    scanner = json.JSONDecoder(parse_float=str).scan_once
    parts = SimpleNamespace(**{name: getattr(scanner, name) for name in options})
    return json.scanner.make_scanner(parts)("1.50", 0) == ("1.50", 4)


@relies_on(
    "CPython",
    "typing.NewType and TypeVarTuple are created by name, and __module__ names their module",
    f"{KERNEL}/reducers.py",
    "typing.TypeVarTuple",
)
def cpython_typing():
    made, several = typing.NewType("made", int), typing.TypeVarTuple("several")
    made.__module__ = several.__module__ = "other"
    return (made.__supertype__, made.__module__, several.__module__) == (int, "other", "other")


@relies_on(
    "CPython",
    "a missing name is reported as \"Can't get attribute 'x' on <module '__main__'\"",
    f"{SERVICE}/bundle/model.py",
    "Can't get attribute",
)
def cpython_missing_attribute():
    program = "import pickle, sys; pickle.loads(b'c__main__\\nabsent\\n.')"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    output = done.stderr.splitlines()[-1].removeprefix("AttributeError: ")
    return model.BY_NAME.match(output)[1] == "absent"


@relies_on(
    "CPython",
    "Python 2 syntax has specific messages",
    f"{BUILDER}/notebook/notebook.py",
    "PYTHON_2_MESSAGES",
)
def cpython_python_2():
    sources = ("print 'x'", "exec 'x'", "try: x\nexcept A, b as c: x", "010")
    for source, message in zip(sources, notebook.PYTHON_2_MESSAGES, strict=True):
        with pytest.raises(SyntaxError) as caught:
            ast.parse(source)
        assert caught.value.msg.startswith(message), caught.value.msg
    return True


@relies_on(
    "CPython",
    "importlib.metadata.entry_points selects with EntryPoints.select",
    f"{SERVICE}/proof/import_blocker.py",
    "EntryPoints.select = watched",
)
def cpython_entry_points():
    selections = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            metadata.EntryPoints, "select", lambda *_, **params: selections.append(params)
        )
        metadata.entry_points(group="a")
    return selections == [{"group": "a"}]


@relies_on(
    "CPython",
    "an import's bytecode follows its level and names, as constants",
    f"{BUILDER}/slim/references.py",
    "IMPORT_NAME",
)
def cpython_import_bytecode():
    from nachlass_builder.slim.references import _imports

    code = compile("from ..a.b import c, d\nimport e", "f", "exec")
    return list(_imports(code)) == [("a.b", ("c", "d"), 2), ("e", (), 0)]


@relies_on(
    "CPython",
    "a virtual environment has bin/python and lib/pythonX.Y/site-packages",
    f"{BUILDER}/packages/environment.py",
    "site-packages",
)
def cpython_venv_layout():
    made = environment.Environment(Path("/e"), reused=False)
    folders = {"base": "/e", "platbase": "/e"}
    paths = sysconfig.get_paths("venv" if "venv" in sysconfig.get_scheme_names() else None, folders)
    return (paths["purelib"], paths["scripts"]) == (
        str(made.site_packages),
        str(made.python.parent),
    )


# gunicorn


@relies_on(
    "gunicorn",
    "a Worker has SIGNALS and the other attributes that a loop needs",
    f"{SERVICE}/http/async_worker.py",
    "self.ppid",
)
def gunicorn_worker():
    source = inspect.getsource(Worker)
    names = "age alive app cfg log max_requests ppid sockets wsgi".split()
    assert [name for name in names if f"self.{name} = " not in source] == []
    assert Worker.SIGNALS
    parameters = [[*inspect.signature(getattr(Worker, n)).parameters] for n in ("run", "notify")]
    return parameters == [["self"], ["self"]]


@relies_on(
    "gunicorn",
    "the Arbiter's methods signal, reap_workers and reload can be overridden",
    f"{SERVICE}/hosting/server.py",
    "class Master(Arbiter)",
)
def gunicorn_arbiter():
    source = inspect.getsource(Arbiter)
    assert [*inspect.signature(Arbiter.signal).parameters] == ["self", "sig", "frame"]
    for call in ("self.signal", "self.reap_workers()", "self.reload()", "self.LISTENERS"):
        assert call in source, call
    assert isinstance(Arbiter.WORKERS, dict)
    assert isinstance(Arbiter.WORKER_BOOT_ERROR, int)
    return HaltServer("why", 3).reason == "why"


@relies_on(
    "gunicorn",
    "BaseApplication reads its settings in methods that can be overridden",
    f"{SERVICE}/hosting/server.py",
    "class Server(BaseApplication)",
)
def gunicorn_application():
    source = inspect.getsource(BaseApplication)
    for name in ("do_load_config", "load_default_config", "load_config", "self.callable"):
        assert name in source, name
    config = gunicorn_config.Config()
    config.parser().parse_args(config.get_cmd_args_from_env())
    config.forwarded_allow_networks()
    return True


@relies_on(
    "gunicorn",
    "the settings that the service sets exist",
    f"{SERVICE}/hosting/server.py",
    '"control_socket_disable"',
)
def gunicorn_settings():
    source = ast.parse((PROJECT / SERVICE / "hosting/server.py").read_text())
    [defaults] = [
        node
        for node in ast.walk(source)
        if isinstance(node, ast.FunctionDef) and node.name == "_defaults"
    ]
    [table] = [node.value for node in ast.walk(defaults) if isinstance(node, ast.Return)]
    names = {key.value for key in table.keys}
    assert len(names) > 10
    assert names - gunicorn_config.Config().settings.keys() == set()
    return True


@relies_on(
    "gunicorn",
    "WEB_CONCURRENCY is read when gunicorn.config is imported",
    f"{SERVICE}/hosting/serve.py",
    "gunicorn reads this on import",
)
def gunicorn_web_concurrency():
    return 'default = int(os.environ.get("WEB_CONCURRENCY"' in inspect.getsource(gunicorn_config)


@relies_on(
    "gunicorn",
    "a worker class that cannot be loaded raises RuntimeError",
    f"{SERVICE}/hosting/server.py",
    "except (RuntimeError, ValueError)",
)
def gunicorn_runtime_error():
    with pytest.raises(RuntimeError):
        gunicorn_util.load_class("no_such_module.Worker")
    return True


@relies_on(
    "gunicorn",
    "a certificate that is missing raises ValueError when the sockets are made",
    f"{SERVICE}/hosting/server.py",
    "except (RuntimeError, ValueError)",
)
def gunicorn_value_error():
    cfg = gunicorn_config.Config()
    cfg.set("certfile", "/no/such.pem")
    with pytest.raises(ValueError, match="does not exist"):
        gunicorn_sock.create_sockets(cfg, None)
    return True


@relies_on(
    "gunicorn",
    "sock.ssl_context(cfg) makes the context of its TLS settings",
    f"{SERVICE}/http/async_worker.py",
    "ssl_context(self.cfg)",
)
def gunicorn_ssl_context():
    cfg = gunicorn_config.Config()
    cfg.set("certfile", "/no/such.pem")
    with pytest.raises(FileNotFoundError):
        gunicorn_sock.ssl_context(cfg)
    return not gunicorn_config.Config().is_ssl


@relies_on(
    "asyncio",
    "a thread's running loop can be taken away and given back",
    f"{SERVICE}/scoring/scheduler.py",
    "asyncio._set_running_loop(None)",
)
def asyncio_running_loop():
    async def inside():
        loop = asyncio._get_running_loop()
        asyncio._set_running_loop(None)
        try:
            return asyncio.run(asyncio.sleep(0, "done"))
        finally:
            asyncio._set_running_loop(loop)

    return asyncio.run(inside()) == "done"


@relies_on(
    "httptools",
    "the error of a callback is the context of HttpParserCallbackError",
    f"{SERVICE}/http/parser.py",
    "error.__context__",
)
def httptools_callback_error():
    class Broken:
        def on_message_begin(self):
            raise ZeroDivisionError

    with pytest.raises(httptools.HttpParserCallbackError) as raised:
        httptools.HttpRequestParser(Broken()).feed_data(b"GET / HTTP/1.1\r\n\r\n")
    return isinstance(raised.value.__context__, ZeroDivisionError)


@relies_on(
    "gunicorn",
    "Logger has setup(cfg), error_log and access(response, request, environ, time)",
    f"{SERVICE}/hosting/gunicorn_logger.py",
    "self.error_log.handlers",
)
def gunicorn_logger():
    assert [*inspect.signature(Logger.access).parameters][1:] == (
        ["resp", "req", "environ", "request_time"]
    )
    return Logger(gunicorn_config.Config()).error_log.handlers


# prometheus-client and httptools


@relies_on(
    "prometheus-client",
    "utils.floatToGoString writes a number as Prometheus does",
    f"{SERVICE}/metrics/inputs.py",
    "floatToGoString",
)
def prometheus_numbers():
    return [utils.floatToGoString(n) for n in (1, 2.5, 1e9)] == ["1.0", "2.5", "1e+09"]


@relies_on(
    "prometheus-client",
    "exposition.choose_encoder(accept) gives an encoder and a media type",
    f"{SERVICE}/metrics/exposition.py",
    "choose_encoder",
)
def prometheus_encoder():
    encode, media_type = exposition.choose_encoder("")
    return callable(encode) and media_type.startswith("text/plain")


@relies_on(
    "httptools",
    "HttpParserUpgrade says how many bytes were read",
    f"{SERVICE}/http/parser.py",
    "offered.args[0]",
)
def httptools_upgrade():
    head = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    with pytest.raises(httptools.HttpParserUpgrade) as caught:
        httptools.HttpRequestParser(object()).feed_data(head + b"more")
    return caught.value.args[0] == len(head)


# Jupyter


@relies_on(
    "IPython",
    "the compiler of a kernel maps files of cells to execution counts in _filename_map",
    f"{KERNEL}/cells.py",
    "_filename_map",
)
def ipython_filename_map():
    compiler = compilerop.CachingCompiler()
    name = compiler.cache("x = 1", 7)
    assert issubclass(zmqshell.ZMQInteractiveShell.compiler_class.default_value, type(compiler))
    return compiler._filename_map[name] == 7


@relies_on(
    "IPython",
    "interactiveshell._modified_open is the `open` that %reset puts back",
    f"{BUILDER}/execution/hidden_code.py",
    "_modified_open",
)
def ipython_open():
    assert callable(interactiveshell._modified_open)
    return "_modified_open" in inspect.getsource(interactiveshell.InteractiveShell)


@relies_on(
    "IPython",
    "code below %%time is called <timed exec> and <timed eval>",
    f"{BUILDER}/execution/cell_failure.py",
    "<timed exec>",
)
def ipython_timed():
    source = inspect.getsource(execution)
    return "<timed exec>" in source and "<timed eval>" in source


@relies_on(
    "IPython",
    "the output of !command is an SList, or an LSString",
    f"{KERNEL}/reducers.py",
    "LSString, SList",
)
def ipython_output():
    return issubclass(SList, list) and issubclass(LSString, str)


@relies_on(
    "ipykernel",
    "zmqshell.system runs `!command`",
    f"{BUILDER}/execution/hidden_code.py",
    "zmqshell.system",
)
def ipykernel_system():
    assert callable(zmqshell.system)
    return "system(" in inspect.getsource(zmqshell.ZMQInteractiveShell.system_piped)


@relies_on(
    "ipykernel",
    "exit() puts a payload from `ask_exit` into the reply",
    f"{BUILDER}/execution/execute.py",
    '"ask_exit"',
)
def ipykernel_exit():
    return 'source="ask_exit"' in inspect.getsource(zmqshell.ZMQInteractiveShell.ask_exit)


@relies_on(
    "nbclient",
    "NotebookClient's output and process_message can be overridden",
    f"{BUILDER}/execution/cell_output.py",
    "def process_message",
)
def nbclient_methods():
    named = {
        name: [*inspect.signature(getattr(NotebookClient, name)).parameters]
        for name in ("output", "process_message", "async_execute_cell")
    }
    assert named["output"] == ["self", "outs", "msg", "display_id", "cell_index"]
    assert named["process_message"] == ["self", "msg", "cell", "cell_index"]
    assert named["async_execute_cell"][:3] == ["self", "cell", "cell_index"]
    settings = {"on_cell_executed", "iopub_timeout", "record_timing"}
    assert settings - NotebookClient.class_traits().keys() == set()
    source = inspect.getsource(NotebookClient)
    assert "self.process_message(" in source
    return "self.output(" in source


@relies_on(
    "nbclient",
    "on_cell_executed receives the execute_reply",
    f"{BUILDER}/execution/cell_output.py",
    "execute_reply",
)
def nbclient_reply():
    return "execute_reply=exec_reply" in inspect.getsource(NotebookClient)


@relies_on(
    "jupyter-client",
    "the kernel's process is provisioner.process, and its specification a property",
    f"{BUILDER}/execution/kernel.py",
    "provisioner.process",
)
def jupyter_client_manager():
    from jupyter_client.provisioning import LocalProvisioner

    assert isinstance(inspect.getattr_static(AsyncKernelManager, "kernel_spec"), property)
    return hasattr(LocalProvisioner, "process")


@relies_on(
    "jupyter-client",
    "a channel of the client has its ZeroMQ socket",
    f"{BUILDER}/execution/kernel.py",
    "shell_channel.socket",
)
def jupyter_client_socket():
    with zmq.asyncio.Context() as context, context.socket(zmq.DEALER) as socket:
        return AsyncZMQSocketChannel(socket, session=None).socket is socket


@relies_on(
    "nbconvert",
    "HTMLExporter takes the addresses of scripts, which are left empty",
    f"{BUILDER}/assemble/render.py",
    "mermaid_js_url",
)
def nbconvert_addresses():
    from nbconvert.exporters import HTMLExporter  # takes half a second, and not in every worker

    tree = ast.parse((PROJECT / BUILDER / "assemble/render.py").read_text())
    [call] = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "HTMLExporter"
    ]
    assert {keyword.arg for keyword in call.keywords} - HTMLExporter.class_traits().keys() == set()
    return True


# uv


def run_uv(*words, cwd=None, stdin=None, **variables):
    """Run uv as Nachlass does."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("UV_")}
    return subprocess.run(
        [uv.find_uv_bin(), *words, "--color", "never"],
        env={**kept, "UV_NO_PROGRESS": "1", "UV_PYTHON_DOWNLOADS": "never", **variables},
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def uv_has(command, options):
    output = run_uv("help", *command).stdout
    missing = [option for option in options if option.startswith("--") and option not in output]
    assert missing == [], output
    return True


@relies_on(
    "uv",
    "`uv pip sync` has the options used",
    f"{BUILDER}/packages/environment.py",
    "--preview-features",
)
def uv_sync_options():
    options = {*environment.SYNC, "--python", "--offline", "--no-index"}
    return uv_has(["pip", "sync"], options - {"--preview-features"})


@relies_on(
    "uv",
    "`uv pip compile` has the options used",
    f"{BUILDER}/packages/resolver.py",
    "--generate-hashes",
)
def uv_compile_options():
    used = "--format --generate-hashes --no-deps --constraints --only-binary --no-binary"
    used += " --exclude-newer --index-strategy --resolution --prerelease --python --no-index"
    options = {*resolver.COMPILE, *resolver.ANY_PLATFORM, *used.split()}
    return uv_has(["pip", "compile"], options)


@relies_on(
    "uv", "`uv venv` has the options used", f"{BUILDER}/packages/environment.py", "--relocatable"
)
def uv_venv_options():
    return uv_has(["venv"], {"--relocatable", "--no-project", "--python"})


@relies_on(
    "uv", "`uv export` has the options used", f"{BUILDER}/packages/uv_lock.py", "EXPORT_OPTIONS"
)
def uv_export_options():
    return uv_has(["export"], uv_lock.EXPORT_OPTIONS)


LOCK = """
lock-version = "1.0"
created-by = "nobody"
{above}
[[packages]]
name = "tiny"
version = "1.0"
{below}
archive = {{ path = "{wheel}", hashes = {{ sha256 = "{digest}" }} }}
"""


def install(folder, *, above="", below="", digest="0" * 64):
    """Install a lock of one wheel into a folder, without any index."""
    wheel = make_wheel(folder, "tiny")
    lock = folder / "pylock.toml"
    lock.write_text(LOCK.format(above=above, below=below, wheel=wheel, digest=digest))
    words = [*environment.SYNC, "--python", sys.executable, "--target", folder / "target"]
    return run_uv(*words, "--offline", "--no-cache", lock, cwd=folder)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@relies_on(
    "uv",
    'a file with another digest is reported as "Hash mismatch for `name`"',
    f"{BUILDER}/packages/uv_program.py",
    "Hash mismatch for",
)
def uv_hash_mismatch():
    output = install(Path.cwd()).stderr
    found = uv_program.HASH_MISMATCH.search(output)
    assert found, output
    return found[1].startswith("tiny")


def is_reported_as_made_elsewhere(above):
    """Return whether uv reports this for a lock that begins with these lines."""
    output = install(Path.cwd(), above=above).stderr
    assert uv_program.OTHER_PLATFORM.search(output), output
    return True


@relies_on(
    "uv",
    "a lock for another Python is reported as incompatible",
    f"{BUILDER}/packages/uv_program.py",
    "OTHER_PLATFORM",
)
def uv_another_python():
    return is_reported_as_made_elsewhere('requires-python = ">=3.99"')


@relies_on(
    "uv",
    "a lock for another platform is reported as not supported",
    f"{BUILDER}/packages/uv_program.py",
    "OTHER_PLATFORM",
)
def uv_another_platform():
    return is_reported_as_made_elsewhere("environments = [\"sys_platform == 'nowhere'\"]")


@relies_on(
    "uv",
    "the exit status is 1 for requirements that cannot be met, 2 for other failures",
    f"{BUILDER}/packages/uv_program.py",
    "UNSOLVABLE",
)
def uv_exit_status():
    words = [*resolver.COMPILE, "--no-index"]
    unmet = run_uv(*words, "-", stdin="no-such-distribution")
    malformed = run_uv(*words, "-", stdin="no such distribution")
    return (unmet.returncode, malformed.returncode) == (uv_program.UNSOLVABLE, 2)


class Refusing(BaseHTTPRequestHandler):
    """An index that requires credentials."""

    def do_GET(self):
        self.send_error(401)

    def log_message(self, *_):
        pass


@relies_on(
    "uv",
    "the refusal of an index is quoted as 401 Unauthorized or 403 Forbidden",
    f"{BUILDER}/packages/uv_program.py",
    "401 Unauthorized",
)
def uv_refusal():
    with HTTPServer(("127.0.0.1", 0), Refusing) as index:
        threading.Thread(target=index.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{index.server_port}/simple"
        output = run_uv(*resolver.COMPILE, "-", stdin="tiny", UV_DEFAULT_INDEX=url).stderr
        index.shutdown()
    assert uv_program.DENIED.search(output), output
    return True


# pip


@relies_on(
    "pip",
    "the settings translated for uv are options of `pip install`",
    f"{BUILDER}/packages/pip_settings.py",
    "LISTS",
)
def pip_options():
    from nachlass_builder.packages import pip_settings

    help_text = create_command("install").parser.format_help()
    names = {*pip_settings.LISTS, *pip_settings.SWITCHES, *pip_settings.WORDS}
    # Names that pip accepts in files and variables, but does not list.
    names -= {"default-timeout", "pypi-url"}
    missing = [name for name in sorted(names) if f"--{name}" not in help_text]
    assert missing == []
    return True


@relies_on(
    "pip",
    "its parsers of requirements files, settings and booleans can be called",
    "tests/unit/builder/packages/test_any_pip_settings.py",
    "_get_ordered_configuration_items",
)
def pip_parsers():
    parser = ConfigOptionParser(usage="", name="install", isolated=True)
    parser.config.load()
    lines = [*preprocess("a \\\nb # c\n")]
    dict(parser._get_ordered_configuration_items())
    return (lines, strtobool("off")) == ([(1, "a b")], 0)


pytestmark = pytest.mark.private_details


def marked(detail, *values):
    """Return the parameters of a test; those that run uv are slow."""
    marks = [pytest.mark.starts_programs] if detail.project == "uv" else []
    return pytest.param(*(values or [detail]), marks=marks, id=detail.holds.__name__)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("detail", [marked(detail) for detail in DETAILS])
def test_the_detail_still_holds(detail):
    assert not (broken := detail.broken()), broken


@pytest.mark.parametrize("detail", DETAILS, ids=lambda detail: detail.holds.__name__)
def test_the_file_still_relies_on_it(detail):
    assert detail.sign in (PROJECT / detail.used_in).read_text(), detail


def no_settings(config):
    config.settings = {}


CHANGES = [
    (cloudpickle_dispatch_table, cloudpickle.Pickler, "dispatch_table", {}),
    (cpython_lru_cache, functools, "_CacheInfo", None),
    (cpython_missing_attribute, model, "BY_NAME", re.compile("no such name: (.*)")),
    (gunicorn_worker, Worker, "notify", lambda self, when: None),
    (gunicorn_arbiter, Arbiter, "signal", lambda self, sig: None),
    (gunicorn_settings, gunicorn_config.Config, "__init__", no_settings),
    (prometheus_numbers, utils, "floatToGoString", str),
    (ipython_filename_map, compilerop.CachingCompiler, "cache", lambda *_: "<cell>"),
    (nbclient_methods, NotebookClient, "output", lambda self, outs, msg: None),
    (uv_hash_mismatch, uv_program, "HASH_MISMATCH", re.compile("other bytes: (.*)")),
    (uv_another_python, uv_program, "OTHER_PLATFORM", re.compile("for others")),
    (uv_exit_status, uv_program, "UNSOLVABLE", 7),
    (uv_export_options, uv_lock, "EXPORT_OPTIONS", ("--no-such-option",)),
]
"""Changes, each with the check that must detect it."""


BY_CHECK = {detail.holds: detail for detail in DETAILS}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("detail", "owner", "name", "changed"),
    [marked(BY_CHECK[holds], BY_CHECK[holds], *change) for holds, *change in CHANGES],
)
def test_a_change_is_detected(monkeypatch, detail, owner, name, changed):
    monkeypatch.setattr(owner, name, changed)
    assert detail.used_in in detail.broken()
