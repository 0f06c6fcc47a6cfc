"""Creates a Debian package archive in a folder, for apt."""

import gzip
import hashlib
import subprocess

LIBRARIES = "usr/lib/x-linux-gnu"


def _architecture():
    done = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, check=True)
    return done.stdout.decode().strip()


class DebianArchive:
    """An archive to add packages to; `configuration` is for APT_CONFIG."""

    def __init__(self, folder, *, method="copy", contents="main/Contents-{}"):
        self.folder, self.architecture = folder, _architecture()
        self.dist = folder / "dists/stable"
        self.contents = contents.format(self.architecture)
        self.packages, self.files = [], []
        folder.mkdir()
        sources = folder / "sources.list"
        sources.write_text(f"deb [trusted=yes] {method}:{folder} stable main\n")
        self.configuration = folder / "apt.conf"
        self.configuration.write_text(
            f'Dir::Etc::sourcelist "{sources}";\nDir::Etc::sourceparts "-";\n'
        )

    def add(self, name, *libraries, depends=""):
        """Add a package with libraries."""
        tree = self.folder / "trees" / name
        for library in (f"{LIBRARIES}/{library}" for library in libraries):
            path = tree / library
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
            self.files.append(f"{library}   libs/{name}\n")
        control = (
            f"Package: {name}\nVersion: 1.0\nArchitecture: {self.architecture}\n"
            "Maintainer: x <x@example.org>\nDescription: x\n"
        ) + (f"Depends: {depends}\n" if depends else "")
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "DEBIAN/control").write_text(control)
        file = self.folder / f"{name}.deb"
        subprocess.run(["dpkg-deb", "-b", tree, file], check=True, capture_output=True)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        self.packages.append(
            f"{control}Filename: {file.name}\nSize: {file.stat().st_size}\nSHA256: {digest}\n"
        )

    def publish(self):
        """Write the archive's lists."""
        lists = {f"main/binary-{self.architecture}/Packages": "\n".join(self.packages).encode()}
        if self.files:
            # Debian also lists the unpacked file, which does not exist.
            lists[self.contents] = "".join(self.files).encode()
            lists[f"{self.contents}.gz"] = gzip.compress(lists[self.contents])
        sums = []
        for name, content in lists.items():
            path = self.dist / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if name != self.contents:
                path.write_bytes(content)
            sums.append(f" {hashlib.sha256(content).hexdigest()} {len(content)} {name}\n")
        (self.dist / "Release").write_text(
            f"Suite: stable\nCodename: stable\nComponents: main\n"
            f"Architectures: {self.architecture}\nDate: Thu, 01 Jan 2026 00:00:00 UTC\n"
            f"SHA256:\n{''.join(sums)}"
        )
