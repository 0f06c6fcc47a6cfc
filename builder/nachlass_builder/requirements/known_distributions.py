"""The table of import names: the distributions that provide the modules notebooks import.

Names were checked against the files of wheels or, without a wheel, against a published
index (pigar's, November 2025). Nothing is guessed for a module that the table lacks: a
distribution of the same name proves nothing (`config`, `utils`).
"""

from __future__ import annotations

SAME_NAME = (
    "accelerate aiohttp albumentations alibi altair anndata anthropic apscheduler apyori arrow"
    " arviz arxiv astropy astroquery autogluon autoviz awkward awswrangler backtrader bambi"
    " bert_score bertopic bitsandbytes bokeh boto3 botorch bottleneck bqplot braindecode bt"
    " cachetools cairosvg captum cartopy catboost category_encoders causalml ccxt cdlib celery"
    " cellpose cfgrib chart_studio chex chromadb cirq clearml click clickhouse_connect cloudpickle"
    " cma cmdstanpy cmocean cohere comet_ml contextily contractions copulas corner crewai"
    " cryptography ctgan cufflinks cvxpy d2l dalex darts dash dask dask_ml datasets datashader"
    " datasketch dateparser ddgs deap deepchecks deepchem deepdiff deepface deepxde deltalake"
    " dice_ml diffusers dill docx2txt doubleml dowhy dspy dtaidistance dtale dtreeviz duckdb"
    " duckduckgo_search dvc dynesty easydict easyocr econml efficient_apriori efficientnet_pytorch"
    " einops elasticsearch eli5 emcee emoji empyrical equinox ete3 evaluate evidently"
    " face_recognition facenet_pytorch factor_analyzer faker fancyimpute fastai fastapi fastbook"
    " fastcore fastdtw faster_whisper fastf1 fastparquet fbprophet feature_engine featuretools ffn"
    " fiona fire flair flaml flask flask_cors flax folium fooof fredapi fsspec ftfy fugue"
    " fuzzywuzzy galpy gcsfs gdown geemap gekko gensim geopandas geoplot geopy gluonts"
    " google_auth_oauthlib googletrans gplearn gpytorch gradio graphviz great_expectations groq"
    " gseapy gspread gtts gudhi gurobipy gym gymnasium h2o h3 h5py hdbscan healpy hmmlearn"
    " holidays holoviews html2text httpx huggingface_hub humanize hvplot hyperopt hypothesis"
    " igraph imageio imgaug iminuit imodels import_ipynb imutils instructor interpret ipdb"
    " ipykernel ipyleaflet ipympl ipyparallel ipywidgets itables jax jaxlib jaxtyping jellyfish"
    " jieba jinja2 jiwer joblib joypy jsonlines jsonschema jupyter_dash kaggle kaleido karateclub"
    " keras keras_cv keras_nlp keras_tuner keybert kmapper kmodes kneed konlpy kornia ktrain"
    " lancedb langchain langchain_anthropic langchain_chroma langchain_community langchain_core"
    " langchain_experimental langchain_google_genai langchain_groq langchain_huggingface"
    " langchain_ollama langchain_openai langchain_text_splitters langdetect langgraph langsmith"
    " lazypredict leafmap lexicalrichness librosa lifelines lifetimes lightfm lightgbm lightkurve"
    " lightning lime linearmodels lingam litellm livelossplot llama_parse lmfit loguru lxml lz4"
    " mapie markdown markitdown matplotlib matplotlib_venn mdtraj mediapipe memory_profiler metpy"
    " mglearn miceforest mimesis minigrid minisom missingno mistralai mlflow mlforecast mlxtend"
    " mne modin momepy monai mord more_itertools moviepy movingpandas mpld3 mplfinance mplsoccer"
    " msgpack mtcnn mujoco multiprocess music21 mxnet mygene nbconvert nbformat neo4j neptune"
    " nest_asyncio networkx neuralforecast neuralprophet nevergrad ngboost nibabel nilearn nlpaug"
    " nltk node2vec noisereduce num2words numba numexpr numpy numpy_financial numpyro obspy ollama"
    " omegaconf onnx onnxmltools onnxruntime open3d openai openml openmm openpyxl opt_einsum optax"
    " optuna oracledb orjson ortools osmnx pacmap palettable pandarallel pandas pandas_datareader"
    " pandas_gbq pandasai pandera panel papermill pathos patsy pdf2image pdfplumber pdpbox peft"
    " pendulum pennylane persim pettingzoo phate phik phonenumbers photutils pinecone pingouin"
    " pint playwright plotly plotly_express plotnine pm4py pmdarima polars pooch praw pretty_midi"
    " prettytable prince prody prophet psutil psycopg ptitprince pulp pyarrow pyathena pyaudio"
    " pybullet pycaret pycocotools pycountry pycountry_convert pydantic pydeck pydicom pydot"
    " pydotplus pydub pyfolio pygad pygal pygame pygeos pygmt pygraphviz pyhf pymatgen pymc pymc3"
    " pymc_marketing pymilvus pymongo pymoo pymupdf pymysql pynndescent pyod pyodbc pyogrio pyomo"
    " pypdf pyperclip pyproj pyreadr pysal pysam pyspark pysr pyswarms pytesseract pytest"
    " pytorch_lightning pytorch_tabnet pyttsx3 pytube pytz pyvista pywaffle qdrant_client qiskit"
    " qrcode quandl quantecon quantstats quimb qutip rake_nltk rank_bm25 rapidfuzz rasterio ray"
    " rdflib rdkit redis regex reportlab requests retry rich rioxarray ripser river rouge rtree"
    " ruptures s3fs safetensors satpy scanpy schedule scienceplots scikeras scipy scrapy scvelo"
    " sdv seaborn segment_anything segmentation_models segmentation_models_pytorch selenium"
    " sentence_transformers sentencepiece seqeval shap shapely simplejson simpletransformers"
    " skl2onnx sklearn_pandas skops skorch sktime sounddevice soundfile spacy spacytextblob"
    " spektral sqlalchemy sqlalchemy_utils sqlglot sqlmodel sqlparse squarify stable_baselines3"
    " stanza statsbombpy statsforecast statsmodels streamlit stumpy sunpy supervision sweetviz"
    " swifter sympy ta tabpfn tabulate tbats tenacity tensorboard tensorflow tensorflow_addons"
    " tensorflow_datasets tensorflow_decision_forests tensorflow_hub tensorflow_io"
    " tensorflow_probability tensorflow_text tensorly termcolor textattack textblob textstat"
    " tf2onnx tf_keras tflearn theano thefuzz threadpoolctl tifffile tiktoken timm tokenizers toml"
    " tomli toolz top2vec torch torch_geometric torch_scatter torch_sparse torchaudio torchdiffeq"
    " torchinfo torchmetrics torchsummary torchtext torchvision torchviz tpot tqdm transformers"
    " treelite trimesh tsai tsfresh tslearn tweepy typer tzlocal ujson ultralytics unidecode"
    " unstructured uproot upsetplot vaex vectorbt venn vllm wandb wget wikipedia wordcloud"
    " wordninja workalendar xarray xclim xesmf xgboost xlrd xlsxwriter xlwt xmltodict yake"
    " ydata_profiling yellowbrick yfinance youtube_transcript_api yt_dlp zarr zstandard"
).split()
"""Popular libraries whose import name is the distribution's name."""

