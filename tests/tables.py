"""Small tables of a source: two regions, three customers."""

import io

import pandas as pd

from analysis.data import dataset, sources

CUSTOMERS = """customer_id,region,segment,area,joined_on,card_since
a,North,private,urban,2024-01-05,
b,North,van,suburban,2023-11-01,2024-06-01
c,South,private,urban,2022-03-09,
"""
TRANSACTIONS = """customer_id,bought_at,station_id,product,quantity,amount,cost
a,2024-02-01 08:00,S1,fuel,40,300,270
a,2024-02-01 19:30,S1,shop,1,20,12
a,2024-03-15 10:00,S1,fuel,30,225,200
b,2024-02-20 18:00,S2,fuel,20,150,140
c,2024-04-01 09:00,S3,gas,100,400,350
"""
SURVEY = """customer_id,answered_on,satisfaction_1,satisfaction_2,satisfaction_3,channel,had_works
a,2024-03-01,7,8,9,online,true
b,2024-03-02,3,,4,phone,false
"""
COMPLAINTS = """complaint_id,customer_id,kind,severity,opened_at,explained_at,satisfaction_after
k1,a,billing,2,2024-02-01,2024-02-02,8
k2,b,works,3,2024-02-01,2024-02-02,8
"""
CONTACTS = """customer_id,contacted_on,kind,purpose,cost
a,2024-02-01,visit,retain,5
b,2024-02-03,visit,retain,5
"""
TEXTS = {
    "customers": CUSTOMERS,
    "transactions": TRANSACTIONS,
    "survey": SURVEY,
    "complaints": COMPLAINTS,
    "contacts": CONTACTS,
}
NAME = "Erika Mustermann-Özdemir"


def planted(text):
    """Return a table with a row for each column in which a name stands in it, and one of names."""
    rows = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    new = [rows.iloc[0].where(rows.columns != column, NAME) for column in rows.columns]
    new.append(rows.iloc[0].map(lambda _: NAME))
    return pd.concat([rows, pd.DataFrame(new)]).to_csv(index=False)


def opened(path):
    return dataset.open_source(sources.read(str(path)))


def only_problem(path):
    """Return the one thing that is wrong with a source."""
    found = dataset.problems(opened(path), shows_values=True)
    assert len(found) == 1, found.to_string()
    return found.iloc[0]
