"""Rules for Prometheus and a dashboard for Grafana, derived from a bundle."""