OTHER_NAME = {
    "Bio": "biopython",
    "Crypto": "pycryptodome",
    "Cython": "cython",
    "GPUtil": "gputil",
    "GPy": "gpy",
    "IPython": "ipython",
    "ISLP": "islp",
    "Levenshtein": "levenshtein",
    "MDAnalysis": "mdanalysis",
    "MeCab": "mecab-python3",
    "MySQLdb": "mysqlclient",
    "OpenSSL": "pyopenssl",
    "Orange": "orange3",
    "PIL": "pillow",
    "PyEMD": "emd-signal",
    "PyPDF2": "pypdf2",
    "SALib": "salib",
    "SimpleITK": "simpleitk",
    "absl": "absl-py",
    "adjustText": "adjusttext",
    "ants": "antspyx",
    "astroML": "astroml",
    "attr": "attrs",
    "ax": "ax-platform",
    "azure.ai.documentintelligence": "azure-ai-documentintelligence",
    "azure.ai.formrecognizer": "azure-ai-formrecognizer",
    "azure.ai.ml": "azure-ai-ml",
    "azure.cognitiveservices.speech": "azure-cognitiveservices-speech",
    "azure.identity": "azure-identity",
    "azure.keyvault.secrets": "azure-keyvault-secrets",
    "azure.search.documents": "azure-search-documents",
    "azure.storage.blob": "azure-storage-blob",
    "azure.storage.filedatalake": "azure-storage-file-datalake",
    "azureml.core": "azureml-core",
    "bayes_opt": "bayesian-optimization",
    "bidi": "python-bidi",
    "bs4": "beautifulsoup4",
    "camelot": "camelot-py",
    "causallearn": "causal-learn",
    "community": "python-louvain",
    "cv2": "opencv-python-headless",
    "cx_Oracle": "cx-oracle",
    "databricks.sdk": "databricks-sdk",
    "databricks.sql": "databricks-sql-connector",
    "dateutil": "python-dateutil",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "ee": "earthengine-api",
    "factory": "factory-boy",
    "faiss": "faiss-cpu",
    "ffmpeg": "ffmpeg-python",
    "fitz": "pymupdf",
    "fpdf": "fpdf2",
    "git": "gitpython",
    "google.auth": "google-auth",
    "google.cloud.aiplatform": "google-cloud-aiplatform",
    "google.cloud.bigquery": "google-cloud-bigquery",
    "google.cloud.bigquery_storage": "google-cloud-bigquery-storage",
    "google.cloud.firestore": "google-cloud-firestore",
    "google.cloud.language_v1": "google-cloud-language",
    "google.cloud.pubsub": "google-cloud-pubsub",
    "google.cloud.pubsub_v1": "google-cloud-pubsub",
    "google.cloud.secretmanager": "google-cloud-secret-manager",
    "google.cloud.speech": "google-cloud-speech",
    "google.cloud.storage": "google-cloud-storage",
    "google.cloud.translate_v2": "google-cloud-translate",
    "google.cloud.vision": "google-cloud-vision",
    "google.genai": "google-genai",
    "google.generativeai": "google-generativeai",
    "google.oauth2": "google-auth",
    "google.protobuf": "protobuf",
    "googleapiclient": "google-api-python-client",
    "googlesearch": "googlesearch-python",
    "gtda": "giotto-tda",
    "haiku": "dm-haiku",
    "hydra": "hydra-core",
    "ibis": "ibis-framework",
    "imblearn": "imbalanced-learn",
    "janitor": "pyjanitor",
    "jose": "python-jose",
    "jwt": "pyjwt",
    "llama_index.core": "llama-index-core",
    "llama_index.embeddings.huggingface": "llama-index-embeddings-huggingface",
    "llama_index.embeddings.openai": "llama-index-embeddings-openai",
    "llama_index.llms.ollama": "llama-index-llms-ollama",
    "llama_index.llms.openai": "llama-index-llms-openai",
    "modAL": "modal-python",
    "mpl_toolkits": "matplotlib",
    "mpl_toolkits.basemap": "basemap",
    "mysql.connector": "mysql-connector-python",
    "netCDF4": "netcdf4",
    "newspaper": "newspaper3k",
    "openTSNE": "opentsne",
    "openbabel": "openbabel-wheel",
    "openslide": "openslide-python",
    "orbax.checkpoint": "orbax-checkpoint",
    "orbit": "orbit-ml",
    "paddle": "paddlepaddle",
    "pandas_profiling": "ydata-profiling",
    "pdfminer": "pdfminer-six",
    "pptx": "python-pptx",
    "psycopg2": "psycopg2-binary",
    "py3Dmol": "py3dmol",
    "pyDOE2": "pydoe2",
    "pyLDAvis": "pyldavis",
    "pyannote.audio": "pyannote-audio",
    "pycrfsuite": "python-crfsuite",
    "pynvml": "nvidia-ml-py",
    "pypfopt": "pyportfolioopt",
    "pyro": "pyro-ppl",
    "pywt": "pywavelets",
    "radiomics": "pyradiomics",
    "riskfolio": "riskfolio-lib",
    "scikitplot": "scikit-plot",
    "serial": "pyserial",
    "shapefile": "pyshp",
    "skfda": "scikit-fda",
    "skfuzzy": "scikit-fuzzy",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "sklearn_extra": "scikit-learn-extra",
    "sklego": "scikit-lego",
    "skmultiflow": "scikit-multiflow",
    "skopt": "scikit-optimize",
    "sksurv": "scikit-survival",
    "snowflake.connector": "snowflake-connector-python",
    "snowflake.snowpark": "snowflake-snowpark-python",
    "snowflake.sqlalchemy": "snowflake-sqlalchemy",
    "sparknlp": "spark-nlp",
    "speech_recognition": "speechrecognition",
    "spellchecker": "pyspellchecker",
    "surprise": "scikit-surprise",
    "tabula": "tabula-py",
    "talib": "ta-lib",
    "tavily": "tavily-python",
    "tcn": "keras-tcn",
    "tensorboardX": "tensorboardx",
    "umap": "umap-learn",
    "vaderSentiment": "vadersentiment",
    "vertexai": "google-cloud-aiplatform",
    "weaviate": "weaviate-client",
    "wikipediaapi": "wikipedia-api",
    "yaml": "pyyaml",
    "zmq": "pyzmq",
}
"""Libraries whose distribution has another name."""

