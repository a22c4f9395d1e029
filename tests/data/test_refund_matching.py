"""Which purchase a refund undoes, from which day on, and which refunds undo none."""

from messy import CUSTOMERS, HEAD, LINES, opened
from pytest import approx

from analysis.claims.claim import MOST_REFUNDED
from analysis.data import dataset
from analysis.data.region import of_validated

ORDERS = f"{HEAD},order_id,product\n"


def loaded(own, region="North", as_of=""):
    return of_validated(dataset.validate(own.data), region, as_of)


def amounts(own, region="North", as_of=""):
    return sorted(loaded(own, region, as_of).purchases.to_pandas()["amount"])


def test_a_refund_that_breaks_another_rule_undoes_nothing(tmp_path):
    lines = f"{HEAD}\na,2025-01-05,100\nb,2025-03-05,50\na,2062-01-05,-100\n"
    own = opened(tmp_path, CUSTOMERS + LINES, {"t.csv": lines})
    assert amounts(own) == [50, 100]
    assert own.left_out == []
    assert [each[0] for each in own.problems] == ["bought_at", "amount"]


def test_a_refund_of_a_region_undoes_a_purchase_there(tmp_path):
    lines = f"{HEAD},Branch\na,2025-01-01,10,N\na,2025-01-02,10,S\na,2025-01-03,-10,N\n"
    lines += "b,2025-01-02,5,S\nb,2025-01-02,1,N\n"
    toml = '[customers]\nsame_file_as = "transactions"\none_row_per = "customer_id"\n'
    toml += '[customers.columns]\nregion = { column = "Branch", by = "each" }\n'
    own = opened(tmp_path, toml + LINES, {"t.csv": lines}, people=None)
    assert (amounts(own, "N"), amounts(own, "S")) == ([1], [5, 10])


def test_each_refund_of_an_order_counts_from_its_own_day(tmp_path):
    lines = "a,2025-01-05,100,1,x\na,2025-02-01,-30,1,x\na,2025-04-01,-20,1,x\n"
    lines += "b,2025-05-05,7,2,x\n"
    own = opened(tmp_path, CUSTOMERS + LINES, {"t.csv": ORDERS + lines})
    days = ("2025-01-31", "2025-02-01", "2025-03-31", "2025-04-01", "2025-12-31")
    assert [amounts(own, as_of=day)[-1] for day in days] == [100, 70, 70, 50, 50]


def test_a_refund_larger_than_its_order_undoes_no_other(tmp_path):
    lines = "a,2025-01-05,40,1,x\na,2025-01-06,50,2,x\na,2025-02-01,-50,1,x\n"
    own = opened(tmp_path, CUSTOMERS + LINES, {"t.csv": ORDERS + lines})
    assert amounts(own) == [40, 50]
    assert [each[-1] for each in own.problems] == ["row 4: '-50'"]


def test_a_refund_whose_order_has_no_purchase_undoes_another(tmp_path):
    lines = "a,2025-01-05,40,1,x\na,2025-01-06,50,2,x\na,2025-02-01,-50,9,x\n"
    own = opened(tmp_path, CUSTOMERS + LINES, {"t.csv": ORDERS + lines})
    assert (amounts(own), own.problems) == ([40], [])


def test_a_refund_without_a_product_undoes_the_line_of_its_amount(tmp_path):
    lines = "a,2025-01-05,100,1,x\na,2025-01-05,50,1,y\na,2025-02-01,-50,1,\n"
    own = opened(tmp_path, CUSTOMERS + LINES, {"t.csv": ORDERS + lines})
    assert amounts(own) == [100]


def test_refunds_after_the_last_purchase_count_in_their_share(tmp_path):
    lines = f"{HEAD}\na,2025-01-01,280\nb,2025-01-30,-70\n"
    own = opened(tmp_path, CUSTOMERS + LINES, {"t.csv": lines}, as_of="")
    refunds = loaded(own).refunds
    assert (refunds.lines, refunds.amount, refunds.share) == (1, 70, 0.25)
    assert refunds.share > MOST_REFUNDED
    assert loaded(own, as_of="2025-01-01").refunds.lines == 0


def test_anonymous_refunds_are_netted_in_anonymous_sales(tmp_path):
    lines = f"{HEAD}\na,2025-01-02,10\n,2025-01-02,24\n,2025-01-03,-6\n"
    own = opened(tmp_path, CUSTOMERS + LINES, {"t.csv": lines})
    assert own.left_out == [("transactions", "without a customer", 2, 18)]
    assert own.problems == []


def test_a_refund_of_a_stranger_is_a_row_of_a_stranger(tmp_path):
    lines = f"{HEAD}\na,2025-01-01,5\nz,2025-01-01,10\nz,2025-01-02,-10\n"
    own = opened(tmp_path, CUSTOMERS + LINES, {"t.csv": lines})
    assert loaded(own).left_out.empty
    assert [each[:2] for each in own.problems] == [("customer_id", 2)]


def test_a_refund_that_names_a_product_is_taken_off_that_product_first(tmp_path):
    """Of 60 in the shop 50 are given back, then 20: 10 of the shop and 10 of the other 100."""
    lines = "a,2025-01-05,100,1,fuel\na,2025-01-05,60,1,shop\n"
    lines += "a,2025-02-01,-50,1,shop\na,2025-03-01,-20,1,shop\na,2025-04-01,-9,1,\n"
    own = opened(tmp_path, CUSTOMERS + LINES, {"t.csv": ORDERS + lines})
    assert amounts(own, as_of="2025-02-02") == approx([10, 100])
    assert amounts(own, as_of="2025-03-02") == approx([90])
    assert amounts(own) == approx([81])
