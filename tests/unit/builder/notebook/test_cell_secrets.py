import pytest

from nachlass_builder.notebook.cell_secrets import secrets_of_modules, secrets_of_notebook
from nachlass_builder.notebook.notebook import read_notebook
from support.cells import write_notebook


def parts(*pieces):
    """Join the parts of a fake secret; written in one piece, it would alert secret scanners."""
    return "".join(pieces)


@pytest.fixture
def warnings(tmp_path):
    def find(cells):
        write_notebook(tmp_path / "model.ipynb", cells)
        return list(secrets_of_notebook(read_notebook(tmp_path, "model.ipynb")))

    return find


SECRETS = [
    'API_KEY = "{}"'.format(parts("sk-", "proj-4f8a9b2c7d1e6f3a5b8c")),
    'API_KEY = "{}"'.format(parts("sk-", "abcdefghijklmnopqrst")),
    'x = "{}"'.format(parts("gh", "p_", "0123456789abcdefghijABCDEFGHIJ012345")),
    "# was {}".format(parts("hf", "_", "AbCdEfGhIjKlMnOpQrStUvWxYzAbCdEfGhIj")),
    'boto3.client("s3", aws_access_key_id="{}")'.format(parts("AKIA", "IOSFODNN7QXAMBLE")),
    'aws_secret_access_key = "{}"'.format(parts("wJalrXUtnFEMI/K7MDENG/", "bPxRfiCYQXAMBLEKEY")),
    'engine = create_engine("postgresql://me:s3cr3t@db.example.org/x")',
    'os.environ["DB_PASSWORD"] = "hunter2!"',
    'connect(password="Tr0ub4dor&3")',
    'config = {"client_secret": "9f86d081884c7d659a2f"}',
    'self.authToken = "9f86d081884c7d659a2feaa0"',
    "%env WANDB_API_KEY=0123abcd4567ef890123abcd4567ef8901234567",
    "!export AUTH_TOKEN=9f86d081884c7d659a2feaa0 && run",
    'def f(token: str = "9f86d081884c7d659a2feaa0"): pass',
    'KEY = """-----BEGIN RSA {} KEY-----\\n"""'.format("PRIVATE"),
    "%%bash\nexport API_KEY=9f86d081884c7d659a2feaa0",
    'user, password = "bob", "Tr0ub4dor&3"',
    'def f(*, password="Tr0ub4dor&3"): pass',
    'def f(password="Tr0ub4dor&3", /): pass',
    'API_KEY = b"9f86d081884c7d659a2f"',
    'API_KEY = f"9f86d081884c7d659a2f"',
    'print(pw_token := "9f86d081884c7d659a2feaa0")',
    'print(db_password := "Tr0ub4dor&3")',
    'db_pass = "Tr0ub4dor&3"',
    'wandb_key = "9f86d081884c7d659a2feaa0"',
    'headers = {"Authorization": "Bearer 9f86d081884c7d659a2feaa0"}',
    "# curl -H 'Authorization: Bearer 9f86d081884c7d659a2feaa0'",
    'headers = {"X-Api-Key": "9f86d081884c7d659a2feaa0"}',
    'os.putenv("API_KEY", "9f86d081884c7d659a2feaa0")',
    'os.getenv("TOKEN", "9f86d081884c7d659a2feaa0")',
    'os.environ.get("TOKEN", "9f86d081884c7d659a2feaa0")',
    'connect("Server=db;User Id=me;Password=Tr0ub4dor&3;")',
    'connect(f"host={host} password=Tr0ub4dor&3")',
]


@pytest.mark.parametrize("source", SECRETS)
def test_a_secret_is_found_and_not_shown(warnings, source):
    found = warnings(f"# %%\nimport os\n# %%\n{source}")
    line = source.count("\n") + 1
    assert len(found) == 1
    assert found[0].startswith(f"model.ipynb, cell 2, line {line}: ")
    for secret in ("4f8a9b2c", "abcdefgh", "9f86d0", "hunter2", "s3cr3t", "Tr0ub", "0123", "K7MD"):
        assert secret not in found[0]


