"""Programs that stand in for apt and dpkg, with a test's own folder."""

import os

PROGRAMS = {
    "apt-get": """
echo "$@" >> asked
work="$(dirname "$2")"
shift 2
case "$1" in
update)
    cp lists/* "$work/state/lists/"
    cat update.said ;;
indextargets)
    ls "$work"/state/lists/*Contents* ;;
install)
    if [ -s install.said ]; then cat install.said >&2; exit 100; fi
    cp debs/* "$work/cache/archives/" ;;
esac
""",
    "apt-helper": """
if [ -s helper.said ]; then cat helper.said >&2; exit 100; fi
shift
cat "$@"
""",
    "apt-cache": "cat names\n",
    "dpkg": "echo arm64\n",
    "dpkg-query": 'echo "$@" >> queried; cat installed\n',
    "dpkg-deb": """
echo "$1" "${2##*/}" >> asked
case "$1" in
-W) cat "$2" ;;
-x) if [ -s unpack.said ]; then cat unpack.said >&2; exit 2; fi
    mkdir -p "$3/usr/lib/x"; cp "$2" "$3/usr/lib/x/" ;;
esac
""",
}


class FakeApt:
    """The programs and their data: lists of packages and files, packages, error messages."""

    def __init__(self, folder):
        self.folder, self.bin = folder, folder / "bin"
        for name in ("lists", "debs", "bin"):
            (folder / name).mkdir(parents=True)
        for name, text in PROGRAMS.items():
            program = self.bin / name
            program.write_text(f"#!/bin/sh\ncaller=$PWD\ncd '{folder}'\n{text}")
            program.chmod(0o755)
        for name in ("installed", "names", "status", "update.said"):
            (folder / name).touch()
        self.list("main_binary-arm64_Packages", "")
        self.environ = {"PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}"}

    def list(self, name, text):
        (self.folder / "lists" / f"deb.debian.org_debian_dists_bookworm_{name}").write_text(text)

    @property
    def queried(self):
        """The queries to dpkg."""
        return (self.folder / "queried").read_text()

    def has(self, names):
        """Set the packages of the archive."""
        (self.folder / "names").write_text("\n".join(names))

    def files(self, text):
        """Set the archive's list of files."""
        self.list("main_Contents-arm64.gz", text)

    def package(self, name, version):
        (self.folder / "debs" / f"{name}_{version}_arm64.deb").write_text(f"{name}\t{version}\n")

    def says(self, program, text):
        (self.folder / f"{program}.said").write_text(text)

    def installed(self, *lines):
        (self.folder / "installed").write_text("".join(f"{line}\n" for line in lines))

    @property
    def asked(self):
        asked = self.folder / "asked"
        return asked.read_text().splitlines() if asked.exists() else []
