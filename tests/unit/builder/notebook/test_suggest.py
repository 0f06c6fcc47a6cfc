"""The cell that is suggested where a notebook fits a model and defines no predictor."""

import pytest

from nachlass_builder.notebook.notebook import read_notebook
from nachlass_builder.notebook.suggest import define_predictor, suggest_predictor
from support.cells import write_notebook

ROWS = "samples = list({}[:100])"
FRAME = 'samples = {}.head(100).to_dict("records")'


@pytest.fixture
def read(tmp_path):
    def read(source):
        text = source if source.startswith("# %%") else f"# %%\n{source}"
        write_notebook(tmp_path / "model.ipynb", text)
        return read_notebook(tmp_path, "model.ipynb")

    return read


@pytest.mark.parametrize(
    ("source", "returned", "samples"),
    [
        ("m = SVC()\nm.fit(X, y)", "m.predict([x])[0]", ROWS.format("X")),
        ("m = SVC(gamma=1).fit(X, y)", "m.predict([x])[0]", ROWS.format("X")),
        ("m = SVC()\nm.fit(X=X, y=y)", "m.predict([x])[0]", ROWS.format("X")),
        ("m = KMeans(3).fit(points)", "m.predict([x])[0]", ROWS.format("points")),
        ("m = Own()\nm.fit(points)\nm.predict(q)", "m.predict([x])[0]", ROWS.format("points")),
        ("with run():\n    m = SVC()\n    m.fit(X, y)", "m.predict([x])[0]", ROWS.format("X")),
        ("a = A()\na.fit(X, y)\nb = B()\nb.fit(Z, y)", "b.predict([x])[0]", ROWS.format("Z")),
        ("m = SVC()\nm.fit(d.data, d.target)", "m.predict([x])[0]", ROWS.format("d.data")),
        (
            "X.head()\nm = SVC()\nm.fit(X, y)",
            "m.predict(pd.DataFrame([x]))[0]",
            FRAME.format("X"),
        ),
        (
            "X, y = load(return_X_y=True, as_frame=True)\nm = SVC().fit(X, y)",
            "m.predict(pd.DataFrame([x]))[0]",
            FRAME.format("X"),
        ),
        (
            (
                "d = load(as_frame=True)\nA, B, y, z = train_test_split(d.data, d.target)\n"
                "m = SVC().fit(A, y)"
            ),
            "m.predict(pd.DataFrame([x]))[0]",
            FRAME.format("A"),
        ),
        (
            (
                "A, B, y, z = train_test_split(X, t)\ns = Scaler()\nA = s.fit_transform(A)\n"
                "m = SVC().fit(A, y)"
            ),
            "m.predict(s.transform([x]))[0]",
            ROWS.format("X"),
        ),
        (
            (
                "c = Counter()\nn = c.fit_transform(d.data)\nw = Weigher()\n"
                "f = w.fit_transform(n)\nm = NB().fit(f, d.target)"
            ),
            "m.predict(w.transform(c.transform([x])))[0]",
            ROWS.format("d.data"),
        ),
        (
            "s = Scaler()\nX = s.fit_transform(X)\nm = SVC().fit(X, y)",
            "m.predict([x])[0]",
            ROWS.format("X"),
        ),
        (
            "s = Scaler()\nA = s.fit_transform(X)\ns = Scaler()\nm = SVC().fit(A, y)",
            "m.predict([x])[0]",
            ROWS.format("A"),
        ),
    ],
)
def test_the_model_that_is_fitted_last_predicts_a_row(read, source, returned, samples):
    code = suggest_predictor(read(source)).code
    assert f"def predictor(x):\n    return {returned}\n\n{samples}" in code
    assert ("import pandas as pd" in code) == ("pd." in returned)
    compile(code, "cell", "exec")


@pytest.mark.parametrize(
    ("source", "x", "samples"),
    [
        ("X = df.drop(columns='y')", "pd.DataFrame([x])", FRAME.format("X")),
        ("X = df[['a', 'b']]", "pd.DataFrame([x])", FRAME.format("X")),
        ("X = df[df.a > 1]", "pd.DataFrame([x])", FRAME.format("X")),
        ("X = df.iloc[:, 1:]", "pd.DataFrame([x])", FRAME.format("X")),
        ("X = df.loc[df.a > 1]", "pd.DataFrame([x])", FRAME.format("X")),
        ("X = pd.get_dummies(df)", "pd.DataFrame([x])", FRAME.format("X")),
        ("X = df['text']", "[x]", "samples = X.head(100).tolist()"),
        ("X = df['text'].str.lower()", "[x]", "samples = X.head(100).tolist()"),
        ("X = df.iloc[:, -1]", "[x]", "samples = X.head(100).tolist()"),
        ("X = df.iloc[:, 1:].values", "[x]", ROWS.format("X")),
        ("X = df[['a']].to_numpy()", "[x]", ROWS.format("X")),
        (
            "X = df[['a']]\nX, V, y, w = train_test_split(X, y)",
            "pd.DataFrame([x])",
            FRAME.format("X"),
        ),
        ("X = unknown(df)", "[x]", ROWS.format("X")),
    ],
)
def test_frames_columns_and_rows_are_told_apart(read, source, x, samples):
    begin = "import pandas as pd\ndf = pd.read_csv('a.csv')\n"
    code = suggest_predictor(read(f"{begin}{source}\nm = SVC()\nm.fit(X, y)")).code
    assert code == f"def predictor(x):\n    return m.predict({x})[0]\n\n{samples}"


def test_an_expression_is_taken_as_it_is(read):
    source = "import pandas as p\nf = p.read_parquet('a')\nm = SVC().fit(f[['a']], f['b'])"
    assert suggest_predictor(read(source)).code == (
        "def predictor(x):\n    return m.predict(p.DataFrame([x]))[0]\n\n"
        "samples = f[['a']].head(100).to_dict(\"records\")"
    )


@pytest.mark.parametrize("head", ["import numpy as np\n", ""])
def test_keras_gets_arrays(read, head):
    source = "from tensorflow import keras\nm = keras.Sequential([])\nh = m.fit(X, y, epochs=3)"
    code = suggest_predictor(read(head + source)).code
    assert "m.predict(np.array([x]))[0]" in code
    assert code.startswith("import numpy as np") != bool(head)


@pytest.mark.parametrize(
    "source",
    [
        "x = 1",
        "s = Scaler()\ns.fit(X)",
        "for m in models:\n    m.fit(X, y)",
        "def train():\n    m.fit(X, y)",
        "# %% tags=skip-execution\nm = SVC().fit(X, y)",
        "models[0].fit(X, y)",
        "SVC().fit(X, y)",
        "m.fit()",
    ],
)
def test_nothing_is_suggested_where_nothing_is_certainly_fitted(read, source):
    assert suggest_predictor(read(source)) is None


def test_the_remedy_says_what_it_was_made_from(read):
    remedy = "define predictor(x), which scores one sample, in a cell of its own"
    assert define_predictor(read("x = 1")) == remedy
    told = define_predictor(read("# %%\nx = 1\n# %%\nz = 2\nm = SVC().fit(X, y)"))
    assert told.splitlines() == [
        f"{remedy}; a suggestion, made from what model.ipynb, cell 2, line 2 fits:",
        "    def predictor(x):",
        "        return m.predict([x])[0]",
        "",
        "    samples = list(X[:100])",
    ]
