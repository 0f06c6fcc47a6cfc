"""Fake secrets, in the places and formats in which programs keep them."""

MARK = "planted-{:02}-in-no-bundle"
_KEY = "-----BEGIN OPENSSH PRIVATE" + " KEY-----\n{}\n"
_TOKEN = "gh" + "p_" + "0123456789abcdefghijABCDEFGHIJ012345"
_SERVICE_ACCOUNT = '{{"type": "service_account", "private_key": "' + _KEY[:-1] + '"}}'

FILES = {
    ".env": "PASSWORD={}",
    "conf/prod.env": "PASSWORD={}",
    ".aws/credentials": "aws_secret_access_key = {}",
    ".azure/msal_token_cache.json": '{{"secret": "{}"}}',
    ".config/gcloud/credentials.db": "{}",
    "robot.json": _SERVICE_ACCOUNT,
    "client_secret_1.json": '{{"client_secret": "{}"}}',
    ".docker/config.json": '{{"auths": {{"a": {{"auth": "{}"}}}}}}',
    ".kube/config": "token: {}",
    "infra/terraform.tfstate": '{{"password": "{}"}}',
    "infra/prod.tfvars": 'password = "{}"',
    ".netrc": "machine a login b password {}",
    ".pypirc": "password = {}",
    ".npmrc": "//registry/:_authToken={}",
    "pip.conf": "index-url = https://me:{}@example.org/",
    ".git-credentials": "https://me:{}@example.org",
    ".config/gh/hosts.yml": "oauth_token: {}",
    ".pgpass": "host:5432:db:me:{}",
    ".my.cnf": "password={}",
    ".databrickscfg": "token = {}",
    ".kaggle/kaggle.json": '{{"key": "{}"}}',
    ".huggingface/token": "{}",
    ".streamlit/secrets.toml": 'password = "{}"',
    "web/.htpasswd": "me:{}",
    ".ssh/config": "# {}",
    ".bash_history": "export PASSWORD={}",
    "deploy": _KEY,
    "store.p12": "{}",
    "conf/secrets.yaml": "password: {}",
    "conf/app.yaml": f"token: {_TOKEN}\nother: {{}}",
    "notes.md": "postgresql://me:{}@db.example.org/x",
}
PARAMETERS = {
    "API_TOKEN": "{}",
    "DATABASE": "postgresql://me:{}@db.example.org/x",
    "SETTING": f"{_TOKEN}-{{}}",
}


def plant(root):
    """Write the files; return the parameters, and the texts that must not be shipped."""
    texts = [*FILES.items(), *PARAMETERS.items()]
    marks = [MARK.format(number) for number in range(len(texts))]
    filled = {name: text.format(mark) for (name, text), mark in zip(texts, marks, strict=True)}
    for name in FILES:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(filled[name], encoding="utf-8")
    return {name: filled[name] for name in PARAMETERS}, marks
