"""An image registry on loopback: Debian's docker-registry."""

import socket
import subprocess
from contextlib import contextmanager

import yaml

from support.private_servers import await_socket
from support.served import free_port


@contextmanager
def registry(folder, engine):
    """Run a registry, let the engine use it without TLS, and yield its address."""
    port = free_port()
    address = f"127.0.0.1:{port}"
    settings = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}},
        "http": {"addr": address},
    }
    (folder / "registry.yml").write_text(yaml.safe_dump(settings))
    insecure = folder / "registries.conf"
    insecure.write_text(f'[[registry]]\nlocation = "{address}"\ninsecure = true\n')
    with (folder / "registry.log").open("w") as log:
        process = subprocess.Popen(
            ["docker-registry", "serve", folder / "registry.yml"], stdout=log, stderr=log
        )
    try:
        await_socket(lambda: socket.create_connection(("127.0.0.1", port)).close())
        engine.environ["CONTAINERS_REGISTRIES_CONF"] = str(insecure)
        yield address
    finally:
        engine.environ.pop("CONTAINERS_REGISTRIES_CONF", None)
        process.terminate()
        process.wait()
