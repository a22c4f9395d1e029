"""The survey's column weight: what is refused, what is left out, and what is worth a word."""

import pytest

from analysis.claims import answer_weights
from analysis.data.dataset import validate
from analysis.data.errors import DataError
from analysis.data.region import of_validated
from analysis.data.suspicions.source import suspicions
from tables import only_problem, opened

HEAD = "customer_id,answered_on,satisfaction_1,weight\n"


def answers(*weights):
    people = ("a", "b", "a", "b")
    return HEAD + "".join(
        f"{people[i]},2024-03-{i + 1:02},7,{weight}\n" for i, weight in enumerate(weights)
    )


REFUSED = {
    "-0.5": ("row 3: '-0.5'", "a number not below 0"),
    "": ("row 3: nothing", "a value"),
    "inf": ("row 3: 'inf'", "a number such as 1234.5 (decimal and thousands name other marks)"),
    "much": ("row 3: 'much'", "a number such as 1234.5 (decimal and thousands name other marks)"),
}


@pytest.mark.parametrize("weight", REFUSED)
def test_weights_are_numbers_of_nothing_or_more_in_every_row(write_source, weight):
    problem = only_problem(write_source(survey=answers(1.5, weight, 2)))
    assert (problem["file"], problem["column"], problem["rows"]) == ("survey.csv", "weight", 1)
    example, expected = REFUSED[weight]
    assert example in problem["example"]
    assert problem["expected"] == expected


def region(path, name="North"):
    return of_validated(validate(opened(path)), name)


def test_answers_of_weight_nothing_are_left_out_and_counted(write_source):
    here = region(write_source(survey=answers(1.5, 0, 2, 3)))
    assert sorted(here.survey["weight"]) == [1.5, 2, 3]
    assert answer_weights.in_words(here).endswith("; answers of weight 0, left out: 1")


def test_weights_that_are_all_nothing_are_refused(write_source):
    with pytest.raises(DataError) as error:
        region(write_source(survey=answers(0, 0)))
    assert str(error.value) == (
        "survey.csv: weight is 0 in all 2 answers of North; expected how many customers each "
        "answer stands for, above 0 in some."
    )


def test_a_file_without_weights_beside_one_with_them_is_refused(write_source):
    path = write_source(
        '[[survey]]\nfile = "survey.csv"\n[[survey]]\nfile = "second.csv"\n',
        survey=answers(1, 2),
        second="customer_id,answered_on,satisfaction_1\na,2024-05-01,7\n",
    )
    with pytest.raises(DataError) as error:
        region(path)
    assert "1 of 3 answers of North are from files without the column weight" in str(error.value)


def test_a_survey_without_weights_has_none(write_source):
    here = region(write_source())
    assert here.survey["weight"].isna().all()
    assert answer_weights.check(here, ["survey.satisfaction_1"]) == []
    assert answer_weights.balance(here).empty


def test_the_card_says_which_claims_take_them(write_source):
    here = region(write_source(survey=answers(1, 3)))
    value = answer_weights.check(here, ["survey.satisfaction_1"])[0].value
    assert value == (
        "used throughout; answers of 2 customers tell as much as 2 with equal weights "
        "(design effect 1.25)"
    )
    other = answer_weights.check(here, ["transactions.amount"])[0].value
    assert other == "not used in the estimate: purchases and cases are those of all customers"


def test_weights_of_an_absurd_design_effect_are_worth_a_word(write_source):
    people = "".join(f"c{i},North,private,urban,2024-01-05,\n" for i in range(40))
    rows = "".join(f"c{i},2024-03-01,7,{1000 if i == 0 else 1}\n" for i in range(40))
    head = "customer_id,region,segment,area,joined_on,card_since\n"
    path = write_source(customers=head + people, survey=HEAD + rows, transactions=None)
    words = [each for each in suspicions(opened(path)) if "weights" in each]
    assert words == [
        "survey.csv: the weights of 40 answers of North are so unequal that they tell as much as 1 "
        "with equal weights (design effect 37.1): are these weights, and not counts or totals?"
    ]
    assert answer_weights.in_words(region(path)).endswith("are these weights right?")
