"""The names that notebooks import: all there, and none is paid for before it is used."""

import subprocess
import sys

import pytest

import analysis


@pytest.mark.parametrize("name", analysis.__all__)
def test_each_name_exists_and_says_what_it_is(name):
    assert getattr(analysis, name).__doc__
    assert f"\n{name}: " in analysis.__doc__


def test_the_names_are_few_and_listed_once():
    assert dir(analysis) == sorted(analysis.__all__)
    assert 30 <= len(set(analysis.__all__)) == len(analysis.__all__) <= 50


def test_another_name_is_refused_with_those_there_are():
    with pytest.raises(AttributeError, match=r"analysis has no 'charms'; it has .*charts"):
        analysis.charms  # noqa: B018


def test_importing_the_package_loads_neither_models_nor_pictures():
    code = "import analysis, sys; print(*{'statsmodels', 'matplotlib', 'pandas'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
