"""The OpenAPI document at /openapi.json, made from the bundle's manifest and the settings."""
