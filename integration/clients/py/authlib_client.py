# Authlib as its documentation has it: a session of requests that finds the issuer's
# endpoints, signs alice in by code with PKCE, verifies the ID token by the issuer's keys,
# and refreshes. It prints the address that a person is to open, and reads where that led.
import json
import os
import sys

import requests
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebKey, jwt
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oidc.core import CodeIDToken

issuer = os.environ["ISSUER"]
metadata = requests.get(issuer + "/.well-known/openid-configuration").json()
keys = JsonWebKey.import_key_set(requests.get(metadata["jwks_uri"]).json())


def converse(client_id, secret, method):
    session = OAuth2Session(
        client_id, secret, scope="openid profile email offline_access", redirect_uri="http://127.0.0.1/callback",
        token_endpoint_auth_method=method, code_challenge_method="S256")
    if method == "private_key_jwt":
        session.register_client_auth_method(PrivateKeyJWT(metadata["token_endpoint"]))
    verifier, nonce = generate_token(48), generate_token()
    address, state = session.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce)
    print("visit " + address, flush=True)
    answer = sys.stdin.readline().strip()
    token = session.fetch_token(metadata["token_endpoint"], authorization_response=answer, code_verifier=verifier, state=state)
    claims = jwt.decode(token["id_token"], keys, claims_cls=CodeIDToken, claims_options={"iss": {"values": [issuer]}, "aud": {"values": [client_id]}},
                        claims_params={"nonce": nonce, "access_token": token["access_token"]})
    claims.validate()
    assert claims.header["alg"] == "RS256", claims.header
    assert claims["email"] == "alice@example.com", claims
    assert session.get(metadata["userinfo_endpoint"]).json()["sub"] == claims["sub"]
    fresh = session.refresh_token(metadata["token_endpoint"], refresh_token=token["refresh_token"])
    assert fresh["refresh_token"] != token["refresh_token"], "nothing was rotated"
    print("learn " + token["refresh_token"], flush=True)


converse("authlib", os.environ["SECRET"], "client_secret_basic")
with open(os.environ["KEY"]) as file:
    converse("authlib_key", JsonWebKey.import_key(json.load(file)), "private_key_jwt")
print("done", flush=True)
