"""The Flask application: everything but predictions and health."""
