"""Whole notebooks on answers with weights: which use them, and what equal ones change: nothing."""

import functools

import numpy as np
import pytest

from simulation.drawing.tables import draw
from simulation.rehearsal import region_of, run
from simulation.world import World

NAME = "weights of the survey's answers"


@functools.cache
def tables():
    return draw(World(), 900, 8)


def finding(key, weight=None):
    """Return a claim's finding, as numbers and methods, and what its card says of weights."""
    own = dict(tables())
    if weight is not None:
        own["survey"] = own["survey"].assign(weight=weight(len(own["survey"])))
    found, _ = run(key, region_of(own))
    numbers = {
        name: [each.estimate, each.ci_low, each.ci_high] for name, each in found.estimates.items()
    }
    methods = [each.method for each in found.estimates.values()]
    return numbers, methods, [each.value for each in found.checks if each.name == NAME]


def unequal(n):
    return np.exp(0.6 * np.random.default_rng(1).normal(size=n))


@pytest.mark.parametrize("key", ["H06", "H13"])
def test_claims_on_answers_are_weighted_and_equal_weights_change_nothing(key):
    plain, _, nothing = finding(key)
    same, _, _ = finding(key, lambda n: np.full(n, 3.7))
    weighted, methods, said = finding(key, unequal)
    assert same == plain
    assert all(np.abs(np.subtract(weighted[part], plain[part])).min() > 1e-4 for part in plain)
    assert all("weighted" in method for method in methods)
    assert nothing == []
    assert said[0].startswith("used throughout; answers of ")


def test_claims_on_purchases_are_not_weighted_and_say_so():
    plain, _, _ = finding("H16")
    weighted, _, said = finding("H16", unequal)
    assert weighted == plain
    assert said == ["not used in the estimate: purchases and cases are those of all customers"]
