"""AWS Signature Version 4, of headers, addresses and the messages of a stream.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
https://docs.aws.amazon.com/transcribe/latest/dg/streaming-http2.html, for a stream
"""

import hashlib
import hmac
import os
import time
from collections.abc import Mapping
from urllib.parse import SplitResult, parse_qsl, quote, urlsplit

from ..errors import ConfigurationError
from .aws_event_stream import encode_event, encode_headers
from .keys import VendorKey

__all__ = ["AwsEventSigner", "AwsSigner"]

ALGORITHM = "AWS4-HMAC-SHA256"
EVENTS = "STREAMING-AWS4-HMAC-SHA256-EVENTS"  # stands for the hash of a body whose messages are signed


class AwsSigner:
    """Signs requests to one service of AWS in one region.

    `key` is the id of the access key and `secret` its secret. What is not given is found in the environment:
    AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, and AWS_REGION or AWS_DEFAULT_REGION.
    """

    def __init__(
        self, service: str, region: str | None = None, *, key: str | None = None, secret: str | None = None
    ) -> None:
        self.key = VendorKey("aws", "AWS_ACCESS_KEY_ID", key)
        self._secret = VendorKey("aws", "AWS_SECRET_ACCESS_KEY", secret)
        self._has_token = key is None  # the token of the environment belongs to the key of the environment
        self._service = service
        self._region = region

    def check(self) -> None:
        """Raise ConfigurationError if the key, its secret or the region is missing."""
        self.key.check(AWS_SECRET_ACCESS_KEY=self._secret.found, AWS_REGION=self._found_region)
        self._secret.check()
        _ = self.region

    @property
    def region(self) -> str:
        """The region. Raises ConfigurationError if there is none."""
        region = self._found_region
        if not region:
            raise ConfigurationError("aws needs a region: set AWS_REGION in the environment, or pass region=")
        return region

    @property
    def _found_region(self) -> str | None:
        return self._region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")

    def signed_headers(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, *, at: float
    ) -> dict[str, str]:
        """Return headers with the signature for a request with this body.

        Without a body, one follows whose messages are signed. `at` is the time as seconds since 1970; a
        signature is good for five minutes. The path of `url` must be as it is sent, with what needs it
        escaped.
        """
        parts, when = urlsplit(url), _timestamp(at)
        signed = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
        signed |= {"host": parts.netloc, "x-amz-date": when}
        sent = dict(headers) | {"X-Amz-Date": when}
        hashed = EVENTS if body is None else hashlib.sha256(body).hexdigest()
        if body is None:
            signed["x-amz-content-sha256"] = sent["X-Amz-Content-Sha256"] = hashed
        if token := self._token():
            signed["x-amz-security-token"] = sent["X-Amz-Security-Token"] = token
        query = _canonical(parse_qsl(parts.query, keep_blank_values=True))
        signature = self._signature(method, parts, query, signed, hashed, when)
        sent["Authorization"] = (
            f"{ALGORITHM} Credential={self.key.value}/{self._scope(when)}, "
            f"SignedHeaders={';'.join(sorted(signed))}, Signature={signature}"
        )
        return sent

    def presigned_url(self, url: str, *, at: float, expires: int = 300) -> str:
        """Return an address with a signature in its query.

        It may be opened for so many seconds.
        """
        parts, when = urlsplit(url), _timestamp(at)
        pairs = [
            *parse_qsl(parts.query, keep_blank_values=True),
            ("X-Amz-Algorithm", ALGORITHM),
            ("X-Amz-Credential", f"{self.key.value}/{self._scope(when)}"),
            ("X-Amz-Date", when),
            ("X-Amz-Expires", str(expires)),
            ("X-Amz-SignedHeaders", "host"),
        ]
        if token := self._token():
            pairs.append(("X-Amz-Security-Token", token))
        query = _canonical(pairs)
        hashed = hashlib.sha256(b"").hexdigest()
        signature = self._signature("GET", parts, query, {"host": parts.netloc}, hashed, when)
        return parts._replace(query=f"{query}&X-Amz-Signature={signature}").geturl()

    def event_signature(self, before: str, headers: bytes, payload: bytes, *, at: float) -> str:
        """Return the signature of a message that follows one with the signature `before`."""
        hashed = (hashlib.sha256(part).hexdigest() for part in (headers, payload))
        return self._signed(f"{ALGORITHM}-PAYLOAD", _timestamp(at), before, *hashed)

    def _token(self) -> str:
        return os.environ.get("AWS_SESSION_TOKEN", "") if self._has_token else ""

    def _scope(self, when: str) -> str:
        return f"{when[:8]}/{self.region}/{self._service}/aws4_request"

    def _signature(
        self, method: str, parts: SplitResult, query: str, headers: Mapping[str, str], hashed: str, when: str
    ) -> str:
        request = "\n".join([
            method,
            quote(parts.path or "/", safe="/-_.~"),
            query,
            *(f"{name}:{headers[name]}" for name in sorted(headers)),
            "",
            ";".join(sorted(headers)),
            hashed,
        ])  # fmt: skip
        return self._signed(ALGORITHM, when, hashlib.sha256(request.encode()).hexdigest())

    def _signed(self, algorithm: str, when: str, *lines: str) -> str:
        scope, key = self._scope(when), f"AWS4{self._secret.value}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.digest(key, "\n".join([algorithm, when, scope, *lines]).encode(), "sha256").hex()


class AwsEventSigner:
    """Signs the messages of one stream.

    `before` is the signature of the request that opens it.
    """

    def __init__(self, signer: AwsSigner, before: str) -> None:
        self._signer = signer
        self._before = before

    def sign(self, message: bytes, *, at: float) -> bytes:
        """Return a message as it is sent; an empty one ends the stream."""
        date = int(at) * 1000
        headers = encode_headers(date=date)
        self._before = self._signer.event_signature(self._before, headers, message, at=at)
        return encode_event(message, date=date, chunk_signature=bytes.fromhex(self._before))


def _timestamp(at: float) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))


def _canonical(pairs: list[tuple[str, str]]) -> str:
    """Return a query as it is signed: escaped, then sorted."""
    escaped = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in escaped)
