"""What several commands take: where the repository is, and which engine deploys."""

from enum import StrEnum
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


class EngineChoice(StrEnum):
    """`auto`: Pulumi's own where a CLI is found, else the embedded one."""

    auto = "auto"
    pulumi = "pulumi"
    embedded = "embedded"
