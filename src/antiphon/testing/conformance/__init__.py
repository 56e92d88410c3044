"""The conformance suites, one file per kind of port. Import them from `antiphon.testing`."""
