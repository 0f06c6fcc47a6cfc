"""Notebooks of tutorials build after the cells that `check` suggests are pasted into them."""

import json
import textwrap

import pytest

from support.cells import write_notebook

DIGITS = """
# %%
from sklearn import datasets, svm
from sklearn.model_selection import train_test_split

digits = datasets.load_digits()
pixels = digits.images.reshape((len(digits.images), -1))
# %%
classifier = svm.SVC(gamma=0.001)
X_train, X_test, y_train, y_test = train_test_split(pixels, digits.target, shuffle=False)
classifier.fit(X_train, y_train)
# %%
print(classifier.score(X_test, y_test))
"""

SURVIVORS = """
# %%
import pandas as pd
from sklearn.ensemble import RandomForestClassifier

passengers = pd.read_csv("data/passengers.csv")
passengers.head()
# %%
y = passengers["Survived"]
features = ["Pclass", "Sex", "SibSp"]
X = pd.get_dummies(passengers[features])
model = RandomForestClassifier(n_estimators=20, max_depth=5, random_state=1)
model.fit(X, y)
# %%
print(model.predict(X)[:3])
"""

TEXTS = """
# %%
from sklearn.datasets import load_files
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.naive_bayes import MultinomialNB

letters = load_files("letters", encoding="utf-8", random_state=0)
# %%
counter = CountVectorizer()
counts = counter.fit_transform(letters.data)
weigher = TfidfTransformer()
weights = weigher.fit_transform(counts)
classifier = MultinomialNB().fit(weights, letters.target)
"""


@pytest.fixture
def source(tmp_path):
    """Return a folder with made-up data for the tutorials."""
    root = tmp_path / "repo"
    rows = [f"{i % 2},{i % 3 + 1},{('male', 'female')[i % 2]},{i % 4}" for i in range(60)]
    (root / "data").mkdir(parents=True)
    (root / "data" / "passengers.csv").write_text(
        "\n".join(["Survived,Pclass,Sex,SibSp", *rows]), encoding="utf-8"
    )
    for kind, words in {"space": "orbit moon rocket", "sea": "wave boat harbour"}.items():
        (root / "letters" / kind).mkdir(parents=True)
        for i, word in enumerate(words.split() * 10):
            text = f"a letter of {word} and {words.split()[i % 3 - 1]}"
            (root / "letters" / kind / f"{i}.txt").write_text(text, encoding="utf-8")
    return root


def suggested_lines(message, title):
    """Return the suggested lines below the line of a message with a title."""
    lines = message.splitlines()
    start = next(i for i, line in enumerate(lines) if title in line) + 1
    shown = lines[start:]
    end = next((i for i, line in enumerate(shown) if line and not line.startswith("    ")), None)
    return textwrap.dedent("\n".join(shown[:end]))


@pytest.mark.parametrize(
    ("cells", "sample", "allowed"),
    [
        (DIGITS, [0.0] * 64, range(10)),
        (
            SURVIVORS,
            {"Pclass": 1, "SibSp": 0, "Sex_female": True, "Sex_male": False},
            [0, 1],
        ),
        (TEXTS, "the rocket in its orbit", [1]),
    ],
    ids=["digits", "survivors", "texts"],
)
def test_the_suggested_cells_build(source, nachlass, tmp_path, cells, sample, allowed):
    write_notebook(source / "tutorial.ipynb", cells)
    checked = nachlass("check", source)
    assert checked.returncode == 4
    requirements = suggested_lines(
        checked.stderr, "paste this as the first cell of tutorial.ipynb:"
    )
    predictor = suggested_lines(
        checked.stderr, "a suggestion, based on the model fitted at tutorial.ipynb, cell 2"
    )
    whole = f"# %%\n{requirements}\n{cells}\n# %%\n{predictor}\n"
    write_notebook(source / "tutorial.ipynb", whole)
    assert nachlass("check", source).stderr == ""
    bundle = tmp_path / "bundle"
    built = nachlass("build", source, "-o", bundle)
    assert built.returncode == 0, built.stderr
    assert len((bundle / "samples.jsonl").read_text().splitlines()) >= 60
    predicted = nachlass("predict", bundle, json.dumps(sample))
    assert json.loads(predicted.stdout) in allowed, predicted.stderr
