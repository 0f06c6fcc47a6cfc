"""The Flask application: every endpoint except predictions and health."""
