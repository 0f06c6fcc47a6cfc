"""Nachlass builds a proven, servable bundle from a Jupyter notebook. Builder environment.

The code that runs elsewhere is `in_kernel/` (the notebook's kernel) and the
sibling distribution nachlass-service (the model's environment).
"""

__version__ = "0.1.0"
