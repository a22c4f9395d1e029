"""Compare the findings of two commits: `python benchmarks/compare_findings.py before after`.

Each argument is a findings.parquet, as `workbook run` writes it. Prints what differs: verdicts,
and estimates, intervals and numbers of observations that differ by more than one in 10^9.
"""

import sys

import numpy as np
import pandas as pd

KEYS = ["source", "region", "hypothesis", "part"]
NUMBERS = ["estimate", "ci_low", "ci_high", "n_obs"]
TEXTS = ["verdict", "part_verdict", "unit", "failed_checks"]


def main(before, after):
    old, new = (pd.read_parquet(path).set_index(KEYS).sort_index() for path in (before, after))
    both = old.index.intersection(new.index)
    print(f"{len(both)} parts in both, {len(old) - len(both)} only before, ", end="")
    print(f"{len(new) - len(both)} only after")
    for key in old.index.symmetric_difference(new.index):
        print("in one only:", *key)
    old, new = old.loc[both], new.loc[both]
    texts = old[TEXTS].fillna("").ne(new[TEXTS].fillna(""))
    close = np.isclose(old[NUMBERS], new[NUMBERS], rtol=1e-9, atol=1e-12, equal_nan=True)
    for key in both[(texts.any(axis=1) | ~close.all(axis=1)).to_numpy()]:
        print(
            *key,
            "\n",
            pd.DataFrame({"before": old.loc[key], "after": new.loc[key]})
            .T[[*NUMBERS, *TEXTS]]
            .to_string(),
        )
    print(f"{texts.any(axis=1).sum()} differ in words, {(~close).any(axis=1).sum()} in numbers")


if __name__ == "__main__":
    main(*sys.argv[1:])
