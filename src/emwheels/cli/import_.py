"""x"""
from typing import Any
def add_import(verbs: Any, common: Any) -> None:
    verbs.add_parser("import", parents=[common])
