"""Which files of a source are secrets, and are left out."""

import pytest

from nachlass_builder.source.secret_files import (
    LARGEST,
    SecretFile,
    secrets_in_text,
    told,
    why_secret,
)


def parts(*pieces):
    """A secret of none: in one piece, scanners of others would find it here."""
    return "".join(pieces)


TOKEN = parts("gh", "p_", "0123456789abcdefghijABCDEFGHIJ012345")
KEY = parts("-----BEGIN OPENSSH PRIVATE", " KEY-----\nb3Bl\n")
SERVICE_ACCOUNT = f'{{"type": "service_account", "private_key": "{KEY}"}}'.replace("\n", "\\n")


@pytest.mark.parametrize(
    ("name", "what"),
    [
        (".aws/credentials", "credentials of a cloud"),
        ("deploy/.aws/sso/cache/a.json", "credentials of a cloud"),
        (".config/gcloud/access_tokens.db", "credentials of a cloud"),
        ("conf/my-project-firebase-adminsdk-x1.json", "credentials of a cloud"),
        ("Service-Account.json", "credentials of a cloud"),
        (".docker/config.json", "credentials of containers and clusters"),
        (".kube/config", "credentials of containers and clusters"),
        (".ssh/config", "keys of ssh and gpg"),
        ("keys/id_ed25519", "keys of ssh and gpg"),
        ("prod.p12", "a store of keys"),
        ("infra/terraform.tfstate", "the state or variables of infrastructure"),
        ("infra/terraform.tfstate.backup", "the state or variables of infrastructure"),
        (".pypirc", "credentials of a package manager"),
        ("pip.conf", "credentials of a package manager"),
        (".git-credentials", "credentials of git or CI"),
        (".pgpass", "credentials of a database"),
        (".databrickscfg", "credentials of a database"),
        ("kaggle.json", "credentials of notebooks or model hubs"),
        (".huggingface/token", "credentials of notebooks or model hubs"),
        (".cache/huggingface/token", "credentials of notebooks or model hubs"),
        (".streamlit/secrets.toml", "credentials of notebooks or model hubs"),
        (".bash_history", "the history of a shell"),
        (".env", "a file of variables"),
        (".env.production", "a file of variables"),
        ("prod.env", "a file of variables"),
        (".htpasswd", "secrets by its name"),
        ("conf/secrets.yaml", "secrets by its name"),
        ("a/b/c/d/.config/gcloud/legacy/me/adc.json", "credentials of a cloud"),
        ("db_credentials.json", "credentials of a cloud"),
        (".env-prod", "a file of variables"),
        ("secrets.prod.yaml", "secrets by its name"),
        ("api_key.txt", "secrets by its name"),
    ],
)
def test_well_known_places_are_known(tmp_path, name, what):
    assert why_secret(tmp_path / name, name) == what


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("deploy", KEY, "a private key"),
        ("conf/server.crt.txt", f"# ours\n{KEY}", "a private key"),
        ("robot.json", SERVICE_ACCOUNT, "a private key"),
        ("conf/app.yaml", f"hub:\n  token: {TOKEN}\n", "a GitHub token"),
        ("notes.md", "postgresql://me:hunter2!@db.example.org/x", "a password in a URL"),
        ("cache.ini", "redis://:hunter2!@cache.internal/0", "a password in a URL"),
        ("two.json", "db://u:password@a db://u:R3alSecr3t@b", "a password in a URL"),
        ("blob.txt", "AccountName=a;AccountKey=" + "A" * 64 + "==", "an Azure key"),
        ("app.json", parts('{"key": "AKIA', 'IOSFODNN7QXAMBLE"}'), "an AWS key"),
    ],
)
def test_what_a_small_text_file_holds_is_known(tmp_path, name, text, what):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    assert why_secret(path, name) == what
    assert why_secret(path, name, ["conf/*", "deploy", "*.*"]) is None


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (".env.example", b"API_KEY=your-key-here"),
        ("id_rsa.pub", b"ssh-rsa AAAA"),
        ("data/tokens.csv", b"token,count\ngh,3\n"),
        ("tokenizer.json", b'{"model": "sk-learn"}'),
        ("conf/app.yaml", b"token: <YOUR_TOKEN>\nurl: https://example.org/a:b@c"),
        ("ca.pem", b"-----BEGIN CERTIFICATE-----\n"),
        ("model.bin", b"\0\1" + TOKEN.encode()),
        ("large.txt", b"x" * LARGEST + TOKEN.encode()),
        ("train_history", b"1 2 3"),
        ("service_account_data/model.json", b"{}"),
        ("id_rsa_data/train.csv", b"1"),
        ("passwords.csv", b"password,count"),
        ("passwords.ipynb", b"{}"),
        ("data/urls.csv", b"http://paypal.com:login@example.org/x"),
        ("compose.yaml", b"postgresql://postgres:postgres@localhost/db\nx://me:me@host"),
        ("model.txt", b"hf_BertForSequenceClassification"),
        ("protein.fa", b"MKV ASIAMKVLAAGIVGLC LL"),
        ("dots.txt", b"sk-" * 20_000),
        ("client.py", TOKEN.encode()),
        ("other.ipynb", TOKEN.encode()),
        ("requirements-dev.txt", b"--index-url https://me:hunter2!@example.org/simple"),
        ("absent.txt", None),
    ],
)
def test_other_files_are_none(tmp_path, name, content):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    if content is not None:
        path.write_bytes(content)
    assert why_secret(path, name) is None


def test_a_file_that_is_meant_to_be_shipped_is_named(tmp_path):
    name = "conf/secrets.yaml"
    for pattern in (name, "conf/*.yaml", "conf", "conf/", "*"):
        assert why_secret(tmp_path / name, name, [pattern]) is None
    assert why_secret(tmp_path / name, name, ["secrets.yaml"]) is not None
    assert why_secret(tmp_path / name, name, ["other/*.yaml"]) is not None


def test_the_lines_of_a_file_that_is_kept_are_told(tmp_path):
    path = tmp_path / "requirements.txt"
    path.write_text("numpy\n--index-url https://me:hunter2!@example.org/simple\n")
    assert secrets_in_text(path) == [(2, "a password in a URL")]


def test_what_is_left_out_is_named_and_the_way_out():
    said = told([SecretFile(".env", "a file of variables"), SecretFile("a", "a private key")])
    assert said == (
        "left out as secrets: .env (a file of variables), a (a private key); "
        "to ship one all the same, name it in S2I_SHIP"
    )
