"""The command `workbook`: run notebooks, write pages, the index and exports."""

import sys

# jsonschema builds a parser for international addresses with this package as it is imported, which
# takes as long as all else that a run imports; no notebook has such an address to be validated.
sys.modules.setdefault("rfc3987_syntax", None)
