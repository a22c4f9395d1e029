"""Formulas as text: edits, names of columns, controls that can't be used."""

import numpy as np
import pandas as pd
import pytest

from analysis.statistics.regression import formulas, models

FORMULA = "np.log(y) ~ x + C(box, Treatment('top')) + I(x ** 2) + segment + (x + z):w"


def table(n=60):
    """Return numbers, a category that differs, one that does not, and a copy of a number."""
    rng = np.random.default_rng(0)
    numbers = pd.DataFrame(rng.normal(size=(n, 4)), columns=["y", "x", "z", "w"])
    return numbers.assign(
        y=np.exp(numbers["y"]),
        box=np.resize(["low", "top"], n),
        segment=np.resize(["a", "b", "c"], n),
        area="urban",
        twice=2 * numbers["x"],
        **{"my column": 1.0},
    )


def test_sides_and_terms_are_as_they_are_written():
    assert formulas.outcome(FORMULA) == "np.log(y)"
    expected = ["x", "C(box, Treatment('top'))", "I(x ** 2)", "segment", "(x + z):w"]
    assert formulas.terms(FORMULA) == expected


def test_edits_are_formulas():
    assert formulas.with_outcome("y ~ x + z", "w") == "w ~ x + z"
    assert formulas.with_terms("y ~ x", "z", "x", "C(segment)") == "y ~ x + z + C(segment)"
    assert formulas.with_terms("y ~ x + C(segment)", "segment") == "y ~ x + C(segment)"
    assert formulas.without_terms("y ~ x + C(segment) + z", "segment", "z") == "y ~ x"
    assert formulas.without_terms("y ~ x+I(x**2)", "I(x ** 2)") == "y ~ x"
    assert formulas.without_terms("y ~ x", "x") == "y ~ 1"


def test_columns_are_found_in_functions_interactions_and_quotes():
    assert formulas.columns(FORMULA, table()) == ["y", "x", "z", "w", "box", "segment"]
    assert formulas.columns("y ~ Q('my column')", table()) == ["y", "my column"]
    assert formulas.columns("x + C(area)", table()) == ["x", "area"]


def test_an_unknown_column_is_named_and_the_columns_are_listed():
    sentence = r"names xx, zz, which .* Its columns are y, x, z, w, box, segment, area, twice"
    with pytest.raises(ValueError, match=sentence):
        models.ols("y ~ xx + np.log(zz)", table())
    with pytest.raises(ValueError, match="names tpo"):
        formulas.usable("y ~ tpo + area", table(), ["area"])


def test_controls_that_say_nothing_are_left_out():
    formula, names = "y ~ z + x + segment + area + twice + prior", table().columns
    controls = ["x", "segment", "area", "twice", "prior"]
    assert formulas.usable(formula, table(), controls) == "y ~ z + x + segment"
    assert formulas.usable("y ~ z + area:x", table(), ["area"]) == "y ~ z"
    assert formulas.usable("y ~ area", table(), ["area", "segment"]) == "y ~ 1"
    assert "prior" not in names


def test_what_is_held_follows_the_text():
    text = "z ~ x * w + I(x**2) + C(area) + np.log(size) + area:kind"
    assert formulas.held(text, "x", "w") == ["area", "size", "kind"]
    assert formulas.held("z ~ x", "x") == []


def test_an_outcome_of_texts_is_refused_without_its_values():
    own = table().assign(y=np.resize(["Erika", "Hans", "Erika"], 60))
    sentence = r'The outcome "y" must be numbers, or true and false; it has 2 different values'
    with pytest.raises(ValueError, match=sentence) as error:
        models.ols("y ~ x", own)
    assert "Erika" not in str(error.value)


def test_another_outcome_than_the_registered_one_is_refused():
    formulas.require_outcome("retained ~ card", "retained")
    with pytest.raises(ValueError, match=r'with "retained ~", not with "visits ~"\.'):
        formulas.require_outcome("visits ~ card", "retained")
