"""The steps of an examination, and all that can be found wrong at them.

It stands alone as the vocabulary of the doctor: :mod:`.judge` finds it, :mod:`.words` tells it.
"""

from __future__ import annotations

from enum import StrEnum, auto


class Step(StrEnum):
    """The steps, in the order in which they are taken."""

    URL = auto()
    FILES = auto()
    NAME = auto()
    CONNECTION = auto()
    TLS = auto()
    CHAIN = auto()
    HOST = auto()
    CLIENT = "client_certificate"
    FINGERPRINT = auto()
    HTTP = auto()
    CLOCK = auto()
    REGISTRATION = auto()


class Finding(StrEnum):
    """What can be wrong."""

    URL_UNUSABLE = auto()
    URL_OF_A_SERVICE = auto()

    FILES_UNUSABLE = auto()
    HALF_A_PAIR = auto()
    KEY_OF_ANOTHER = auto()
    PASSPHRASE_MISSING = auto()
    PASSPHRASE_WRONG = auto()
    OWN_EXPIRED = auto()
    OWN_NOT_YET_VALID = auto()

    NAME_UNKNOWN = auto()
    NAME_UNUSABLE = auto()
    NAME_SERVICE_SILENT = auto()
    NAME_FAILED = auto()

    CONNECTION_REFUSED = auto()
    CONNECTION_SILENT = auto()
    NO_ROUTE = auto()
    CONNECTION_FAILED = auto()

    PLAIN_HTTP = auto()
    NOT_TLS = auto()
    TLS_SILENT = auto()
    TLS_HUNG_UP = auto()
    TLS_TOO_OLD = auto()
    NO_SUITE = auto()
    TLS_NAME_REFUSED = auto()
    TLS_FAILED = auto()

    CHAIN_EXPIRED = auto()
    CHAIN_NOT_YET_VALID = auto()
    SELF_SIGNED = auto()
    UNKNOWN_AUTHORITY = auto()
    OTHER_AUTHORITY = auto()
    CHAIN_REVOKED = auto()
    NOT_FOR_SERVERS = auto()
    CHAIN_WEAK = auto()
    CHAIN_BAD = auto()

    OTHER_HOST = auto()
    OTHER_ADDRESS = auto()

    CERTIFICATE_DEMANDED = auto()
    CERTIFICATE_OF_ANOTHER_AUTHORITY = auto()
    CERTIFICATE_EXPIRED = auto()
    CERTIFICATE_REVOKED = auto()
    CERTIFICATE_KIND = auto()
    CERTIFICATE_DENIED = auto()
    CERTIFICATE_REFUSED = auto()
    CERTIFICATE_UNANSWERED = auto()

    OTHER_FINGERPRINT = auto()

    TLS_PORT = auto()
    NO_ANSWER = auto()
    HTTP_SILENT = auto()
    NOT_HTTP = auto()
    CUT_SHORT = auto()
    TOO_LARGE = auto()
    REDIRECT = auto()
    BAD_REQUEST = auto()
    UNAUTHORIZED = auto()
    FORBIDDEN = auto()
    NOT_FOUND = auto()
    NOT_POST = auto()
    NOT_ACCEPTABLE = auto()
    TOO_MANY = auto()
    INTERNAL_ERROR = auto()
    NOT_IMPLEMENTED = auto()
    BAD_GATEWAY = auto()
    UNAVAILABLE = auto()
    CLIENT_ERROR = auto()
    SERVER_ERROR = auto()
    ODD_STATUS = auto()
    EMPTY = auto()
    HTML = auto()
    OTHER_TYPE = auto()

    CLOCK_AHEAD = auto()
    CLOCK_BEHIND = auto()

    NOT_XML = auto()
    PROFILE_20A = auto()
    NOT_OPENADR = auto()
    NOT_VALID = auto()
    FORBIDDEN_XML = auto()
    OTHER_MESSAGE = auto()
    NOT_SIGNED = auto()
    SIGNATURE_WRONG = auto()
    NOT_AUTHORIZED = auto()
    REFUSED = auto()
    NO_PROFILE_20B = auto()
    NO_SIMPLE_HTTP = auto()