ALTERNATIVES: dict[str, tuple[str, ...]] = {
    "Crypto": ("pycrypto",),
    "Levenshtein": ("python-levenshtein",),
    "MeCab": ("mecab",),
    "PIL": ("pillow-simd",),
    "autogluon": (
        "autogluon-core",
        "autogluon-multimodal",
        "autogluon-tabular",
        "autogluon-timeseries",
    ),
    "bs4": ("bs4",),
    "chromadb": ("chromadb-client",),
    "cirq": ("cirq-core",),
    "cv2": (
        "opencv-contrib-python",
        "opencv-contrib-python-headless",
        "opencv-python",
        "opencv-python-rolling",
    ),
    "cvxpy": ("cvxpy-base",),
    "darts": ("u8darts",),
    "dotenv": ("dotenv",),
    "empyrical": ("empyrical-reloaded",),
    "faiss": ("faiss-gpu", "faiss-gpu-cu11", "faiss-gpu-cu12"),
    "fastapi": ("fastapi-slim",),
    "fpdf": ("fpdf",),
    "igraph": ("python-igraph",),
    "interpret": ("interpret-core",),
    "jwt": ("jwt",),
    "mediapipe": ("mediapipe-silicon",),
    "mlflow": ("mlflow-skinny",),
    "mxnet": ("mxnet-cu112", "mxnet-mkl"),
    "neo4j": ("neo4j-driver",),
    "newspaper": ("newspaper4k",),
    "onnxruntime": (
        "onnxruntime-directml",
        "onnxruntime-gpu",
        "onnxruntime-openvino",
        "onnxruntime-silicon",
    ),
    "open3d": ("open3d-cpu",),
    "openbabel": ("openbabel",),
    "paddle": ("paddlepaddle-gpu",),
    "pandas_profiling": ("pandas-profiling",),
    "pdfminer": ("pdfminer",),
    "phonenumbers": ("phonenumberslite",),
    "pinecone": ("pinecone-client",),
    "polars": ("polars-lts-cpu", "polars-u64-idx"),
    "psycopg2": ("aws-psycopg2", "psycopg2"),
    "pygame": ("pygame-ce",),
    "pynvml": ("pynvml",),
    "pyspark": ("databricks-connect", "pyspark-client"),
    "pytorch_lightning": ("lightning",),
    "qiskit": ("qiskit-terra",),
    "rdkit": ("rdkit-pypi",),
    "retry": ("retry2",),
    "segment_anything": ("segment-anything-py",),
    "talib": ("ta-lib-bin", "ta-lib-precompiled", "talib-binary"),
    "tensorflow": (
        "intel-tensorflow",
        "tensorflow-aarch64",
        "tensorflow-cpu",
        "tensorflow-cpu-aws",
        "tensorflow-gpu",
        "tensorflow-intel",
        "tensorflow-macos",
        "tensorflow-rocm",
        "tf-nightly",
        "tf-nightly-cpu",
    ),
    "theano": ("theano-pymc",),
    "typer": ("typer-slim",),
    "vaex": ("vaex-core",),
    "xgboost": ("xgboost-cpu",),
}
"""Other distributions that provide the same module."""

DISTRIBUTIONS = {name: name.replace("_", "-") for name in SAME_NAME} | OTHER_NAME
"""The usual distribution of each module."""
