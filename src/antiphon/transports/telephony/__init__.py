"""Telephone calls: one codec a provider, and one transport that speaks through any of them."""
