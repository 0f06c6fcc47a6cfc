"""The cell suggested for a notebook that fits a model but defines no predictor."""

import pytest

from nachlass_builder.notebook.notebook import read_notebook
from nachlass_builder.notebook.suggest import define_predictor, suggest_predictor
from support.cells import write_notebook


@pytest.fixture
def read(tmp_path):
    def read(source):
        text = source if source.startswith("# %%") else f"# %%\n{source}"
        write_notebook(tmp_path / "model.ipynb", text)
        return read_notebook(tmp_path, "model.ipynb")

    return read


@pytest.fixture
def suggested(read):
    """Return a function for the suggested predictor's expression and the source of its samples."""

    def suggested(source):
        suggestion = suggest_predictor(read(source))
        if suggestion is None:
            return None
        compile(suggestion.code, "cell", "exec")
        *_, returned, _, samples = suggestion.code.splitlines()
        return returned.removeprefix("    return "), samples.removeprefix("samples = ")

    return suggested


ANY = "m.predict([x])[0]"
FRAME = "m.predict(pd.DataFrame([x]))[0]"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("m = SVC()\nm.fit(X, y)", (ANY, "X[:100]")),
        ("m = SVC(gamma=1).fit(X, y)", (ANY, "X[:100]")),
        ("m = SVC()\nm.fit(X=X, y=y)", (ANY, "X[:100]")),
        ("m = KMeans(3).fit(points)", (ANY, "points[:100]")),
        ("m = Own()\nm.fit(points)\nm.predict(q)", (ANY, "points[:100]")),
        ("with run():\n    m = SVC()\n    m.fit(X, y)", (ANY, "X[:100]")),
        ("a = A()\na.fit(X, y)\nm = B()\nm.fit(Z, y)", (ANY, "Z[:100]")),
        ("m = A()\nm.fit(X, y)\nm.predict(X)\nb = B()\nb.fit(Z, y)", (ANY, "X[:100]")),
        ("m = SVC()\nm.fit(d.data, d.target)", (ANY, "d.data[:100]")),
        ("m = SVC()\nm.fit(X / 255.0, y)", (ANY, "(X / 255.0)[:100]")),
        ("m = SVC().fit(x, y)", ("m.predict([row])[0]", "x[:100]")),
        ("X.head()\nm = SVC()\nm.fit(X, y)", (FRAME, "X[:100]")),
        ("def f():\n    X = 1\nm = SVC()\nm.fit(X, y)", (ANY, "X[:100]")),
    ],
)
def test_the_last_fitted_model_predicts_a_row(suggested, source, expected):
    assert suggested(source) == expected


LOADED = "X, y = load(return_X_y=True, as_frame=True)\n"
SPLIT = "A, B, y, z = train_test_split(X, t)\n"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (f"{LOADED}m = SVC().fit(X, y)", (FRAME, "X[:100]")),
        (
            (
                "d = load(as_frame=True)\nA, B, y, z = train_test_split(d.data, d.target)\n"
                "m = SVC().fit(A, y)"
            ),
            (FRAME, "B[:100]"),
        ),
        (
            f"{SPLIT}s = Scaler()\nA = s.fit_transform(A)\nm = SVC().fit(A, y)",
            ("m.predict(s.transform([x]))[0]", "B[:100]"),
        ),
        (
            f"{SPLIT}s = Scaler()\nA = s.fit_transform(A)\nB = s.transform(B)\nm = SVC().fit(A, y)",
            ("m.predict(s.transform([x]))[0]", "X[:100]"),
        ),
        (
            (
                "c = Counter()\nn = c.fit_transform(d.data)\nw = Weigher()\n"
                "f = w.fit_transform(n)\nm = NB().fit(f, d.target)"
            ),
            ("m.predict(w.transform(c.transform([x])))[0]", "d.data[:100]"),
        ),
        (
            f"{LOADED}s = Scaler().fit(X)\nm = SVC().fit(s.transform(X[['a']]), y)",
            ("m.predict(s.transform(pd.DataFrame([x])))[0]", "X[['a']][:100]"),
        ),
        # The transformer is replaced or fitted to other data before it is served.
        ("s = S()\nA = s.fit_transform(X)\ns = S()\nm = SVC().fit(A, y)", None),
        ("s = S()\nA = s.fit_transform(X)\nb = s.fit_transform(y)\nm = SVC().fit(A, b)", None),
        ("s = S()\nX = s.fit_transform(X)\nm = SVC().fit(X, y)", None),
        # The model or its training data is replaced or changed.
        ("m = SVC()\nm.fit(X, y)\nm = None", None),
        ("m = SVC()\nm.fit(X, y)\nfor m in [A(), B()]:\n    m.fit(X, y)", None),
        ("m = SVC()\nm.fit(X, y)\ndel X", None),
        ("m = SVC()\nm.fit(X, y)\nX['predicted'] = m.predict(X)", None),
    ],
)
def test_samples_are_taken_from_the_input_of_the_transformers(suggested, source, expected):
    assert suggested(source) == expected


