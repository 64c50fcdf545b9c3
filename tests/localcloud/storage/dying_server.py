"""A storage server that kills itself with SIGKILL at a named step: python dying_server.py ROOT CLASS.METHOD CALL."""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conftest import Cloud

from localcloud.storage import contents, store


def dies(method: Callable[..., Any], survived: int) -> Callable[..., Any]:
    """The method, after whose call number `survived` + 1 the process is gone."""
    calls = iter(range(survived, -1, -1))

    def dying(*arguments: Any, **named: Any) -> Any:
        result = method(*arguments, **named)
        if next(calls) == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return dying


if __name__ == "__main__":
    root, step, survived = sys.argv[1:]
    cloud = Cloud(Path(root))
    cloud.start()
    owner, method = step.split(".")
    target = {"Content": contents.Content, "ObjectStore": store.ObjectStore}[owner]
    setattr(target, method, dies(getattr(target, method), int(survived)))
    print(json.dumps([cloud.url, cloud.token("roles/storage.objectUser")]), flush=True)
    cloud.thread.join()
