"""stub"""
import pandas as pd
def truth_table(worlds, seed):
    return pd.DataFrame({"region": [], "hypothesis": [], "part": [], "truth": []})
