"""Files of a source that are left out as secrets."""

import pytest

from nachlass_builder.source.secret_files import (
    MAX_BYTES,
    SecretFile,
    describe_secret_files,
    secrets_in_text,
    why_secret,
)


def parts(*pieces):
    """Join the parts of a fake secret; written in one piece, it would alert secret scanners."""
    return "".join(pieces)


TOKEN = parts("gh", "p_", "0123456789abcdefghijABCDEFGHIJ012345")
KEY = parts("-----BEGIN OPENSSH PRIVATE", " KEY-----\nb3Bl\n")
SERVICE_ACCOUNT = f'{{"type": "service_account", "private_key": "{KEY}"}}'.replace("\n", "\\n")


@pytest.mark.parametrize(
    ("name", "what"),
    [
        (".aws/credentials", "cloud credentials"),
        ("deploy/.aws/sso/cache/a.json", "cloud credentials"),
        (".config/gcloud/access_tokens.db", "cloud credentials"),
        ("conf/my-project-firebase-adminsdk-x1.json", "cloud credentials"),
        ("Service-Account.json", "cloud credentials"),
        (".docker/config.json", "container or cluster credentials"),
        (".kube/config", "container or cluster credentials"),
        (".ssh/config", "SSH or GPG keys"),
        ("keys/id_ed25519", "SSH or GPG keys"),
        ("prod.p12", "a key store"),
        ("infra/terraform.tfstate", "infrastructure state or variables"),
        ("infra/terraform.tfstate.backup", "infrastructure state or variables"),
        (".pypirc", "package manager credentials"),
        ("pip.conf", "package manager credentials"),
        (".git-credentials", "git or CI credentials"),
        (".pgpass", "database credentials"),
        (".databrickscfg", "database credentials"),
        ("kaggle.json", "notebook or model hub credentials"),
        (".huggingface/token", "notebook or model hub credentials"),
        (".cache/huggingface/token", "notebook or model hub credentials"),
        (".streamlit/secrets.toml", "notebook or model hub credentials"),
        (".bash_history", "a shell history"),
        (".env", "an environment file"),
        (".env.production", "an environment file"),
        ("prod.env", "an environment file"),
        (".htpasswd", "a secret by its name"),
        ("conf/secrets.yaml", "a secret by its name"),
        ("a/b/c/d/.config/gcloud/legacy/me/adc.json", "cloud credentials"),
        ("db_credentials.json", "cloud credentials"),
        (".env-prod", "an environment file"),
        ("secrets.prod.yaml", "a secret by its name"),
        ("api_key.txt", "a secret by its name"),
    ],
)
def test_well_known_secret_files_are_recognized(tmp_path, name, what):
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
def test_secrets_in_small_text_files_are_recognized(tmp_path, name, text, what):
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
        ("large.txt", b"x" * MAX_BYTES + TOKEN.encode()),
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
def test_other_files_are_not_secrets(tmp_path, name, content):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    if content is not None:
        path.write_bytes(content)
    assert why_secret(path, name) is None


def test_a_file_named_to_be_shipped_is_not_a_secret(tmp_path):
    name = "conf/secrets.yaml"
    for pattern in (name, "conf/*.yaml", "conf", "conf/", "*"):
        assert why_secret(tmp_path / name, name, [pattern]) is None
    assert why_secret(tmp_path / name, name, ["secrets.yaml"]) is not None
    assert why_secret(tmp_path / name, name, ["other/*.yaml"]) is not None


def test_the_lines_with_secrets_in_a_kept_file_are_reported(tmp_path):
    path = tmp_path / "requirements.txt"
    path.write_text("numpy\n--index-url https://me:hunter2!@example.org/simple\n")
    assert secrets_in_text(path) == [(2, "a password in a URL")]


def test_left_out_files_are_named_with_the_way_to_ship_them():
    message = describe_secret_files(
        [SecretFile(".env", "an environment file"), SecretFile("a", "a private key")]
    )
    assert message == (
        "left out as secrets: .env (an environment file), a (a private key); "
        "to ship one anyway, name it in S2I_SHIP"
    )
