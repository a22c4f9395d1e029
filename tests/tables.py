"""Small tables of a source: two regions, three customers."""

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


def opened(path):
    return dataset.open_source(sources.read(str(path)))


def only_problem(path):
    """Return the one thing that is wrong with a source."""
    found = dataset.problems(opened(path), shows_values=True)
    assert len(found) == 1, found.to_string()
    return found.iloc[0]
