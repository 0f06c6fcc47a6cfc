from dataclasses import replace
from pathlib import Path

import pytest

from nachlass_builder.execution.data_files import (
    FileRead,
    Reads,
    data_notes,
    data_of,
    is_credential,
)
from nachlass_builder.foundation.credentials import redact_parameter


@pytest.mark.parametrize(
    "path",
    [
        "/tmp/injected/anything.csv",
        "/run/secrets/data",
        "/home/me/.netrc",
        "/home/me/.ssh/known_hosts",
        "/home/me/.aws/credentials",
        "/home/me/.config/gcloud/application_default.json",
        "/data/id_ed25519",
        "/data/server.key",
        "/data/db-password.txt",
        "/data/api_key",
        "/data/Secrets.yaml",
        "/home/me/.cache/huggingface/token",
    ],
)
def test_credentials_are_recognized_by_location_and_name(path):
    assert is_credential(Path(path))


@pytest.mark.parametrize(
    "path",
    [
        "/data/train.csv",
        "/data/tokenizer.json",
        "/data/tokens.csv",
        "/data/passwords_removed.csv",
        "/tmp/injected.csv",
        "/data/keys.csv",
    ],
)
def test_data_files_are_not_credentials(path):
    assert not is_credential(Path(path))


def test_a_private_key_is_recognized_by_its_content(tmp_path):
    for name, text in (("a.pem", "-----BEGIN PRIVATE KEY-----"), ("b.pem", "CERTIFICATE")):
        (tmp_path / name).write_text(text)
    assert is_credential(tmp_path / "a.pem")
    assert not is_credential(tmp_path / "b.pem")


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("DEPTH", "3", "3"),
        ("TRAINING_DATA", "/data/train.csv", "/data/train.csv"),
        ("TOKENIZER", "bert", "bert"),
        ("DB_PASSWORD", "", ""),
        ("KEYBOARD", "qwerty", "qwerty"),
        ("TOKEN_FILE", "/run/secrets/token", "/run/secrets/token"),
        ("MONKEY", "banana", "banana"),
        ("DB_PASSWORD", "a", "***"),
        ("db_passwd", "a", "***"),
        ("AWS_SECRET_ACCESS_KEY", "a", "***"),
        ("KEY", "a", "***"),
        ("HF_TOKEN", "a", "***"),
        ("MY_CREDENTIALS", "a", "***"),
        ("MODEL_AUTH", "a", "***"),
        ("DB", "postgresql://me:hunter2@db.example.org/x", "postgresql://***@db.example.org/x"),
        ("DB", "host=db user=me password=hunter2", "***"),
        ("BLOB", "AccountName=a;AccountKey=b64==", "***"),
        ("LINK", "https://example.org/a?sig=abc&b=1", "https://example.org/a?sig=***&b=1"),
        ("X", "ghp_0123456789abcdefghijABCDEFGHIJ012345", "***"),
        ("X", "glpat-0123456789abcdefghij", "***"),
        ("X", "AKIAIOSFODNN7EXAMPLE", "***"),
        ("X", "hf_abcdefghijklmnopqrs7", "***"),
        ("X", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "***"),
        ("X", "-----BEGIN PRIVATE KEY-----\nMII", "***"),
        ("X", "known-to-the-index", "***"),
        ("PASSCODE", "1234", "***"),
        ("PRIVATEKEY", "abc", "***"),
        ("AWS_CREDS", "a", "***"),
        ("HEADER", "Bearer abcdef", "***"),
        ("OPTIONS", '{"user": "me", "password": "x"}', "***"),
        ("X", "sk-learn is no token", "sk-learn is no token"),
    ],
)
def test_parameters_are_shown_without_secrets(name, value, shown):
    assert redact_parameter(name, value, ["known-to-the-index"]) == shown


def observed(path):
    return Reads(files=(FileRead(str(path), 1, 5, "0" * 64, None, written=False),))


def test_file_names_that_are_not_utf_8_are_escaped(tmp_path):
    section = data_of([observed(f"{tmp_path}/a\udcff.csv")], tmp_path)
    assert section.files[0].path == "a\\xff.csv"


def test_the_build_reports_the_files_that_were_read(tmp_path):
    assert list(data_notes(data_of([], tmp_path))) == []
    inside = data_of([observed(tmp_path / "a.csv")], tmp_path)
    assert list(data_notes(inside)) == ["1 file read by the notebook"]
    outside = data_of([observed("/data/a.csv")], tmp_path)
    assert list(data_notes(replace(outside, more=2, problems=("open: no",)))) == [
        "3 files read by the notebook, 1 of them outside the source: /data/a.csv",
        "the list of files that were read may be incomplete: open: no",
    ]
