"""Python runs this at its start: lets the vendor's clients, which have no setting for it, trust the test's certificate."""

import os

import certifi

certifi.where = lambda: os.environ["SSL_CERT_FILE"]
