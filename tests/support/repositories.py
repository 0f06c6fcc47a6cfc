"""Creates a git repository in a folder."""

import os
import subprocess

IDENTITY = ("-c", "user.name=Nobody", "-c", "user.email=nobody@example.org")


def commit_all(folder, when=None):
    """Commit everything in a folder, at a time in git's format; return the commit."""
    dates = {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when} if when else {}
    git = ["git", "-C", folder, *IDENTITY]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "All of it"]):
        subprocess.run([*git, *words], check=True, env={**os.environ, **dates})
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return head.stdout.strip()
