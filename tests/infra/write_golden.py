"""Writes the reviewed inventories anew, after an intended change: `python tests/infra/write_golden.py`; then read the diff."""

from recorded import record
from stack_files import ENVIRONMENTS, filled_in
from test_infra_inventory import golden

if __name__ == "__main__":
    for env in ENVIRONMENTS:
        golden(env).write_text(record(env, filled_in(env)).text(), encoding="utf-8")