EITHER = "m.predict(pd.DataFrame([x]) if isinstance(x, dict) else [x])[0]"


@pytest.mark.parametrize(
    ("source", "returned"),
    [
        ("X = df.drop(columns='y')", FRAME),
        ("X, y = df.drop('t', axis=1), df['t']", FRAME),
        ("X = Z = df[['a']]", FRAME),
        ("X: object = df[['a']]", FRAME),
        ("X = df[['a', 'b']]", FRAME),
        ("features = ['a']\nX = df[features]", FRAME),
        ("X = df[df.a > 1]", FRAME),
        ("X = df.iloc[:, 1:]", FRAME),
        ("X = df.loc[df.a > 1]", FRAME),
        ("X = df.copy()\nX['new'] = 1", FRAME),
        ("X = df.copy()\ny = X.pop('t')", FRAME),
        ("X = pd.get_dummies(df)", FRAME),
        ("X = df['a'].to_frame()", FRAME),
        ("X = df[['a']]\nX, V, y, w = train_test_split(X, y)", FRAME),
        ("X = df['text']", ANY),
        ("TEXT = 'text'\nX = df[TEXT]", ANY),
        ("X = df['text'].str.lower()", ANY),
        ("X = df.iloc[:, -1]", ANY),
        ("X = df.iloc[:, 1:].values", ANY),
        ("X = df[['a']].to_numpy()", ANY),
        ("X.head()\nX = scale(X)", EITHER),
        ("X = unknown(df)", EITHER),
        ("X = df[columns_of(df)]", FRAME),
        ("X = df.to_dict(orient='records')", EITHER),
        ("X = pd.DataFrame(s.fit_transform(df))", EITHER),
    ],
)
def test_frames_columns_and_rows_are_distinguished(suggested, source, returned):
    begin = "import pandas as pd\ndf = pd.read_csv('a.csv')\n"
    found = suggested(f"{begin}{source}\nm = SVC()\nm.fit(X, y)")
    samples = "V[:100]" if "V" in source else "X[:100]"
    assert found == (returned, samples)


def test_frames_of_other_libraries_are_not_mistaken_for_pandas(suggested):
    source = "import polars as pl\nX = pl.read_csv('a')\nX.columns\nm = SVC().fit(X, y)"
    assert suggested(source) == (ANY, "X[:100]")


def test_an_expression_is_kept_and_the_alias_of_pandas_is_used(suggested):
    source = "import pandas as p\nf = p.read_parquet('a')\nm = SVC().fit(f[['a']], f['b'])"
    assert suggested(source) == ("m.predict(p.DataFrame([x]))[0]", "f[['a']][:100]")


def test_an_import_inside_a_function_is_not_used(read):
    source = f"def f():\n    import pandas as pq\n{LOADED}m = SVC().fit(X, y)"
    assert suggest_predictor(read(source)).code.startswith("import pandas as pd\n\ndef")


@pytest.mark.parametrize("head", ["import numpy as np\n", ""])
@pytest.mark.parametrize("made", ["keras.Sequential([])", "make_model()"])
def test_keras_gets_arrays(read, head, made):
    source = f"from tensorflow import keras\nm = {made}\nh = m.fit(X, y, epochs=3)"
    code = suggest_predictor(read(head + source)).code
    assert "m.predict(np.array([x]))[0]" in code
    assert code.startswith("import numpy as np") != bool(head)


def test_a_model_of_another_library_gets_lists_even_if_keras_is_imported(suggested):
    source = "import keras\nfrom sklearn.svm import SVC\nm = SVC()\nm.fit(X, y)"
    assert suggested(source) == (ANY, "X[:100]")


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
        "m = learner()\nm.fit(5, 1e-3)",
        "s = SelectKBest()\ns.fit(X, y)",
        "m = Prophet()\nm.fit(df)\nm.predict(future)",
        "samples = load()\nm = SVC()\nm.fit(samples, y)",
        f"m = SVC()\nm.fit(X{'.a()' * 200}, y)",
        f"m = SVC()\nm.fit(X{'.a()' * 2000}, y)",
    ],
)
def test_nothing_is_suggested_unless_a_model_is_certainly_fitted(read, source):
    assert suggest_predictor(read(source)) is None


def test_the_remedy_names_the_model_it_is_based_on(read):
    remedy = "define predictor(x), which scores one sample, in a separate cell"
    assert define_predictor(read("x = 1")) == remedy
    suggestion = define_predictor(read("# %%\nx = 1\n# %%\nz = 2\nm = SVC().fit(X, y)"))
    assert suggestion.splitlines() == [
        f"{remedy}; a suggestion, based on the model fitted at model.ipynb, cell 2, line 2:",
        "    def predictor(x):",
        "        return m.predict([x])[0]",
        "",
        "    samples = X[:100]",
    ]
