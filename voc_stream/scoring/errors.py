"""What a request can be refused for: each a status, a code, and one plain sentence for the caller.

`ScoringError` is the root of all:

- `MalformedError` 400: the multipart body is not what the contract says
- `UnauthorisedError` 401: no token, or a wrong one
- `UploadStalledError` 408: the caller stopped sending
- `TooLargeError` 413: more bytes, or more seconds, than the limits allow
- `NotAudioError` 415: no audio in it, or a kind that is not read here
- `InvalidMetadataError` 422: the metadata part is not valid
- `BusyError` 503: no room for another job, or still loading
"""

from __future__ import annotations

from typing import ClassVar


class ScoringError(Exception):
    """A refusal; its text is the sentence that the caller reads."""

    status: ClassVar[int]
    code: ClassVar[str]

    def as_json(self) -> dict[str, str]:
        """The error's body."""
        return {"error": self.code, "detail": str(self)}


class MalformedError(ScoringError):
    """The body is not the multipart form of the contract."""

    status, code = 400, "malformed"


class UnauthorisedError(ScoringError):
    """The bearer token is missing or wrong."""

    status, code = 401, "unauthorised"


class UploadStalledError(ScoringError):
    """No byte arrived for too long."""

    status, code = 408, "upload_stalled"


class TooLargeError(ScoringError):
    """Too many bytes or seconds."""

    status, code = 413, "too_large"


class NotAudioError(ScoringError):
    """Not audio, or a kind of audio that is not read here."""

    status, code = 415, "not_audio"


class InvalidMetadataError(ScoringError):
    """The metadata are not the JSON of the contract."""

    status, code = 422, "invalid_metadata"


class BusyError(ScoringError):
    """Try again after ``retry_after`` seconds."""

    status, code = 503, "busy"

    def __init__(self, detail: str, *, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
