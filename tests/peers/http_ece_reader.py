"""A browser's side of RFC 8291: prints the keys of a subscription, then decrypts what is sent to it.

Output: the public key and the secret, in base64url; then, for each line of input, a body in base64, the
decrypted text in base64, or the error behind "error ".
"""

import base64
import os
import sys

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


key = ec.generate_private_key(ec.SECP256R1())
auth = os.urandom(16)
point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
print(url(point), url(auth), flush=True)
for line in sys.stdin:
    try:
        body = base64.b64decode(line)
        text = http_ece.decrypt(body, private_key=key, auth_secret=auth, version="aes128gcm")
        print(base64.b64encode(text).decode(), flush=True)
    except Exception as error:
        print("error", repr(error), flush=True)
