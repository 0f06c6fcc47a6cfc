"""The requirements of a source, from every place that declares them, computed ones included."""