@pytest.mark.parametrize(
    "source",
    [
        'api_key = os.environ["API_KEY"]',
        'api_key = os.getenv("API_KEY", "")',
        'token = "<pad>"',
        'pad_token = "<|endoftext|>"',
        'mask_token, eos_token = "[MASK]", "</s>"',
        'unk_token = "<extra_id_99>"',
        'password = ""',
        'password = "password"',
        'key = "user_id"',
        'primary_key = "customer_id_2"',
        'df.sort_values(by="a", key=len)',
        'SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"',
        'API_KEY = "your-api-key-here-123"',
        'API_KEY = "sk-..."',
        'API_KEY = "<YOUR_API_KEY>"',
        'API_KEY = "xxxxxxxxxxxx1234"',
        'token_url = "https://example.org/oauth2/token1234"',
        'token = "bert-base-uncased"',
        'tokenizer = AutoTokenizer.from_pretrained("gpt2-large-2024")',
        "from huggingface_hub import hf_hub_download_to_somewhere",
        'layer = "global-average-pooling-2d"',
        'name = "sk-learn-pipeline-of-today"',
        'url = "postgresql://user:{password}@host/db"',
        'url = "https://user:<password>@host/db"',
        'secret = "column_of_the_secret"',
        'password_column = "password2"',
        'x = "a: b@c"',
        'url = "postgresql://user:password@localhost/db"',
        'name = "sk-2023-01-dataset_full_v2.csv"',
        'name = "sk-2023-01-dataset_full_v2"',
        'auth_token = "/run/secrets/token_1"',
        'auth_token = "secrets/auth_token_2024.txt"',
        'access_key = "user_id_2024_01"',
        'f(pad_token="__PAD_TOKEN_2__xx")',
        'api_key = "AKIAIOSFODNN7EXAMPLE"',
        'headers = {"Authorization": f"Bearer {token}"}',
        'headers = {"Authorization": "Bearer your-token-goes-here-1"}',
        "# the bearer authentication2 of the service",
        'execute("SELECT 1 FROM t WHERE password = %s")',
        'connect(f"Server=db;Password={password};")',
        "user, *password = names",
        'time = "10:30@noon"',
        'image = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAUA"',
    ],
)
def test_harmless_values_are_not_reported(warnings, source):
    assert warnings(f"# %%\n{source}") == []


def test_the_remedy_is_given_once(warnings):
    found = warnings(f"# %%\n{SECRETS[0]}\n{SECRETS[2]}\n# %% markdown\nuse {SECRETS[2]}")
    assert [("os.environ" in text) for text in found] == [True, False, False]
    assert found[1] == "model.ipynb, cell 1, line 2: this looks like a GitHub token"


def test_markdown_cells_are_searched(warnings):
    found = warnings(f"# %%\n1\n# %% markdown\nuse {SECRETS[2]}")
    assert found[0].startswith("model.ipynb, markdown cell (number 2 of all cells), line 1: this")


def test_modules_are_searched(tmp_path):
    (tmp_path / "client.py").write_text(f"import os\n{SECRETS[0]}\n")
    (tmp_path / "broken.py").write_text(f"def\n{SECRETS[2]}\n")
    (tmp_path / "data.csv").write_text(SECRETS[0])
    (tmp_path / "requirements.txt").write_text("six\n-i https://me:s3cr3t@example.org/simple\n")
    names = ["client.py", "broken.py", "data.csv", "gone.py", "requirements.txt"]
    found = list(secrets_of_modules(tmp_path, names))
    assert [text.partition(": ")[0] for text in found] == [
        "client.py, line 2",
        "broken.py, line 2",
        "requirements.txt, line 2",
    ]
