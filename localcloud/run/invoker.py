"""Who may call a service: the check of the ID token, and what the container is shown of it."""

from collections.abc import Collection

from multidict import CIMultiDict

from localcloud.identity import Identity, InvalidToken
from localcloud.run.refusal import INVALID_TOKEN, UNAUTHENTICATED, UNAUTHORIZED, Refusal

_HEADERS = ("X-Serverless-Authorization", "Authorization")


def check_invoker(
    headers: CIMultiDict[str], path: str, *, identity: Identity, service: str, audiences: Collection[str]
) -> None:
    """Raises Refusal (401 or 403) unless the bearer may invoke `service`.

    The checked token's signature is replaced in `headers`, so that a container cannot pass the token on. On a public
    service nothing is checked, and Authorization belongs to the app as it is.
    """
    scope = f"services/{service}"
    if identity.allows(None, "run.routes.invoke", scope):
        return
    name = next((name for name in _HEADERS if name in headers), None)
    scheme, _, token = headers.get(name or "", "").partition(" ")
    if name is None or scheme.lower() != "bearer":
        raise Refusal(UNAUTHENTICATED, path=path)
    token = token.strip()
    try:
        claims = identity.verify_id_token(token, audiences)
    except InvalidToken as error:
        raise Refusal(INVALID_TOKEN, path=path, detail=str(error)) from error
    email = str(claims.get("email", ""))
    if not identity.allows(email, "run.routes.invoke", scope):
        raise Refusal(UNAUTHORIZED, path=path, detail=email)
    headers[name] = f"{scheme} {token.rpartition('.')[0]}.SIGNATURE_REMOVED_BY_GOOGLE"
