"""Specification curves: the same models fitted one by one, and tables by hand."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from analysis.statistics.regression import formulas, models, specification_curve


def survey(n=150, seed=0):
    """Return two outcomes, an ordered and a count one, a driver and two controls."""
    rng = np.random.default_rng(seed)
    x, z, w = rng.normal(size=(3, n))
    level = 0.5 * x + 0.3 * z
    return pd.DataFrame(
        {
            "x": x,
            "z": z,
            "w": w,
            "index": level + rng.normal(size=n),
            "item": np.clip(np.round(level + rng.normal(size=n)), -1, 2),
            "told": rng.poisson(np.exp(0.5 + 0.3 * x)).astype(float),
            "kind": rng.choice(["low", "high"], n),
        }
    )


def choices(data):
    """Return two choices of each kind; the first of each is the main one."""
    return {
        "outcomes": {"mean": "index", "first item": "item"},
        "controls": {"some": ["z"], "none": []},
        "samples": {"all": data, "half": data.iloc[::2]},
    }


def curve(effect, drivers, *, outcomes, controls, samples, **options):
    """Return the curve of a formula with these drivers and lists of controls."""
    main, *_ = outcomes.values()
    texts = {name: " + ".join([f"{main} ~ {drivers}", *terms]) for name, terms in controls.items()}
    first, data = next(iter(texts.values())), next(iter(samples.values()))
    choices = {"outcomes": outcomes, "controls": texts, "samples": samples}
    return specification_curve.curve(first, effect, data, **choices, **options)


def numbers(estimate):
    """Return what a row of the curve holds of an estimate."""
    return [estimate.estimate, estimate.ci_low, estimate.ci_high, estimate.n_obs]


def rows(table):
    """Return the numbers of a curve, as lists."""
    return table[["estimate", "ci_low", "ci_high", "n_obs"]].to_numpy()


# --- the curve


def test_every_combination_of_choices_is_a_row_and_the_first_is_the_main_one():
    found = curve("x", "x", **choices(survey()))
    assert len(found) == 2 * 2 * 2
    assert found["main"].tolist() == [True] + 7 * [False]
    options = ["mean", "first item", "some", "none", "all", "half"]
    assert list(found.columns[5:]) == options
    assert (found[options].sum() == 4).all()
    assert not found[options].duplicated().any()


def test_rows_are_the_regressions_fitted_one_by_one():
    data = survey()
    found = curve("x", "x", **choices(data))
    expected = models.contrast(models.ols("index ~ x + z", data), "x")
    assert rows(found)[0] == pytest.approx(numbers(expected))
    chosen = found[found["first item"] & found["none"] & found["half"]]
    other = smf.ols("item ~ x", data.iloc[::2]).fit(cov_type="HC3", use_t=True)
    low, high = other.conf_int().loc["x"]
    assert rows(chosen)[0] == pytest.approx([other.params["x"], low, high, 75])


@pytest.mark.parametrize("family", ["gaussian", "poisson", "ordered"])
def test_the_family_is_that_of_the_models(family):
    data = survey()
    only = {"outcomes": {"o": "told"}, "controls": {"c": ["z"]}, "samples": {"s": data}}
    found = curve("x", "x", **only, family=family)
    if family == "ordered":
        fit = models.ordered("told ~ x + z", data)
    else:
        fit = models.robust_glm("told ~ x + z", data, family=family)
    assert rows(found)[0] == pytest.approx(numbers(models.contrast(fit, "x")))
    assert list(found.columns) == ["estimate", "ci_low", "ci_high", "n_obs", "main"]


def test_the_effect_may_be_a_contrast():
    data = survey()
    weights = {"z": 1.0, "x": -1.0}
    found = curve(weights, "x + z", **choices(data) | {"controls": {"none": []}})
    expected = models.contrast(models.ols("index ~ x + z", data), weights)
    assert rows(found)[0] == pytest.approx(numbers(expected))


# --- what can't be fitted


def test_specifications_that_cannot_be_fitted_are_left_out():
    data = survey().assign(twice=lambda each: 2 * each["z"], flat=1 / 3, unasked=np.nan)
    found = curve(
        "x",
        "x",
        outcomes={"mean": "index", "the same for all": "flat", "not asked": "unasked"},
        controls={"some": ["z"], "collinear": ["z", "twice"]},
        samples={"all": data, "two": data.head(2), "nobody": data.head(0)},
    )
    assert len(found) == 1
    assert found.loc[0, ["main", "mean", "some", "all"]].all()
    assert not found.loc[0, ["the same for all", "not asked", "collinear", "two", "nobody"]].any()


def test_a_sample_without_one_of_the_groups_compared_is_left_out():
    data = survey()
    samples = {"all": data, "low": data[data["kind"] == "low"]}
    options = {"outcomes": {"o": "index"}, "controls": {"c": []}, "samples": samples}
    found = curve("kind[T.low]", "kind", **options)
    assert found["all"].tolist() == [True]


@pytest.mark.parametrize("family", ["binomial", "ordered"])
def test_an_effect_without_bounds_is_left_out(family):
    """A driver that sorts the outcome completely: no finite coefficient is the best."""
    data = survey().assign(apart=lambda each: np.digitize(each["x"], [-0.5, 0.5]) / 2)
    data["item"] = (data["item"] + 1) / 3
    data["two"] = (data["x"] > 0).astype(float)
    data["yes"] = (data["item"] > 0.5).astype(float)
    outcomes = {"binomial": ["yes", "two"], "ordered": ["item", "apart"]}[family]
    found = curve(
        "x",
        "x",
        outcomes={"known": outcomes[0], "apart": outcomes[1]},
        controls={"none": []},
        samples={"all": data},
        family=family,
    )
    assert found["known"].tolist() == [True]


def test_a_curve_without_any_specification_says_why():
    with pytest.raises(ValueError, match=r"No specification can be fitted: No coefficient \['y'\]"):
        curve("y", "x", **choices(survey()))


# --- agreement


def table(*intervals, main=0):
    """Return a curve of these intervals."""
    found = pd.DataFrame(intervals, columns=["ci_low", "ci_high"])
    return found.assign(main=[i == main for i in range(len(found))])


def test_agreement_is_the_share_on_the_main_ones_side():
    mixed = table((0.1, 0.3), (0.2, 0.9), (-0.1, 0.4), (-0.5, -0.2))
    assert specification_curve.agreement(mixed) == 0.5
    assert (
        specification_curve.agreement(table((-2, -1), (-3, -2), (-1, 1), (1, 2), (-4, -1))) == 0.6
    )
    assert specification_curve.agreement(table((0.1, 0.3))) == 1


def test_agreement_of_a_main_one_on_neither_side_is_the_share_of_those():
    assert specification_curve.agreement(table((-1, 1), (-2, 3), (1, 2), (-2, -1))) == 0.5
    assert specification_curve.agreement(table((0, 1), (1, 2))) == 0.5  # its end is none


def test_agreement_of_ratios_is_about_one():
    ratios = table((1.1, 1.3), (0.9, 1.4), (0.5, 0.8), (1.2, 2.0), main=3)
    assert specification_curve.agreement(ratios, null=1) == 0.5
    assert specification_curve.agreement(ratios) == 1


def test_agreement_without_the_main_one_is_refused():
    with pytest.raises(ValueError, match="main specification could not be fitted"):
        specification_curve.agreement(table((0, 1), main=5))


# --- choices that come to the same


def test_choices_that_come_to_the_same_model_are_one_row_and_all_marked():
    """Issue 14: "12 specifications, 100% agree", of which 8 are different ones."""
    data = survey()
    found = curve(
        "x",
        "x",
        outcomes={"mean": "index", "first item": "item"},
        controls={"all": ["z", "w"], "turned": ["w", "z"], "known before": ["z"], "none": []},
        samples={"all rows": data, "again": data.copy(), "with an answer": data[data["w"] > -9]},
    )
    assert len(found) == 2 * 3
    assert found["main"].tolist() == [True] + 5 * [False]
    first = found.iloc[0]
    assert first[["mean", "all", "turned", "all rows", "again", "with an answer"]].all()
    assert not first[["first item", "known before", "none"]].any()
    expected = models.contrast(models.ols("index ~ x + z + w", data), "x")
    assert rows(found)[0] == pytest.approx(numbers(expected))
    assert len(curve("x", "x", **choices(data))) == 8


def test_a_control_that_is_a_driver_already_makes_no_other_model():
    data = survey()
    found = curve(
        "x",
        "x + z",
        outcomes={"mean": "index"},
        controls={"none": [], "z again": ["z"]},
        samples={"all": data},
    )
    assert len(found) == 1
    assert found.loc[0, ["none", "z again"]].all()


def test_samples_that_differ_in_a_used_column_alone_stay_apart():
    data = survey()
    samples = {"all": data, "other w": data.assign(w=0.0), "other z": data.assign(z=data["w"])}
    only = {"outcomes": {"o": "index"}, "controls": {"c": ["z"]}, "samples": samples}
    assert len(curve("x", "x", **only)) == 2


# --- from the text of a formula


def test_an_edited_formula_moves_the_fit_its_variants_and_the_curve():
    data, tables = survey(), []
    for formula in ("index ~ x + z + kind", "index ~ x + w + kind"):
        variants = {
            "as written": formula,
            "without kind": formulas.without_terms(formula, "kind"),
            "and told": formulas.with_terms(formula, "told"),
        }
        found = specification_curve.curve(formula, "x", data, controls=variants)
        expected = [models.contrast(models.ols(each, data), "x") for each in variants.values()]
        assert rows(found) == pytest.approx(np.array([numbers(each) for each in expected]))
        assert found["main"].tolist() == [True, False, False]
        tables.append(found)
    assert not np.isclose(tables[0]["estimate"], tables[1]["estimate"], rtol=1e-3).any()


def test_a_formula_alone_is_a_curve_of_one():
    found = specification_curve.curve("index ~ x", "x", survey())
    assert found["main"].tolist() == [True]


@pytest.mark.parametrize("formula", ["index ~ x + zz", "index ~ x"])
def test_unknown_columns_are_named_in_every_formula(formula):
    variants = {"as written": formula, "misspelt": "index ~ x + zz"}
    with pytest.raises(ValueError, match=r"names zz, which .* Its columns are x, z, w, index"):
        specification_curve.curve(formula, "x", survey(), controls=variants)


def test_two_choices_of_one_name_are_refused():
    """Issue 15: "all" controls and "all" customers were one column."""
    data = survey()
    variants = {"all": "index ~ x + z", "none": "index ~ x"}
    samples = {"all": data, "half": data.iloc[::2]}
    with pytest.raises(ValueError, match='name of its own; more than one is called "all"'):
        specification_curve.curve("index ~ x + z", "x", data, controls=variants, samples=samples)
    assert len(specification_curve.curve("index ~ x + z", "x", data, controls=variants)) == 2


def test_a_main_formula_that_is_no_choice_is_refused():
    with pytest.raises(ValueError, match='"index ~ x" is not among the choices'):
        specification_curve.curve("index ~ x", "x", survey(), controls={"z": "index ~ x + z"})
