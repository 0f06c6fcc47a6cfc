"""Nachlass builds a proven, servable bundle from a Jupyter notebook.

It runs in an environment of its own. The code that runs elsewhere is
`execution/in_kernel` (in the notebook's kernel), `requirements/first_pass_child.py`
(in a clean interpreter) and the sibling distribution nachlass-service (in the
model's environment).
"""

__version__ = "0.1.0"
