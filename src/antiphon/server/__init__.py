"""Sessions over HTTP: start, offers, sockets, the phone, metrics and the page."""
