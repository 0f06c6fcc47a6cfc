"""Tiny handmade wheels and indexes of them, for tests without network and builds."""

import base64
import hashlib
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path

ELSEWHERE = "cp39-cp39-manylinux1_x86_64"
"""A tag that matches no Python that Nachlass runs on."""


def make_wheel(
    folder,
    name,
    version="1.0",
    requires=(),
    tag="py3-none-any",
    files=None,
    extras=(),
    entry_points="",
):
    """Write a wheel of one module or of `files` into a folder; equal arguments give equal files."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    module = name.replace("-", "_")
    path = Path(folder) / f"{module}-{version}-{tag}.whl"
    info = f"{module}-{version}.dist-info"
    metadata = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {r}" for r in requires)]
    metadata += [f"Provides-Extra: {extra}" for extra in extras]
    contents = {
        **(files or {f"{module}.py": f"VERSION = {version!r}\n"}),
        f"{info}/METADATA": "\n".join(["Metadata-Version: 2.1", *metadata, ""]),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
        f"{info}/entry_points.txt": entry_points,
    }
    data = {file: c if isinstance(c, bytes) else c.encode() for file, c in contents.items()}
    record = [f"{file},{_digest(content)},{len(content)}" for file, content in data.items()]
    data[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for file, content in data.items():
            archive.writestr(zipfile.ZipInfo(file), content)
    return path


def _digest(content):
    """Return a digest in RECORD's format."""
    digest = hashlib.sha256(content).digest()
    return f"sha256={base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def make_sdist(folder, name, version="1.0"):
    """Write a source distribution that declares no requirements and builds itself."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    path = Path(folder) / f"{name}-{version}.tar.gz"
    project = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    project += f'[project]\nname = "{name}"\nversion = "{version}"\n'
    files = {
        "PKG-INFO": f"Metadata-Version: 2.2\nName: {name}\nVersion: {version}\n",
        "pyproject.toml": project,
        "wheels.py": Path(__file__).read_text(),
        "backend.py": "import wheels\ndef build_wheel(folder, *_, **__):\n"
        f"    return wheels.make_wheel(folder, {name!r}, {version!r}).name\n",
    }
    with tarfile.open(path, "w:gz") as archive:
        for file, text in files.items():
            member = tarfile.TarInfo(f"{name}-{version}/{file}")
            member.size = len(text.encode())
            archive.addfile(member, BytesIO(text.encode()))
    return path


def make_index(folder):
    """Write the pages of a package index for the files in `folder/files`; return their folder."""
    pages = {}
    for path in sorted((folder / "files").iterdir()):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        link = f'<a href="../../files/{path.name}#sha256={digest}">{path.name}</a>'
        pages.setdefault(path.name.split("-")[0].replace("_", "-"), []).append(link)
    for name, links in pages.items():
        page = folder / "simple" / name / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text("<br>\n".join(links))
    return folder / "simple"
