"""Metrics, protocols, tables and figures."""
