"""The one exception of the store, which is the error that goes over the wire, and the preconditions."""

from collections.abc import Mapping
from typing import Any

REASONS = {
    304: "notModified",
    400: "invalid",
    401: "required",
    403: "forbidden",
    404: "notFound",
    409: "conflict",
}
REASONS |= {412: "conditionNotMet", 416: "requestedRangeNotSatisfiable", 501: "notImplemented"}
CONDITIONS = (
    "ifgenerationmatch",
    "ifgenerationnotmatch",
    "ifmetagenerationmatch",
    "ifmetagenerationnotmatch",
)


class StorageError(Exception):
    """An HTTP status and Google's sentence for it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    def body(self) -> dict[str, object]:
        """Google's JSON error shape."""
        message = str(self)
        detail = {"domain": "global", "reason": REASONS[self.status], "message": message}
        return {"error": {"code": self.status, "message": message, "errors": [detail]}}


def check(conditions: Mapping[str, int], live: Mapping[str, Any] | None, unchanged: int = 412) -> None:
    """Hold CONDITIONS against the live object; 0 stands for none. `unchanged`: the status when a NotMatch fails."""
    for name, wanted in conditions.items():
        field = name.removeprefix("if").removesuffix("match").removesuffix("not")
        alike = int((live or {}).get(field, 0)) == wanted
        if alike == name.endswith("notmatch"):
            status = unchanged if alike else 412
            raise StorageError(status, "At least one of the pre-conditions you specified did not hold.")
