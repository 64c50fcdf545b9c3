"""Writes the reviewed inventory anew, after an intended change: `python tests/infra/write_golden.py`."""

from recorded import record
from stack_files import filled_in
from test_infra_inventory import GOLDEN

if __name__ == "__main__":
    GOLDEN.write_text(record("local", filled_in("local")).text(), encoding="utf-8")
