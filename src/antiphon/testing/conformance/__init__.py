"""The conformance suites; import them from `antiphon.testing`."""
